/** Rock Ridge in a directory record's system use area (IEEE P1281, P1282): names, kinds, links, moved folders. */
import { Damaged, type Source } from "../source.ts";
import { type EntryKind, KINDS } from "../volume.ts";
import { SECTOR } from "./iso-descriptors.ts";

/** Continuations that are followed for one record. */
const CONTINUATIONS_MAX = 32;

export type Rock = {
  name?: Buffer;
  kind?: EntryKind;
  detail?: string;
  child?: number;
  moved: boolean;
  compressed: boolean;
};

/** Where in an area the fields may begin. Without a mark in the root's first record Linux takes them all the same, from the
 *  first byte or, as on a CD-ROM XA, from behind 14. */
export type Skips = readonly number[];
export const UNMARKED: Skips = [0, 14];

/** Bytes of continuations that are still read: each record has its own, and no disc more than it has bytes. */
export type Room = { bytes: number };

/** Null where the disc has no mark of Rock Ridge. It should come first; Linux takes it from behind other fields too.
 *  @throws Damaged where there is more than one, or one that is none to some */
export function suspSkips(source: Source, rootArea: Buffer, block: number): Skips | null {
  for (const at of UNMARKED) {
    const marks = [...fields(source, rootArea.subarray(at), block, { bytes: source.size })].filter(isMark);
    const [mark] = marks;
    if (mark === undefined) continue;
    if (marks.length > 1 || mark.length !== 7 || mark[4] !== 0xbe || mark[5] !== 0xef)
      throw new Damaged("has a mark of Rock Ridge that is another one to some systems");
    return [mark[6]!];
  }
  return null;
}

const isMark = (field: Buffer): boolean => field.toString("latin1", 0, 2) === "SP";

/** Each field of an area and of what it continues with; behind an end mark too, which Linux does not heed. */
function* fields(source: Source, area: Buffer, block: number, room: Room): Generator<Buffer> {
  let bytes = area;
  for (let round = 0; ; round++) {
    if (round > CONTINUATIONS_MAX) throw new Damaged("has a record that continues without end");
    let more: { at: number; bytes: number } | null = null;
    for (let at = 0; at + 3 <= bytes.length; ) {
      const length = bytes[at + 2]!;
      if (length < 3 || at + length > bytes.length) break;
      const field = bytes.subarray(at, at + length);
      if (field.toString("latin1", 0, 2) === "CE")
        more = { at: field.readUInt32LE(4) * block + field.readUInt32LE(12), bytes: field.readUInt32LE(20) };
      else yield field;
      at += length;
    }
    if (!more) return;
    room.bytes -= more.bytes;
    if (room.bytes < 0) throw new Damaged("has a record that continues where many others do");
    if (more.bytes > SECTOR) throw new Damaged("has a record that continues in more than a block");
    bytes = source.read(more.at, more.bytes);
  }
}

/** @param isRoot the root's own record, the only one in which the disc's mark stands
 *  @throws Damaged where it says two things, of which each system takes its own */
export function rockRidge(
  source: Source,
  area: Buffer,
  { skips, block, room }: { skips: Skips; block: number; room: Room },
  isRoot = false,
): Rock {
  const names: Buffer[] = [];
  const link: string[] = [];
  const rock: Rock = { moved: false, compressed: false };
  const said = <Value>(had: Value | undefined, value: Value): Value => {
    if (had !== undefined && had !== value) throw new Damaged("has a record of which Rock Ridge says two things");
    return value;
  };
  for (const skip of skips)
    for (const field of fields(source, area.subarray(skip), block, room)) {
      const mark = field.toString("latin1", 0, 2);
      if (mark === "NM" && (field[4]! & 6) === 0) names.push(Buffer.from(field.subarray(5)));
      else if (mark === "PX") {
        rock.kind = said(rock.kind, KINDS[(field.readUInt32LE(4) >> 12) & 15] ?? "file");
        // by Linux the folder's own bytes are the file's then
        if (rock.child !== undefined) said("folder", rock.kind);
      } else if (mark === "SL") link.push(linkPart(field.subarray(5)));
      else if (mark === "CL") rock.child = said(rock.child, field.readUInt32LE(4) * block);
      else if (mark === "RE") rock.moved = true;
      else if (mark === "ZF") rock.compressed = true;
      else if (isMark(field) && !isRoot) throw new Damaged("has a mark of Rock Ridge where none belongs");
    }
  if (rock.child !== undefined) rock.kind = "folder";
  if (names.length > 0) rock.name = Buffer.concat(names);
  if (link.length > 0) rock.detail = `to ${link.join("/")}`;
  return rock;
}

function linkPart(bytes: Buffer): string {
  const parts: string[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const flags = bytes[at]!;
    const length = bytes[at + 1]!;
    if (flags & 2) parts.push(".");
    else if (flags & 4) parts.push("..");
    else if (flags & 8) parts.push("");
    else parts.push(bytes.toString("utf8", at + 2, at + 2 + length));
    at += 2 + length;
  }
  return parts.join("/");
}
