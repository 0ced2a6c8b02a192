/** An NTFS folder's index, for one question: which records does it give a name that are not listed as files, the volume's own
 *  and those that the table is too short for? All others are listed by themselves, whatever an index says. */
import { Damaged, type Source, u64 } from "../source.ts";
import { powerOfTwo, reason, utf16le } from "../volume.ts";
import { type Attribute, contentOf, type NtfsLayout, undoFixups } from "./ntfs-record.ts";

const ROOT_PART = 0x90;
const ALLOCATION = 0xa0;
const INDEX = "$I30";
const INDEX_BYTES_MAX = 256 * 1024 * 1024;
/** Flags of an entry. */
const LEADS_ON = 1;
const LAST = 2;

export type Named = { record: number; name: Buffer };

/** `wanted`: of which records. Every block is looked at, and what the index itself leads to.
 *  @throws Damaged where the index has no size that a folder's can have, or leads behind its end */
export function* namedIn(layout: NtfsLayout, all: Attribute[], wanted: (record: number) => boolean): Generator<Named> {
  const parts = (type: number) => all.filter((part) => part.type === type && part.name.toString() === INDEX);
  // a folder's mark for "compressed" stands here too, and is about its files; how far it was written to, not all ask
  const more = parts(ALLOCATION).map((part) => ({ ...part, flags: 0, initialised: part.size }));
  for (const { resident: value } of parts(ROOT_PART)) {
    if (!value || value.length < 32) continue;
    const root = entries(value, 16);
    yield* named(root, wanted);
    if (more.length === 0) continue;
    const content = contentOf(layout, more);
    const block = value.readUInt32LE(8);
    if (!powerOfTwo(block) || block < 512 || block > 65_536 || content.size > INDEX_BYTES_MAX)
      throw new Damaged("has an index of a size that no folder has");
    const whole = new Set<number>();
    for (let at = 0; at + block <= content.size; at += block) {
      whole.add(at);
      yield* named(blockAt(content, at, block), wanted);
    }
    // a block may begin within another, where clusters are smaller
    const unit = layout.cluster <= block ? layout.cluster : 512;
    const seen = new Set<number>();
    for (const below = leadsTo(root); below.length > 0; ) {
      const at = below.pop()! * unit;
      if (seen.has(at)) continue;
      seen.add(at);
      if (at + block > content.size) throw new Damaged("has an index that goes on behind its end");
      const found = blockAt(content, at, block);
      if (!whole.has(at)) yield* named(found, wanted);
      below.push(...leadsTo(found));
    }
  }
}

/** None where no system finds a block of an index. One that was torn, Linux takes as it is. */
function blockAt(content: Source, at: number, length: number): IndexEntry[] {
  const bytes = Buffer.from(content.read(at, length));
  if (bytes.toString("latin1", 0, 4) !== "INDX") return [];
  try {
    undoFixups(bytes);
  } catch (error) {
    reason(error);
  }
  try {
    return entries(bytes, 24);
  } catch (error) {
    reason(error);
    return [];
  }
}

/** `name`: in UTF-16; the last one has none. `below`: by its number, the block that holds what comes before it. */
type IndexEntry = { record: number; name: Buffer | null; below: number | null };

function* named(found: IndexEntry[], wanted: (record: number) => boolean): Generator<Named> {
  for (const { record, name } of found) if (name !== null && wanted(record)) yield { record, name: utf16le(name) };
}

const leadsTo = (found: IndexEntry[]): number[] => found.flatMap(({ below }) => (below === null ? [] : [below]));

/** `header`: where the entries' own header is. What ends early ends there. */
function entries(bytes: Buffer, header: number): IndexEntry[] {
  const found: IndexEntry[] = [];
  const end = Math.min(bytes.length, header + bytes.readUInt32LE(header + 4));
  for (let at = header + bytes.readUInt32LE(header); at + 16 <= end; ) {
    const length = bytes.readUInt16LE(at + 8);
    if (length < 16 || at + length > end) break;
    const flags = bytes.readUInt16LE(at + 12);
    const last = (flags & LAST) !== 0;
    const names = !last && length >= 82;
    found.push({
      record: bytes.readUInt32LE(at) + bytes.readUInt16LE(at + 4) * 0x1_0000_0000,
      name: names ? bytes.subarray(at + 82, Math.min(at + length, at + 82 + bytes[at + 80]! * 2)) : null,
      below: (flags & LEADS_ON) !== 0 && length >= 24 ? u64(bytes, at + length - 8) : null,
    });
    if (last) break;
    at += length;
  }
  return found;
}
