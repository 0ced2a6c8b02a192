/** What dom0 knows of names. Asked anew at most once a minute. A name that answers with some of many addresses has all
 *  that were seen within the hour; while no answer comes the last ones stay, since a name that cannot be asked for a
 *  while must not loosen a block nor cut an allowance. Where the answer is that it has none, they stay to be blocked, and
 *  are allowed for that hour. */
import type { ResolveName } from "../dom0/names.ts";

const ASK_AGAIN_MS = 60_000;
/** A look goes on without those that have no answer by then: it is there for the next. */
const WAIT_MS_MAX = 6_000;
/** Each of them has a socket. Those that had no answer the last time come last, so that servers that are silent hold up
 *  their own names alone. */
const IN_FLIGHT_MAX = 128;
const SEEN_MS = 3_600_000;
/** Of one name, and of all that rules speak of together: what the kernel loads and lists in seconds. An answer of DNS holds
 *  some 2,000 to 4,000 at most. */
export const ADDRESSES_MAX = 2_048;
export const ADDRESSES_OF_ALL_MAX = 65_536;

/** `addresses`: the ones seen last; `of`: how many there are, where that is more; `isGone`: it has had none for an hour. */
export type KnownName = { addresses: string[]; of?: number; isGone?: true; failed?: string };
type Asked = { seen: Map<string, number>; isGone: boolean; failed: string | undefined; askedAt: number };

const neverSeen = () => ({ seen: new Map<string, number>(), isGone: false });

export class Names {
  readonly #resolve: ResolveName;
  readonly #monotonic: () => number;
  readonly #waitMs: number;
  readonly #known = new Map<string, Asked>();
  /** Asked or to be asked, each once. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #queue: (() => void)[] = [];
  #inFlight = 0;
  #wanted: ReadonlySet<string> = new Set();
  #max = ADDRESSES_MAX;

  constructor(resolve: ResolveName, monotonic: () => number, waitMs = WAIT_MS_MAX) {
    this.#resolve = resolve;
    this.#monotonic = monotonic;
    this.#waitMs = waitMs;
  }

  /** Asks what is due, of these names; forgets the others. `uses`: how many rules speak of them. */
  async ask(names: readonly string[], uses = names.length): Promise<void> {
    this.#max = Math.min(ADDRESSES_MAX, Math.max(64, Math.floor(ADDRESSES_OF_ALL_MAX / Math.max(1, uses))));
    this.#wanted = new Set(names);
    for (const name of this.#known.keys()) if (!this.#wanted.has(name)) this.#known.delete(name);
    const now = this.#monotonic();
    const isSilent = (name: string) => (this.#known.get(name)?.failed === undefined ? 0 : 1);
    const due = names.filter((name) => now - (this.#known.get(name)?.askedAt ?? -Infinity) >= ASK_AGAIN_MS);
    const asked = due.toSorted((a, b) => isSilent(a) - isSilent(b)).map((name) => this.#begin(name));
    if (asked.length === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#waitMs);
    });
    await Promise.race([Promise.all(asked), late]);
    clearTimeout(timer);
    for (const name of names)
      if (!this.#known.has(name))
        this.#known.set(name, { ...neverSeen(), failed: `${name}: no answer yet`, askedAt: -Infinity });
  }

  #begin(name: string): Promise<void> {
    const before = this.#underWay.get(name);
    if (before) return before;
    const task = this.#inTurn(() => this.#askOne(name)).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, task);
    return task;
  }

  async #inTurn(act: () => Promise<void>): Promise<void> {
    if (this.#inFlight >= IN_FLIGHT_MAX) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#inFlight += 1;
    try {
      await act();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#inFlight -= 1;
    }
  }

  async #askOne(name: string): Promise<void> {
    if (!this.#wanted.has(name)) return;
    const now = this.#monotonic();
    const answer = await this.#resolve(name);
    if (!this.#wanted.has(name)) return;
    const before = this.#known.get(name) ?? neverSeen();
    if (!answer.ok) {
      this.#known.set(name, { ...before, failed: answer.error.slice(0, 200), askedAt: now });
      return;
    }
    const { seen } = before;
    for (const address of answer.value) seen.set(address, now);
    const old = [...seen].flatMap(([address, at]) => (now - at > SEEN_MS ? [address] : []));
    const isGone = old.length === seen.size;
    if (!isGone) for (const address of old) seen.delete(address);
    const failed = answer.value.length > 0 ? undefined : `${name} has no address`;
    this.#known.set(name, { seen, isGone, failed, askedAt: now });
  }

  get known(): Record<string, KnownName> {
    return Object.fromEntries(
      [...this.#known].map(([name, { seen, isGone, failed }]) => {
        const all = [...seen]
          .sort(([a, then], [b, last]) => last - then || (a < b ? -1 : 1))
          .map(([address]) => address);
        const of = all.length > this.#max && { of: all.length };
        const gone = isGone && { isGone };
        return [
          name,
          { addresses: all.slice(0, this.#max).sort(), ...of, ...gone, ...(failed !== undefined && { failed }) },
        ];
      }),
    );
  }
}
