/** Rock Ridge in a directory record's system use area (IEEE P1281, P1282): names, kinds, links, moved folders. */
import { Damaged, type Source } from "../source.ts";
import type { EntryKind } from "../volume.ts";

/** Continuations that are followed for one record. */
const CONTINUATIONS_MAX = 32;

const KINDS: Record<number, EntryKind> = {
  1: "fifo",
  2: "device",
  4: "folder",
  6: "device",
  8: "file",
  10: "link",
  12: "socket",
};

export type Rock = {
  name?: Buffer;
  kind?: EntryKind;
  detail?: string;
  child?: number;
  moved: boolean;
  compressed: boolean;
};

/** How many bytes to pass over in each area, or null where the disc has no Rock Ridge. Its mark should come first; Linux
 *  takes it from behind other fields too. */
export function suspSkip(source: Source, rootArea: Buffer, block: number): number | null {
  for (const at of [0, 14])
    for (const field of fields(source, rootArea.subarray(at), block))
      if (field.toString("latin1", 0, 2) === "SP" && field[4] === 0xbe && field[5] === 0xef) return field[6] ?? null;
  return null;
}

/** Each field of an area and of what it continues with. */
function* fields(source: Source, area: Buffer, block: number): Generator<Buffer> {
  let bytes = area;
  for (let round = 0; ; round++) {
    if (round > CONTINUATIONS_MAX) throw new Damaged("has a record that continues without end");
    let more: { at: number; bytes: number } | null = null;
    for (let at = 0; at + 4 <= bytes.length; ) {
      const length = bytes[at + 2]!;
      if (length < 4 || at + length > bytes.length) break;
      const field = bytes.subarray(at, at + length);
      const mark = field.toString("latin1", 0, 2);
      if (mark === "ST") break;
      if (mark === "CE")
        more = { at: field.readUInt32LE(4) * block + field.readUInt32LE(12), bytes: field.readUInt32LE(20) };
      else yield field;
      at += length;
    }
    if (!more) return;
    bytes = source.read(more.at, more.bytes);
  }
}

export function rockRidge(source: Source, area: Buffer, skip: number, block: number): Rock {
  const names: Buffer[] = [];
  const link: string[] = [];
  const rock: Rock = { moved: false, compressed: false };
  for (const field of fields(source, area.subarray(skip), block)) {
    const mark = field.toString("latin1", 0, 2);
    if (mark === "NM" && (field[4]! & 6) === 0) names.push(Buffer.from(field.subarray(5)));
    else if (mark === "PX") rock.kind = KINDS[(field.readUInt32LE(4) >> 12) & 15] ?? "file";
    else if (mark === "SL") link.push(linkPart(field.subarray(5)));
    else if (mark === "CL") {
      rock.child = field.readUInt32LE(4) * block;
      rock.kind = "folder";
    } else if (mark === "RE") rock.moved = true;
    else if (mark === "ZF") rock.compressed = true;
  }
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
