/** What dom0 knows of names. Asked anew at most once a minute. A name that answers with some of many addresses has all
 *  that were seen within the hour; while no answer comes the last ones stay, since a name that cannot be asked for a
 *  while must not loosen a block nor cut an allowance. */
import type { ResolveName } from "../dom0/names.ts";

const ASK_AGAIN_MS = 60_000;
const SEEN_MS = 3_600_000;
/** Of one name, and of all that rules speak of together: what the kernel loads and lists in seconds. An answer of DNS holds
 *  some 2,000 to 4,000 at most. */
export const ADDRESSES_MAX = 2_048;
export const ADDRESSES_OF_ALL_MAX = 65_536;

/** `addresses`: the ones seen last; `of`: how many there are, where that is more. */
export type KnownName = { addresses: string[]; of?: number; failed?: string };

export class Names {
  readonly #resolve: ResolveName;
  readonly #monotonic: () => number;
  readonly #known = new Map<string, { seen: Map<string, number>; failed: string | undefined; askedAt: number }>();

  #max = ADDRESSES_MAX;

  constructor(resolve: ResolveName, monotonic: () => number) {
    this.#resolve = resolve;
    this.#monotonic = monotonic;
  }

  /** Asks what is due, of these names; forgets the others. `uses`: how many rules speak of them. */
  async ask(names: readonly string[], uses = names.length): Promise<void> {
    this.#max = Math.min(ADDRESSES_MAX, Math.max(64, Math.floor(ADDRESSES_OF_ALL_MAX / Math.max(1, uses))));
    for (const name of this.#known.keys()) if (!names.includes(name)) this.#known.delete(name);
    const now = this.#monotonic();
    const due = names.filter((name) => now - (this.#known.get(name)?.askedAt ?? -Infinity) >= ASK_AGAIN_MS);
    await Promise.all(due.map((name) => this.#askOne(name, now)));
  }

  async #askOne(name: string, now: number): Promise<void> {
    const answer = await this.#resolve(name);
    const seen = this.#known.get(name)?.seen ?? new Map<string, number>();
    if (answer.ok) {
      for (const address of answer.value) seen.set(address, now);
      for (const [address, at] of seen) if (now - at > SEEN_MS) seen.delete(address);
    }
    this.#known.set(name, { seen, failed: answer.ok ? undefined : answer.error.slice(0, 200), askedAt: now });
  }

  get known(): Record<string, KnownName> {
    return Object.fromEntries(
      [...this.#known].map(([name, { seen, failed }]) => {
        const all = [...seen]
          .sort(([a, then], [b, last]) => last - then || (a < b ? -1 : 1))
          .map(([address]) => address);
        const of = all.length > this.#max && { of: all.length };
        return [name, { addresses: all.slice(0, this.#max).sort(), ...of, ...(failed !== undefined && { failed }) }];
      }),
    );
  }
}
