/** Observations in order → parcels of a bounded size. */
import type { Observation } from "@sallyport/shared/record/record.ts";
import { type Outlet, PARCEL_OBSERVATIONS_MAX } from "./source.ts";

/** For what cannot be read again: made as they are taken, so that no more than a parcel of them is ever held.
 *  Resolves when the last is synced, with how many limits held back. @throws what `emit` throws */
export async function emitAll(outlet: Outlet, observations: Iterable<Observation>): Promise<number> {
  let parcel: Observation[] = [];
  let suppressed = 0;
  for (const observation of observations) {
    parcel.push(observation);
    if (parcel.length < PARCEL_OBSERVATIONS_MAX) continue;
    suppressed += (await outlet.emit({ observations: parcel })).suppressed;
    parcel = [];
  }
  if (parcel.length > 0) suppressed += (await outlet.emit({ observations: parcel })).suppressed;
  return suppressed;
}
