/** Source → whether an Apple partition map names what no other table does. */
import { type Source, slice } from "../source.ts";
import { takenAsMbr } from "./labels.ts";
import { holds, type Tables } from "./range.ts";

const APPLE_ENTRIES_MAX = 256;

/** An Apple partition map by other sectors than those of 512 bytes, as discs made for booting have one for the same
 *  partitions that their other table names: told where it is the only one, or points to another file system. */
export function appleMap(source: Source, tables: Tables, head: Buffer): boolean {
  const block = head.readUInt16BE(2);
  if (head.toString("latin1", 0, 2) !== "ER" || block <= 512 || block * 2 > source.size) return false;
  const entry = (number: number): Buffer => source.read(number * block, 16);
  const isOne = (bytes: Buffer): boolean => bytes.toString("latin1", 0, 2) === "PM";
  if (!isOne(entry(1))) return false;
  if (!takenAsMbr(head) && !tables.partitions.some(({ table }) => table === "gpt")) return true;
  const known = new Set([0, ...tables.partitions.map(({ from }) => from)]);
  const count = Math.min(entry(1).readUInt32BE(4), APPLE_ENTRIES_MAX, Math.floor(source.size / block) - 1);
  for (let number = 1; number <= count; number++) {
    const bytes = entry(number);
    const from = bytes.readUInt32BE(8) * block;
    if (!isOne(bytes)) return false;
    if (from < source.size && !known.has(from) && holds(slice(source, from, source.size - from))) return true;
  }
  return false;
}
