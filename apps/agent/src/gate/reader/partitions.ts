/** Source → the ranges to read as file systems, by every table that it may have, and what lies outside. */
import type { Source } from "./source.ts";
import { appleMap } from "./tables/apple.ts";
import { readGpt } from "./tables/gpt.ts";
import { LABEL_BYTES, labelIn } from "./tables/labels.ts";
import { readMbr } from "./tables/mbr.ts";
import type { Range, Tables } from "./tables/range.ts";

export function partitions(source: Source): Tables {
  const tables: Tables = { partitions: [], own: [], problems: [] };
  if (source.size < 512) return tables;
  const gpt = readGpt(source, tables);
  readMbr(source, tables, gpt);
  for (const range of tables.partitions) clip(range, source.size);
  tellLabels(source, tables);
  return tables;
}

/** Tables of other kinds, on the medium or in one of its partitions. */
function tellLabels(source: Source, tables: Tables): void {
  const head = source.read(0, Math.min(source.size, LABEL_BYTES));
  const label = labelIn(head, source.size / 512);
  if (label !== null) tables.problems.push(`it has ${label}`);
  else if (appleMap(source, tables, head))
    tables.problems.push("it has an Apple partition map, which the gate does not read");
  for (const range of tables.partitions) {
    const start = source.read(range.from, Math.min(range.bytes, LABEL_BYTES));
    const inside = labelIn(start, range.bytes / 512, range.type);
    if (inside !== null) tables.problems.push(`its partition ${range.number} has ${inside}`);
  }
}

function clip(range: Range, size: number): void {
  if (range.from >= size) {
    range.problem = "it lies past the end of the medium";
    range.from = size;
    range.bytes = 0;
  } else if (range.from + range.bytes > size) {
    range.problem = `it runs ${range.from + range.bytes - size} bytes past the end of the medium`;
    range.bytes = size - range.from;
  }
}

/** What neither tables nor partitions hold, in order. */
export function outside(
  size: number,
  taken: readonly { from: number; bytes: number }[],
): { from: number; bytes: number }[] {
  const gaps: { from: number; bytes: number }[] = [];
  let at = 0;
  for (const range of [...taken].sort((a, b) => a.from - b.from)) {
    if (range.from > at) gaps.push({ from: at, bytes: Math.min(range.from, size) - at });
    at = Math.max(at, range.from + range.bytes);
  }
  if (at < size) gaps.push({ from: at, bytes: size - at });
  return gaps;
}
