/** Long work over a stick's many files → in pieces: between two of them the loop goes round, so that whatever else the agent
 *  does is heard. Work is a generator that stops wherever it may be left for a while. */

export type Work<T> = Generator<undefined, T>;

/** Nobody waits longer than this for one stick's files, but for the last thing that was begun. */
const PIECE_MS = 15;
/** What is looked at between two stops is a few microseconds' work each. */
export const AT_ONCE = 256;

export async function inTurns<T>(work: Work<T>): Promise<T> {
  for (let from = performance.now(); ; ) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() - from < PIECE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    from = performance.now();
  }
}

/** For the few, or where nobody waits. */
export function atOnce<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

export function* each<T, U>(items: readonly T[], of: (item: T) => U): Work<U[]> {
  const made: U[] = [];
  for (const [at, item] of items.entries()) {
    made.push(of(item));
    if (at % AT_ONCE === AT_ONCE - 1) yield;
  }
  return made;
}

/** Stable, as the engine's own: runs by that, which are merged two by two. */
export function* sorted<T>(items: readonly T[], compare: (a: T, b: T) => number): Work<T[]> {
  let runs: T[][] = [];
  for (let from = 0; from < items.length; from += AT_ONCE) {
    runs.push(items.slice(from, from + AT_ONCE).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const longer: T[][] = [];
    for (let at = 0; at < runs.length; at += 2) longer.push(yield* merged(runs[at]!, runs[at + 1] ?? [], compare));
    runs = longer;
  }
  return runs[0] ?? [];
}

function* merged<T>(one: readonly T[], two: readonly T[], compare: (a: T, b: T) => number): Work<T[]> {
  const all: T[] = [];
  for (let [a, b] = [0, 0]; a < one.length || b < two.length; ) {
    const isFirst = b === two.length || (a < one.length && compare(one[a]!, two[b]!) <= 0);
    all.push(isFirst ? one[a++]! : two[b++]!);
    if (all.length % AT_ONCE === 0) yield;
  }
  return all;
}
