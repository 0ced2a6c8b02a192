/** What a zip's directory does not name, between its members and around them: an unpacker that reads from the front, or
 *  looks for another archive's mark, would find it. */
import { Damaged, type Source } from "../source.ts";
import { embedded, search } from "./embedded.ts";

const WINDOW_BYTES = 1024 * 1024;
/** Of a local header, without its name. */
export const LOCAL_BYTES = 30;
const METHODS = new Set([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 16, 18, 19, 20, 93, 94, 95, 96, 97, 98, 99]);

/** @throws Damaged where there is something to find */
export function refuseHidden(gap: Source): void {
  const mark = Buffer.from([0x50, 0x4b, 3, 4]);
  const others = search();
  for (let at = 0; at < gap.size; at += WINDOW_BYTES) {
    // each window reaches into the next, so that a header on the border is whole in one of them
    const bytes = gap.read(at, Math.min(WINDOW_BYTES + LOCAL_BYTES, gap.size - at));
    others.add(bytes.subarray(0, WINDOW_BYTES));
    for (let found = bytes.indexOf(mark); found >= 0; found = bytes.indexOf(mark, found + 1))
      if (isLocal(bytes.subarray(found))) throw new Damaged("has a member that its directory does not name");
  }
  if (
    embedded(
      prefixed(gap),
      others.places().map((place) => place + 1),
    ).length > 0
  )
    throw new Damaged("has another archive between or behind its members");
}

/** One byte on, as a place of 0 means the file itself. */
const prefixed = (gap: Source): Source => ({
  size: gap.size + 1,
  read: (at, length) => gap.read(at - 1, length),
});

const isLocal = (bytes: Buffer): boolean =>
  bytes.length >= LOCAL_BYTES &&
  bytes[4]! <= 63 &&
  METHODS.has(bytes.readUInt16LE(8)) &&
  bytes.readUInt16LE(26) > 0 &&
  bytes.readUInt16LE(26) <= 4096;
