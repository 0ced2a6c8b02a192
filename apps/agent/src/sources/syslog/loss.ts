/** What was lost before a line could be read, per sender → `guest.suppressed`. Never silent, and bounded itself. */
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { Time } from "@sallyport/shared/base/ids.ts";
import type { GuestSuppressed, GuestVia } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { cut, oneLine } from "../bytes.ts";

/** Beyond it all others are counted as one. */
const SENDERS_MAX = 256;

type Loss = { guest: GuestId | undefined; from: string; lines: number; bytes: number; since: number };

export type LossCounter = {
  /** One message that was refused for lack of room. */
  add(guest: GuestId, from: string, bytes: number): void;
  /** The kernel's own count since its buffer was opened: `at` names the buffer, `guest` whose it is. */
  kernel(dropped: number, at: string, guest: GuestId | undefined): void;
  /** One observation per sender that lost something since the last call. */
  take(): Observation<"guest.suppressed">[];
};

type Reason = GuestSuppressed["reason"];

export function lossCounter(via: GuestVia, now: () => number, reason: Reason = "rate"): LossCounter {
  const losses = new Map<string, Loss>();
  const seenOfKernel = new Map<string, number>();
  const add = (guest: GuestId | undefined, from: string, lines: number, bytes: number) => {
    const full = losses.size >= SENDERS_MAX && !losses.has(from);
    const key = full ? "others" : from;
    const loss = losses.get(key) ?? { guest: full ? undefined : guest, from: key, lines: 0, bytes: 0, since: now() };
    losses.set(key, { ...loss, lines: loss.lines + lines, bytes: loss.bytes + bytes });
  };
  return {
    add: (guest, from, bytes) => add(guest, from, 1, bytes),
    kernel(dropped, at, guest) {
      const more = dropped - (seenOfKernel.get(at) ?? 0);
      if (more <= 0) return;
      add(guest, `the kernel's buffer ${at}`, more, 0);
      seenOfKernel.set(at, dropped);
    },
    take() {
      const until = now();
      const found = [...losses.values()].map((loss) => suppressed({ via, ...loss, until, reason }));
      losses.clear();
      return found;
    },
  };
}

type Suppressed = Loss & { via: GuestVia; until: number; reason: Reason };

function suppressed(loss: Suppressed): Observation<"guest.suppressed"> {
  const { guest, until, since, ...body } = loss;
  const time = (ms: number) => Time.parse(new Date(ms).toISOString());
  const why: Record<Reason, string> = {
    rate: "faster than they could be taken",
    "spool-full": "no room",
    "too-many-senders": "too many senders",
    severity: "below the least severity that is kept",
  };
  return {
    kind: "guest.suppressed",
    severity: "warning",
    time: until,
    ...(guest && { guest }),
    text: oneLine(
      `${loss.lines} ${loss.reason === "too-many-senders" ? "connections" : "lines"} from ${loss.from} were lost: ${why[loss.reason]}`,
    ),
    body: { ...body, from: cut(loss.from, 256), since: time(Math.min(since, until)), until: time(until) },
  };
}
