/** What dom0 knows of names. Asked anew at most once a minute. A name that answers with some of many addresses has all
 *  that were seen within the hour; while no answer comes the last ones stay, since a name that cannot be asked for a
 *  while must not loosen a block nor cut an allowance. */
import type { ResolveName } from "../dom0/names.ts";

const ASK_AGAIN_MS = 60_000;
const SEEN_MS = 3_600_000;
/** Round-robin names may have more; a rule speaks of those it was answered. */
const ADDRESSES_MAX = 64;

export type KnownName = { addresses: string[]; failed?: string };

export class Names {
  readonly #resolve: ResolveName;
  readonly #monotonic: () => number;
  readonly #known = new Map<string, { seen: Map<string, number>; failed: string | undefined; askedAt: number }>();

  constructor(resolve: ResolveName, monotonic: () => number) {
    this.#resolve = resolve;
    this.#monotonic = monotonic;
  }

  /** Asks what is due, of these names; forgets the others. */
  async ask(names: readonly string[]): Promise<void> {
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
      [...this.#known].map(([name, { seen, failed }]) => [
        name,
        { addresses: [...seen.keys()].sort().slice(0, ADDRESSES_MAX), ...(failed !== undefined && { failed }) },
      ]),
    );
  }
}
