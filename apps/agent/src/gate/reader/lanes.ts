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

/** Works through `items` with at most `width` under way, never reading further ahead than that. */
export async function each<T>(items: Iterable<T>, width: number, work: (item: T) => Promise<void>): Promise<void> {
  const underWay = new Set<Promise<void>>();
  try {
    for (const item of items) {
      const task: Promise<void> = work(item).finally(() => underWay.delete(task));
      underWay.add(task);
      task.catch(() => {}); // thrown on below
      if (underWay.size >= width) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  } finally {
    await Promise.allSettled(underWay);
  }
}
