/** Ranges of indices, `from` (inclusive) to `to` (exclusive). Pure. */
export type Range = readonly [from: number, to: number];

/** In order, none touching another: whatever order, overlap or nonsense the ranges came in. */
export function merged(ranges: readonly Range[]): Range[] {
  const sorted = ranges.filter(([from, to]) => from < to).sort((a, b) => a[0] - b[0]);
  const all: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = all.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else all.push([from, to]);
  }
  return all;
}

/** How many indices are in both. Each range of either is looked at once: an export says how many of them there are, so
 *  they are never multiplied. `looked` is called for each look. */
export function countInBoth(one: readonly Range[], other: readonly Range[], looked: () => void = () => {}): number {
  const [a, b] = [merged(one), merged(other)];
  let count = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    looked();
    const [first, second] = [a[i]!, b[j]!];
    count += Math.max(0, Math.min(first[1], second[1]) - Math.max(first[0], second[0]));
    if (first[1] <= second[1]) i++;
    else j++;
  }
  return count;
}
