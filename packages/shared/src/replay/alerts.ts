/** Recorded alerts → whether an `ids` section would still raise them. Suppressions mean the same in the detector;
 *  thresholds are the detector's own code, of which this is a model (Suricata 7 user guide, "Global-Thresholds"). Pure. */

import type { IdsSection } from "../policy/ids.ts";
import { holds, type Range, rangeOf } from "../policy/network/address.ts";
import type { AlertInput } from "./input.ts";
import { isAddress } from "./network.ts";

/** Rules of the detector; what it says of packets it could not decode has other numbers. */
const RULES = 1;
/** Addresses of which a window is remembered. */
const WINDOWS_MAX = 100_000;

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
