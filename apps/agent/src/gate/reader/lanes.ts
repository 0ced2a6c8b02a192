/** At most `width` at once; the rest wait in order. */
export type Lanes = <T>(work: () => Promise<T>) => Promise<T>;

export function lanes(width: number): Lanes {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= width) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

/** Works through `items` with at most `width` under way, never reading further ahead than that. What one of them throws
 *  ends it, whenever that was: nothing more is begun, and what is under way is waited for. */
export async function each<T>(items: Iterable<T>, width: number, work: (item: T) => Promise<void>): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const faults: unknown[] = [];
  try {
    for (const item of items) {
      // its end takes it out of the set, so that its fault is kept apart
      const task: Promise<void> = work(item)
        .catch((error: unknown) => void faults.push(error))
        .finally(() => underWay.delete(task));
      underWay.add(task);
      if (underWay.size >= width) await Promise.race(underWay);
      if (faults.length > 0) break;
    }
  } finally {
    await Promise.all(underWay);
  }
  if (faults.length > 0) throw faults[0];
}
