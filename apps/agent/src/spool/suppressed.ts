/** Counts what limits held back before it got an index, per guest and channel, until a record tells it. */
import { GuestId, type Time } from "@sallyport/shared/base/ids.ts";
import { GuestSuppressed, SuppressedVia } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { z } from "zod";
import { BUCKETS_MAX } from "../limits.ts";

export type Held = {
  guest: GuestId | undefined;
  via: SuppressedVia;
  from: string;
  reason: GuestSuppressed["reason"];
  bytes: number;
};

/** As it is kept on disk. `since` and `until` are milliseconds. */
export const Count = z.object({
  guest: GuestId.optional(),
  via: SuppressedVia,
  from: z.string(),
  reason: GuestSuppressed.shape.reason,
  lines: z.int(),
  bytes: z.int(),
  since: z.number(),
  until: z.number(),
});
export type Count = z.infer<typeof Count>;

const OTHERS = "more senders than are counted one by one";

const keyOf = ({ guest, via, reason }: Pick<Held, "via" | "reason"> & { guest?: GuestId | undefined }): string =>
  `${guest ?? ""}/${via}/${reason}`;

function grow(count: Count, lines: number, bytes: number, since: number, until: number): void {
  count.lines += lines;
  count.bytes += bytes;
  count.since = Math.min(count.since, since);
  count.until = Math.max(count.until, until);
}

export class Suppressed {
  readonly #counts = new Map<string, Count>();

  count(held: Held, now: number): void {
    const known = this.#counts.get(keyOf(held));
    if (known) grow(known, 1, held.bytes, now, now);
    else {
      const { guest, ...more } = held;
      this.add({ ...(guest && { guest }), ...more, lines: 1, since: now, until: now });
    }
  }

  add(count: Count): void {
    const key = keyOf(count);
    const known = this.#counts.get(key);
    if (known) grow(known, count.lines, count.bytes, count.since, count.until);
    else if (count.guest === undefined || this.#counts.size < BUCKETS_MAX) this.#counts.set(key, { ...count });
    else {
      // one for all of those that have no place: not one line goes uncounted
      const { guest: _guest, ...rest } = count;
      this.add({ ...rest, from: OTHERS });
    }
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  all(): Count[] {
    return [...this.#counts.values()].map((count) => ({ ...count }));
  }
}

export function suppressed({
  guest,
  via,
  from,
  lines,
  bytes,
  reason,
  ...count
}: Count): Observation<"guest.suppressed"> {
  const iso = (time: number) => new Date(time).toISOString() as Time;
  return {
    kind: "guest.suppressed",
    severity: "warning",
    time: count.until,
    ...(guest ? { guest } : {}),
    text: `${lines} lines of ${guest ?? "an unknown guest"} by ${via} were held back (${reason})`,
    body: { via, from, lines, bytes, since: iso(count.since), until: iso(count.until), reason },
  };
}
