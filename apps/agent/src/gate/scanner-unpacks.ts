/** Which archives clamd looks into as it runs now, by its own answer and not by its settings: its definitions may switch
 *  parts of it off. A member of such an archive need not be shown to it a second time. */
import { crc32, deflateRawSync, gzipSync } from "node:zlib";
import { askVersion, startScan } from "./reader/clamd.ts";
import type { Unpackable } from "./reader/events.ts";

/** What every scanner finds (eicar.org), put together here so that none takes offence at this file. */
const TEST_FILE = Buffer.from(
  ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS", "-TEST-FILE!$H+H*"].join(""),
);
const ANSWER_MS = 10_000;

const DEFLATED = 8;

/** Each member deflated, so that its bytes do not lie there as they are. */
function zipOf(members: readonly [name: string, content: Buffer][]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [text, content] of members) {
    const name = Buffer.from(text);
    const packed = content.length === 0 ? content : deflateRawSync(content);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(content.length === 0 ? 0 : DEFLATED, 4);
    fields.writeUInt16LE(0x21, 8);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(content.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    const member = Buffer.concat([Buffer.from("PK\x03\x04"), fields, name, packed]);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), fields, place, name]));
    parts.push(member);
    at += member.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, entries, end]);
}

const NOTHING = Buffer.alloc(0);

const PROBES: Record<Unpackable, () => Buffer> = {
  // behind a folder and a member of no bytes, at which one that goes by sizes might take the archive for ended
  zip: () =>
    zipOf([
      ["folder/", NOTHING],
      ["empty", NOTHING],
      ["test", TEST_FILE],
    ]),
  gzip: () => gzipSync(TEST_FILE),
};

async function looksInto(socket: string, archive: Buffer): Promise<boolean> {
  const scan = startScan(socket, ANSWER_MS);
  await scan.write(archive);
  return (await scan.finish()).answer === "infected";
}

/** By the scanner and its definitions: clamd's log has two finds of the test file for each set of them, and no more. */
const known = new Map<string, readonly Unpackable[]>();
const KNOWN_MAX = 64;

/** None where it does not answer, or does not know the test file. `set`: of definitions without a version, which ones. */
export async function unpacksOf(socket: string, set = ""): Promise<readonly Unpackable[]> {
  const version = await askVersion(socket);
  if (version === null) return [];
  const key = JSON.stringify([socket, set, version]);
  const before = known.get(key);
  if (before) return before;
  const found: Unpackable[] = [];
  for (const [kind, probe] of Object.entries(PROBES))
    if (await looksInto(socket, probe())) found.push(kind as Unpackable);
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(key, found);
  return found;
}
