/** Whether one more record has room, and what must give way when it does not fit. Pure. */
import { ALERTS_SHARE, ENTRY_DISK_BYTES, GIVE_WAY_SHARE, LOG_DISK_BYTES, RESERVE_SHARE } from "../limits.ts";
import type { Held, Way } from "./store.ts";

/** What the spool says of itself (gaps, suppressed lines, refusals) may go past the bounds by this many entries, since
 *  otherwise it could not say that it is full. */
export const SELF_ENTRIES = 4_096;

export const entriesMax = (bytesMax: number): number =>
  Math.max(4 * SELF_ENTRIES, Math.floor(bytesMax / ENTRY_DISK_BYTES));

/** What the spool's files take of a disk at most, about: contents, entries, and the log that goes before them. */
export const spoolDiskBytesMax = (bytesMax: number): number =>
  bytesMax + entriesMax(bytesMax) * ENTRY_DISK_BYTES + LOG_DISK_BYTES;

/** Guest logs and what can be seen elsewhere share all but the reserve. Older contents of their own way or a lower one
 *  can always give way, so there is room unless what may not give way fills the place. */
export function hasRoom(held: Held, bytesMax: number, way: Way, bytes: number): boolean {
  const entries = entriesMax(bytesMax) - SELF_ENTRIES;
  const mayUse = [entries * 0.8, entries * 0.9, entries][way]!;
  if (held.records + 1 > mayUse) return false;
  const firm = held.bytes[2] + (way === 0 ? held.bytes[1] : 0);
  if (way === 2) return firm + bytes <= bytesMax;
  const unreserved = bytesMax * (1 - RESERVE_SHARE);
  return firm + bytes <= bytesMax && (way === 0 ? held.bytes[1] : 0) + bytes <= unreserved;
}

/** An alert's way: what a guest can cause without end must leave room for what only dom0 causes. */
export const wayOfAlert = (held: Held, bytesMax: number, bytes: number): Way =>
  held.bytes[2] + bytes <= bytesMax * ALERTS_SHARE ? 2 : 1;

/** How many bytes of each way must go so that all is within bounds again, and a share more, so that the next record
 *  does not need it at once. Guest logs first; the rest only where these are not enough. */
export function mustGiveWay(held: Held, bytesMax: number): [number, number] {
  const [logs, seen, firm] = held.bytes;
  const over = Math.max(logs + seen - bytesMax * (1 - RESERVE_SHARE), logs + seen + firm - bytesMax);
  if (over <= 0) return [0, 0];
  const fromLogs = Math.min(logs, over + bytesMax * GIVE_WAY_SHARE);
  const still = over - fromLogs;
  return [fromLogs, still > 0 ? Math.min(seen, still + bytesMax * GIVE_WAY_SHARE) : 0];
}

export const sum = (a: Held, b: Held): Held => ({
  records: a.records + b.records,
  contents: [a.contents[0] + b.contents[0], a.contents[1] + b.contents[1], a.contents[2] + b.contents[2]],
  bytes: [a.bytes[0] + b.bytes[0], a.bytes[1] + b.bytes[1], a.bytes[2] + b.bytes[2]],
});
