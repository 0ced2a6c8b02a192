/** Observations in order → parcels of a bounded size. */
import type { Observation } from "@sallyport/shared/record/record.ts";
import { type EmitAnswer, type Outlet, PARCEL_OBSERVATIONS_MAX } from "./source.ts";

/** For what cannot be read again. Resolves when the last is synced.
 *  @throws what `emit` throws */
export async function emitAll(outlet: Outlet, observations: readonly Observation[]): Promise<EmitAnswer> {
  const sum = { kept: 0, suppressed: 0, refused: 0 };
  for (let at = 0; at < observations.length; at += PARCEL_OBSERVATIONS_MAX) {
    const answer = await outlet.emit({ observations: observations.slice(at, at + PARCEL_OBSERVATIONS_MAX) });
    sum.kept += answer.kept;
    sum.suppressed += answer.suppressed;
    sum.refused += answer.refused;
  }
  return sum;
}
