/** What got no index → the records that tell it, once they can be written: guests' lines by guest and channel; the rest, and
 *  all that a disk refused, in one gap for each reason. */
import type { GuestLog } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { unindexed } from "./gap.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { type Held, Suppressed } from "./suppressed.ts";

export class Untold {
  readonly #now: () => number;
  readonly #lines = new Suppressed();
  readonly #lost = new Map<"spool-full" | "disk-refused", { records: number; bytes: number }>();

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
  lost(observation: Observation, reason: "spool-full" | "disk-refused", bytes: number): void {
    this.heldBack(observation, "spool-full");
    if (reason === "spool-full" && observation.kind === "guest.log") return;
    const before = this.#lost.get(reason) ?? { records: 0, bytes: 0 };
    this.#lost.set(reason, { records: before.records + 1, bytes: before.bytes + bytes });
  }

  get isEmpty(): boolean {
    return this.#lines.isEmpty && this.#lost.size === 0;
  }

  /** What is untold would have stood before `at`; it counts as told from here on. */
  drain(at: number): Prepared[] {
    const gaps = [...this.#lost].map(([reason, { records, bytes }]) =>
      unindexed(this.#now(), at, records, bytes, reason),
    );
    this.#lost.clear();
    return [...this.#lines.drain().map(prepare), ...gaps];
  }
}
