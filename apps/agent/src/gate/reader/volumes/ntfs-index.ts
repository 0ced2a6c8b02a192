/** An NTFS folder's index, for one question: which of the volume's own files does it give a name? All others are listed by
 *  their records, whatever an index says. */
import { Damaged, type Source } from "../source.ts";
import { powerOfTwo, reason, utf16le } from "../volume.ts";
import { type Attribute, contentOf, type NtfsLayout, undoFixups } from "./ntfs-record.ts";

const ROOT_PART = 0x90;
const ALLOCATION = 0xa0;
const INDEX = "$I30";
const INDEX_BYTES_MAX = 256 * 1024 * 1024;
const LAST = 2;

export type Named = { record: number; name: Buffer };

/** @throws Damaged where the index has no size that a folder's can have */
export function* namedIn(layout: NtfsLayout, all: Attribute[], below: number): Generator<Named> {
  const parts = (type: number) => all.filter((part) => part.type === type && part.name.toString() === INDEX);
  // a folder's mark for "compressed" stands here too, and is about its files
  const more = parts(ALLOCATION).map((part) => ({ ...part, flags: 0 }));
  for (const { resident: value } of parts(ROOT_PART)) {
    if (!value || value.length < 32) continue;
    yield* entries(value, 16, below);
    if (more.length === 0) continue;
    const content = contentOf(layout, more);
    const block = value.readUInt32LE(8);
    if (!powerOfTwo(block) || block < 512 || block > 65_536 || content.size > INDEX_BYTES_MAX)
      throw new Damaged("has an index of a size that no folder has");
    for (let at = 0; at + block <= content.size; at += block) {
      const bytes = blockAt(content, at, block);
      if (bytes) yield* entries(bytes, 24, below);
    }
  }
}

/** Null where no system finds a block of an index. */
function blockAt(content: Source, at: number, length: number): Buffer | null {
  const bytes = Buffer.from(content.read(at, length));
  if (bytes.toString("latin1", 0, 4) !== "INDX") return null;
  try {
    undoFixups(bytes);
    return bytes;
  } catch (error) {
    reason(error);
    return null;
  }
}

/** `header`: where the entries' own header is. What ends early ends there. */
function* entries(bytes: Buffer, header: number, below: number): Generator<Named> {
  const end = Math.min(bytes.length, header + bytes.readUInt32LE(header + 4));
  for (let at = header + bytes.readUInt32LE(header); at + 16 <= end; ) {
    const length = bytes.readUInt16LE(at + 8);
    if (length < 16 || at + length > end || (bytes.readUInt16LE(at + 12) & LAST) !== 0) return;
    const record = bytes.readUInt32LE(at) + bytes.readUInt16LE(at + 4) * 0x1_0000_0000;
    if (record < below && length >= 82)
      yield { record, name: utf16le(bytes.subarray(at + 82, Math.min(at + length, at + 82 + bytes[at + 80]! * 2))) };
    at += length;
  }
}
