/** Zips as programs of different kinds write them (PKWARE's APPNOTE 6.3). */
import { crc32, deflateRawSync } from "node:zlib";

export type ZipMember = {
  name: string;
  content: string | Buffer;
  stored?: boolean;
  /** Only behind the content are its sizes: a zip that was written to a pipe. */
  streamed?: boolean;
  /** In the local header alone, as Word pads what it may rewrite, and Android aligns. */
  localExtra?: Buffer;
  /** In the directory alone, as macOS and Unix note times and owners. */
  centralExtra?: Buffer;
};

/** `before`: between the last member and the directory, where Android signs; `comment`: behind the end. */
export function zipFile(members: ZipMember[], { before = Buffer.alloc(0), comment = "" } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  const put = (...bytes: Buffer[]) => {
    for (const each of bytes) at += each.length;
    parts.push(...bytes);
  };
  for (const { name, content, stored, streamed, localExtra, centralExtra } of members) {
    const bytes = Buffer.from(content);
    const packed = stored ? bytes : deflateRawSync(bytes);
    const label = Buffer.from(name);
    const sizes = [crc32(bytes), packed.length, bytes.length];
    const fields = (shown: number[], extra: number) => {
      const field = Buffer.alloc(26);
      field.writeUInt16LE(20, 0);
      field.writeUInt16LE((streamed ? 8 : 0) | (stored ? 0 : 2), 2);
      field.writeUInt16LE(stored ? 0 : 8, 4);
      field.writeUInt16LE(0x21, 8);
      shown.forEach((value, index) => {
        field.writeUInt32LE(value, 10 + index * 4);
      });
      field.writeUInt16LE(label.length, 22);
      field.writeUInt16LE(extra, 24);
      return field;
    };
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    const [local = Buffer.alloc(0), central = Buffer.alloc(0)] = [localExtra, centralExtra];
    put(Buffer.from("PK\x03\x04"), fields(streamed ? [0, 0, 0] : sizes, local.length), label, local, packed);
    if (streamed) {
      const descriptor = Buffer.from(`PK\x07\x08${"\0".repeat(12)}`, "latin1");
      sizes.forEach((value, index) => {
        descriptor.writeUInt32LE(value, 4 + index * 4);
      });
      put(descriptor);
    }
    directory.push(Buffer.from("PK\x01\x02\x14\x03", "latin1"), fields(sizes, central.length), place, label, central);
  }
  put(before);
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, list, end, Buffer.from(comment)]);
}
