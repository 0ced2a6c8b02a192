/** Recorded alerts → whether an `ids` section would still raise them. Suppressions mean the same in the detector;
 *  thresholds are the detector's own code, of which this is a model (Suricata 7 user guide, "Global-Thresholds"). Pure. */
import type { IdsSection } from "../policy/ids.ts";
import { holds, type Range, rangeOf } from "../policy/network/address.ts";
import { type AlertInput, MINUTE_MS, type Seen } from "./input.ts";
import { isAddress } from "./network.ts";
import type { Told } from "./turned.ts";

/** Rules of the detector; what it says of packets it could not decode has other numbers. */
const RULES = 1;
/** Addresses of which a window is remembered. */
const WINDOWS_MAX = 100_000;
/** Alerts of one bucket that wait to be put in order of time; more are not known. */
const ALERTS_MAX = 200_000;

export type Suppression = "raised" | "suppressed";

/** A section in audit mode suppresses nothing by itself. */
export function suppressor({ mode, suppress }: IdsSection): (alert: AlertInput) => Suppression {
  const bySignature = new Map<number, (Range | "any")[]>();
  for (const { signatureId, address } of mode === "audit" ? [] : suppress) {
    const list = bySignature.get(signatureId) ?? [];
    list.push(address === undefined ? "any" : rangeOf(address));
    bySignature.set(signatureId, list);
  }
  return ({ generator, signatureId, source, destination }) => {
    const list = generator === RULES ? bySignature.get(signatureId) : undefined;
    if (!list) return "raised";
    const ends = [source, destination].filter(isAddress).map(rangeOf);
    const hit = list.some((range) => range === "any" || ends.some((end) => holds([range], end)));
    return hit ? "suppressed" : "raised";
  };
}

type Threshold = NonNullable<IdsSection["thresholds"]>[number];
type Window = { fromMs: number; count: number };

/** How often one signature may alert, in order of time. */
export class Thresholds {
  readonly #bySignature: Map<number, Threshold>;
  readonly #windows = new Map<string, Window>();

  constructor({ mode, thresholds = [] }: IdsSection) {
    this.#bySignature = new Map(mode === "audit" ? [] : thresholds.map((each) => [each.signatureId, each]));
  }

  has({ generator, signatureId }: AlertInput): boolean {
    return generator === RULES && this.#bySignature.has(signatureId);
  }

  /** @throws where there is no threshold of its signature */
  take(about: string, alert: AlertInput, atMs: number): Suppression {
    const { kind, by, count, seconds } = this.#bySignature.get(alert.signatureId)!;
    const address = (by === "source" ? alert.source : alert.destination) ?? "";
    const key = `${about} ${alert.signatureId} ${address}`;
    let window = this.#windows.get(key);
    if (!window || atMs - window.fromMs >= seconds * 1000) {
      if (!window && this.#windows.size >= WINDOWS_MAX) this.#windows.delete(this.#windows.keys().next().value!);
      window = { fromMs: atMs, count: 0 };
      this.#windows.set(key, window);
    }
    window.count++;
    const raised =
      kind === "limit" ? window.count <= count : kind === "both" ? window.count === count : window.count % count === 0;
    return raised ? "raised" : "suppressed";
  }
}

type Alerted = { atMs: number; row: Seen; input: AlertInput };

/** Alerts under two sections. Where a threshold asks for their signature they wait until their bucket is over: which of
 *  them are raised hangs on their order. */
export class AlertFlips {
  readonly #told: Told;
  readonly #suppressors;
  readonly #thresholds;
  #waiting: Alerted[] = [];

  constructor(before: IdsSection, after: IdsSection, told: Told) {
    this.#told = told;
    this.#suppressors = { before: suppressor(before), after: suppressor(after) };
    this.#thresholds = { before: new Thresholds(before), after: new Thresholds(after) };
  }

  add(row: Seen, input: AlertInput): void {
    if (!this.#thresholds.before.has(input) && !this.#thresholds.after.has(input)) {
      this.#raised(row, input, row.count, "suppress", (which) => this.#suppressors[which](input));
      return;
    }
    if (this.#waiting.length + row.count > ALERTS_MAX) {
      this.#told.unknown("more alerts in one hour than can be put in order", row.count);
      return;
    }
    const startMs = row.bucket * MINUTE_MS;
    const each = row.count > 1 ? (row.lastMs - row.firstMs) / (row.count - 1) : 0;
    for (let at = 0; at < row.count; at++) this.#waiting.push({ atMs: startMs + row.firstMs + at * each, row, input });
  }

  /** The bucket is over. */
  flush(): void {
    this.#waiting.sort((a, b) => a.atMs - b.atMs);
    for (const { atMs, row, input } of this.#waiting)
      this.#raised(row, input, 1, "threshold", (which) => {
        if (this.#suppressors[which](input) === "suppressed") return "suppressed";
        const thresholds = this.#thresholds[which];
        return thresholds.has(input) ? thresholds.take(String(row.trail), input, atMs) : "raised";
      });
    this.#waiting = [];
  }

  #raised(
    row: Seen,
    input: AlertInput,
    count: number,
    rule: string,
    ask: (which: "before" | "after") => Suppression,
  ): void {
    const [before, after] = [ask("before"), ask("after")];
    if (before === "suppressed") this.#told.otherwiseThen(count);
    if (before === after) return;
    const flip = after === "suppressed" ? "new-suppressed" : "new-alerts";
    this.#told.turned({ flip, row, input, count, rule: `${rule} ${input.signatureId}`, before, after });
  }
}
