/** Counts what limits held back before it got an index, per guest and channel, until a record tells it. */
import type { GuestId, Time } from "@sallyport/shared/base/ids.ts";
import type { GuestSuppressed, SuppressedVia } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { BUCKETS_MAX } from "../limits.ts";

export type Held = {
  guest: GuestId | undefined;
  via: SuppressedVia;
  from: string;
  reason: GuestSuppressed["reason"];
  bytes: number;
};
type Count = Held & { lines: number; since: number; until: number };

export class Suppressed {
  readonly #counts = new Map<string, Count>();

  count(held: Held, now: number): void {
    const key = `${held.guest ?? ""}/${held.via}/${held.reason}`;
    const known = this.#counts.get(key);
    if (known) {
      known.lines++;
      known.bytes += held.bytes;
      known.until = now;
    } else if (this.#counts.size < BUCKETS_MAX) {
      this.#counts.set(key, { ...held, lines: 1, since: now, until: now });
    }
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /** What was counted, as records; the counts start again. */
  drain(): Observation<"guest.suppressed">[] {
    const records = [...this.#counts.values()].map((count): Observation<"guest.suppressed"> => {
      const { guest, via, from, lines, bytes, reason } = count;
      const iso = (time: number) => new Date(time).toISOString() as Time;
      return {
        kind: "guest.suppressed",
        severity: "warning",
        time: count.until,
        ...(guest ? { guest } : {}),
        text: `${lines} lines of ${guest ?? "an unknown guest"} by ${via} were held back (${reason})`,
        body: { via, from, lines, bytes, since: iso(count.since), until: iso(count.until), reason },
      };
    });
    this.#counts.clear();
    return records;
  }
}
