/** Members of a zip by methods that only 7z knows → a zip of these alone, each under its number and with no attributes: a
 *  name, a mark as folder or link, or a second list of the first zip cannot make 7z leave out or mix up what they hold. */
import { chunksOf } from "../content.ts";
import { Damaged, type Source } from "../source.ts";

/** `flags`, of which the two that the methods use are kept, and `sum` as in the zip's directory. */
export type Packed = { method: number; flags: number; sum: number; size: number; body: Source };

const COUNT_MAX = 65_534;
const BYTES_MAX = 0xffff_fffe;
const METHOD_FLAGS = 0b110;
const VERSION = 63;

/** @throws Damaged where they are more than a zip without wide numbers holds */
export async function* repacked(members: readonly Packed[]): AsyncGenerator<Buffer> {
  const directory: Buffer[] = [];
  let at = 0;
  const total = members.reduce((sum, { body }) => sum + body.size + 200, 0);
  if (members.length > COUNT_MAX || total > BYTES_MAX || members.some(({ size }) => size > BYTES_MAX))
    throw new Damaged("it unpacks to more than there is room for");
  for (const [index, { method, flags, sum, size, body }] of members.entries()) {
    const name = Buffer.from(String(index));
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(VERSION, 0);
    fields.writeUInt16LE(flags & METHOD_FLAGS, 2);
    fields.writeUInt16LE(method, 4);
    fields.writeUInt16LE(0x21, 8);
    [sum, body.size, size].forEach((value, place) => {
      fields.writeUInt32LE(value, 10 + place * 4);
    });
    fields.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    directory.push(Buffer.from([0x50, 0x4b, 1, 2, VERSION, 0]), fields, place, name);
    const local = Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), fields, name]);
    yield local;
    yield* chunksOf(body);
    at += local.length + body.size;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x0605_4b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  yield Buffer.concat([list, end]);
}
