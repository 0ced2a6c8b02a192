/** Lines that a page has and lines that come → newest first, each once, a bounded number. Pure. */

export const LINES_MAX = 500;

type Line = { trail: number; index: number; received: string };

const newer = (a: Line, b: Line): number =>
  a.received !== b.received ? (a.received < b.received ? 1 : -1) : b.trail - a.trail || b.index - a.index;

export function mergeLines<L extends Line>(kept: readonly L[], come: readonly L[]): L[] {
  const seen = new Map<string, L>();
  for (const line of [...kept, ...come]) seen.set(`${line.trail}.${line.index}`, line);
  return [...seen.values()].sort(newer).slice(0, LINES_MAX);
}
