/** What was found in force → link. Signed by the trail's key, retained, on a change and on the timer. */
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import { Reported } from "@sallyport/shared/state/reported.ts";
import { type Signed, type Signer, signValue } from "@sallyport/shared/trail/signed.ts";
import { sha256 } from "../dom0/crypto.ts";

/** What may differ without being a change: it moves all the time, and goes along on the timer. */
const MOVING = ["at", "trail", "spool"] as const;

export function isChange(last: Reported | undefined, next: Reported): boolean {
  if (!last) return true;
  const still = (reported: Reported) =>
    canonicalText(Object.fromEntries(Object.entries(reported).filter(([key]) => !MOVING.includes(key as never))));
  return still(last) !== still(next);
}

/** @throws where what was gathered is no report: our own mistake */
export const signReport = (signer: Signer, reported: Reported): Signed =>
  signValue(sha256, signer, "sallyport/reported/1", Reported.parse(reported));
