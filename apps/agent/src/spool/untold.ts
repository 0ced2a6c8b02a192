/** What got no index → the records that tell it, once they can be written: guests' lines by guest and channel; the rest, and
 *  all that a disk refused, in one gap for each reason. */
import type { GuestLog } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { z } from "zod";
import { unindexed } from "./gap.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { Count, type Held, Suppressed, suppressed } from "./suppressed.ts";

const Lost = z.object({ reason: z.enum(["spool-full", "disk-refused"]), records: z.int(), bytes: z.int() });
/** As it is kept on disk. */
export const Counts = z.object({ lines: z.array(Count), lost: z.array(Lost) });
export type Counts = z.infer<typeof Counts>;
type Lost = z.infer<typeof Lost>;

export class Untold {
  readonly #now: () => number;
  #lines = new Suppressed();
  #lost = new Map<Lost["reason"], Lost>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** One that was not even read. */
  line(held: Held): void {
    this.#lines.count(held, this.#now());
  }

  /** Nothing but guests' lines is held back. */
  heldBack(observation: Observation, reason: Held["reason"]): void {
    if (observation.kind !== "guest.log") return;
    const { via, from, message } = observation.body as GuestLog;
    this.line({ guest: observation.guest, via, from, reason, bytes: message.length });
  }

  /** `bytes` of its content. */
  lost(observation: Observation, reason: Lost["reason"], bytes: number): void {
    this.heldBack(observation, "spool-full");
    if (reason === "spool-full" && observation.kind === "guest.log") return;
    this.#lose({ reason, records: 1, bytes });
  }

  add({ lines, lost }: Counts): void {
    for (const count of lines) this.#lines.add(count);
    for (const each of lost) this.#lose(each);
  }

  get isEmpty(): boolean {
    return this.#lines.isEmpty && this.#lost.size === 0;
  }

  counts(): Counts {
    return { lines: this.#lines.all(), lost: [...this.#lost.values()] };
  }

  /** The counts start again. */
  take(): Counts {
    const counts = this.counts();
    this.#lines = new Suppressed();
    this.#lost = new Map();
    return counts;
  }

  #lose({ reason, records, bytes }: Lost): void {
    const before = this.#lost.get(reason) ?? { records: 0, bytes: 0 };
    this.#lost.set(reason, { reason, records: before.records + records, bytes: before.bytes + bytes });
  }
}

/** What is untold would have stood before `at`. */
export const telling = ({ lines, lost }: Counts, at: number, now: number): Prepared[] => [
  ...lines.map((count) => prepare(suppressed(count))),
  ...lost.map(({ reason, records, bytes }) => unindexed(now, at, records, bytes, reason)),
];
