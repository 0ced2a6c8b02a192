/** What the firewall dropped, by guest and reason: the kernel's counts of the table in force and those of the tables before
 *  it, and in a record what of it was not logged. */
import type { GuestId, Time } from "@sallyport/shared/base/ids.ts";
import { NFLOG_GROUP } from "@sallyport/shared/policy/network/drops.ts";
import { devicesOf, type Vif } from "@sallyport/shared/policy/network/firewall.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { z } from "zod";
import type { Pair, ReadTable } from "./network-table.ts";

const Count = z.object({ packets: z.number(), bytes: z.number() });
/** By guest (or `unknown`), then by the label that a drop's record has as `rule`. */
const Drops = z.record(z.string(), z.record(z.string(), Count));
export type Drops = z.infer<typeof Drops>;

export const UNKNOWN_GUEST = "unknown";
/** Rows of the report: those with the most packets. */
const SHOWN_MAX = 64;
const MARK = "  # dropped before: ";

export type DropCounter = ReturnType<typeof dropCounter>;

export function dropCounter(
  vifs: readonly Vif[],
  { now, tell }: { now: () => number; tell: (observation: Observation) => void },
) {
  const guests = new Map(vifs.flatMap((vif) => devicesOf(vif).map((device) => [device, vif.guest] as const)));
  const guestOf = ({ in: from, out: to }: Pair): string => guests.get(from) ?? guests.get(to) ?? UNKNOWN_GUEST;
  let before: Drops | undefined;
  let current: Drops = {};
  /** Of the table in force, what was dropped and is no record, as last told. */
  let told: Drops = {};
  /** Of it, what was logged to nobody, and what was logged in all as last seen. */
  let unheard: Drops = {};
  let logged: Drops | undefined;
  let since = now();

  function tellUnlogged(untold: Drops): void {
    const until = now();
    for (const [guest, reasons] of Object.entries(untold)) {
      const held = Object.entries(reasons).map(([label, { packets, bytes }]) => {
        const last = told[guest]?.[label] ?? { packets: 0, bytes: 0 };
        return { packets: packets - last.packets, bytes: bytes - last.bytes };
      });
      const lines = held.reduce((sum, { packets }) => sum + Math.max(0, packets), 0);
      if (lines === 0) continue;
      const bytes = held.reduce((sum, each) => sum + Math.max(0, each.bytes), 0);
      const iso = (time: number) => new Date(time).toISOString() as Time;
      tell({
        kind: "guest.suppressed",
        severity: "warning",
        time: until,
        ...(guest !== UNKNOWN_GUEST && { guest: guest as GuestId }),
        text: `${lines} drops of ${guest === UNKNOWN_GUEST ? "an unknown vif" : guest} were counted and are no records`,
        body: {
          via: "firewall",
          from: `nflog group ${NFLOG_GROUP}`,
          lines,
          bytes,
          since: iso(since),
          until: iso(until),
          reason: "rate",
        },
      });
    }
    told = untold;
    since = until;
  }

  return {
    get hasBegun(): boolean {
      return before !== undefined;
    },
    /** `kept`: the text of the ruleset on disk, for what an agent before this one counted. `isHeard`: whether somebody reads
     *  the log; what was logged since the look before is else no record. */
    look(table: ReadTable, kept: string | undefined, isHeard = true): void {
      before ??= carriedIn(kept);
      const label = (counter: string) => table.labels[counter] ?? counter;
      current = byGuest(table.dropped, guestOf, label);
      const seen = byGuest(table.logged, guestOf, label);
      if (!isHeard) unheard = plus(unheard, minus(seen, logged ?? seen));
      logged = seen;
      tellUnlogged(plus(minus(current, seen), unheard));
    },
    /** The text of the next ruleset, which begins at 0, with all that was counted so far. */
    carry(text: string): string {
      before = plus(before ?? {}, current);
      current = {};
      [told, unheard, logged] = [{}, {}, {}];
      const carried = Buffer.from(JSON.stringify(before)).toString("base64");
      return text.replace(/^table .* \{$/m, (line) => `${line}\n${MARK}${carried}`);
    },
    /** Packets, by guest and reason. */
    shown(): Record<string, Record<string, number>> {
      const rows = Object.entries(plus(before ?? {}, current)).flatMap(([guest, reasons]) =>
        Object.entries(reasons).map(([label, { packets }]) => ({ guest, label, packets })),
      );
      const shown: Record<string, Record<string, number>> = {};
      for (const { guest, label, packets } of rows.sort((a, b) => b.packets - a.packets).slice(0, SHOWN_MAX)) {
        shown[guest] ??= {};
        shown[guest][label] = packets;
      }
      return shown;
    },
  };
}

function byGuest(
  pairs: ReadTable["dropped"],
  guestOf: (pair: Pair) => string,
  label: (counter: string) => string,
): Drops {
  return Object.entries(pairs).reduce<Drops>(
    (all, [counter, each]) =>
      each.reduce((sum, { packets, bytes, ...pair }) => {
        return plus(sum, { [guestOf(pair)]: { [label(counter)]: { packets, bytes } } });
      }, all),
    {},
  );
}

const plus = (a: Drops, b: Drops): Drops => merged(a, b, 1);
const minus = (a: Drops, b: Drops): Drops => merged(a, b, -1);

function merged(a: Drops, b: Drops, sign: 1 | -1): Drops {
  const all = structuredClone(a);
  for (const [guest, reasons] of Object.entries(b)) {
    all[guest] ??= {};
    for (const [label, { packets, bytes }] of Object.entries(reasons)) {
      const was = all[guest][label] ?? { packets: 0, bytes: 0 };
      all[guest][label] = { packets: was.packets + sign * packets, bytes: was.bytes + sign * bytes };
    }
  }
  return all;
}

/** What is not ours to read counts for nothing. */
function carriedIn(text: string | undefined): Drops {
  const line = text?.split("\n").find((each) => each.startsWith(MARK));
  if (!line) return {};
  try {
    return Drops.parse(JSON.parse(Buffer.from(line.slice(MARK.length), "base64").toString("utf8")));
  } catch {
    return {};
  }
}
