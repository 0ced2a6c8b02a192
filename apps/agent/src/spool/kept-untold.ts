/** What is untold ↔ the spool, so that a kill does not lose the count. What a source reads again after a kill is counted in
 *  the transaction that moves its position, exactly once; of the rest the last moment may be missing. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { Spool } from "./spool.ts";
import { Counts, Untold } from "./untold.ts";

const KEY = "untold";

export class KeptUntold {
  readonly #spool: Pick<Spool, "remember" | "remembered">;
  readonly #now: () => number;
  /** May be told. */
  readonly #settled: Untold;
  /** By position: lines that are read again unless it moves. */
  readonly #ahead = new Map<string, Untold>();
  /** Made into records that have no index yet. */
  readonly #leaving = new Set<Counts>();
  /** What the disk has. */
  #stored: string;

  constructor(spool: Pick<Spool, "remember" | "remembered">, now: () => number) {
    this.#spool = spool;
    this.#now = now;
    this.#settled = new Untold(now);
    const kept = Counts.safeParse(spool.remembered(KEY));
    if (kept.success) this.#settled.add(kept.data);
    this.#stored = JSON.stringify(this.#settled.counts());
  }

  get isEmpty(): boolean {
    return this.#settled.isEmpty;
  }

  /** Where lines are counted that stand before `position`, if they stand before one. */
  before(position: string | undefined): Untold {
    if (position === undefined) return this.#settled;
    const known = this.#ahead.get(position) ?? new Untold(this.#now);
    this.#ahead.set(position, known);
    return known;
  }

  /** What goes with the parcel that moves `position`. */
  upTo(position: string): Counts | undefined {
    const counts = this.#ahead.get(position)?.counts();
    this.#ahead.delete(position);
    return counts;
  }

  /** What is about to be told; it is kept until `committed` has it. */
  leave(): Counts {
    const counts = this.#settled.take();
    this.#leaving.add(counts);
    return counts;
  }

  /** What a transaction keeps that moves positions behind `settled` and gives the records of `told` their index. */
  after(settled: readonly Counts[], told: readonly Counts[]): Record<string, Json> {
    return settled.length + told.length === 0 ? {} : { [KEY]: this.#all(settled, told) as Json };
  }

  committed(settled: readonly Counts[], told: readonly Counts[]): void {
    for (const counts of settled) this.#settled.add(counts);
    for (const counts of told) this.#leaving.delete(counts);
    if (settled.length + told.length > 0) this.#stored = JSON.stringify(this.#all());
  }

  /** @throws where the disk refuses */
  save(): void {
    const all = this.#all();
    const text = JSON.stringify(all);
    if (text === this.#stored) return;
    this.#spool.remember(KEY, all as Json);
    this.#stored = text;
  }

  #all(more: readonly Counts[] = [], less: readonly Counts[] = []): Counts {
    const all = new Untold(this.#now);
    for (const counts of [this.#settled.counts(), ...this.#leaving, ...more])
      if (!less.includes(counts)) all.add(counts);
    return all.counts();
  }
}
