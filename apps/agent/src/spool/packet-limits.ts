/** What a guest may cause by its packets: records of the detector and the firewall, limited before they get an index. One
 *  guest's flood takes nothing of another's, and a flood of one signature hides no other. */
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { type Bucket, fullBucket, take } from "@sallyport/shared/policy/bucket.ts";
import {
  ALERTS_BURST,
  ALERTS_PER_SECOND,
  SIGNATURE_BURST,
  SIGNATURE_PER_SECOND,
  SIGNATURES_OF_GUEST_MAX,
} from "../limits.ts";

/** Events of the detector and drops of the firewall pass as lines of a log do. */
type Rate = { perSecond: number; burst: number };

export class PacketLimits {
  readonly #monotonic: () => number;
  /** By guest and way; there are no more guests than the configuration names, and nobody's. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #signatures = new Map<GuestId | undefined, Map<number | "others", Bucket>>();

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  hasToken(line: { guest: GuestId | undefined; via: string; signature?: number }, rate: Rate): boolean {
    const { guest, via, signature } = line;
    if (signature === undefined) return this.#take(this.#buckets, `${guest ?? ""}/${via}`, rate).taken;
    const ofGuest = this.#signatures.get(guest) ?? new Map<number | "others", Bucket>();
    this.#signatures.set(guest, ofGuest);
    const key = ofGuest.has(signature) || ofGuest.size < SIGNATURES_OF_GUEST_MAX ? signature : "others";
    const own = this.#take(ofGuest, key, { perSecond: SIGNATURE_PER_SECOND, burst: SIGNATURE_BURST });
    if (!own.taken) return false;
    const all = this.#take(this.#buckets, `${guest ?? ""}/alerts`, {
      perSecond: ALERTS_PER_SECOND,
      burst: ALERTS_BURST,
    });
    // the first alert of a signature in a while is heard whatever else its guest does
    return all.taken || (own.wasFull && key !== "others");
  }

  #take<K>(buckets: Map<K, Bucket>, key: K, { perSecond, burst }: Rate): { taken: boolean; wasFull: boolean } {
    const now = this.#monotonic();
    const before = buckets.get(key) ?? fullBucket(burst, now);
    const wasFull = before.tokens + (Math.max(0, now - before.at) * perSecond) / 1_000 >= burst;
    const { bucket, taken } = take(before, perSecond, burst, now);
    buckets.set(key, bucket);
    return { taken, wasFull };
  }
}
