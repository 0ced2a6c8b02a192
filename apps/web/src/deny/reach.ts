/** How far a denial has come: of the workstations it is for, how many are connected and have it. Counted from what they
 *  reported, never from what was sent. Pure. */
import type { DeniedKind } from "@sallyport/shared/policy/overlay.ts";

/** Workstations of one audience that report alike. `order` is null where they report no overlay of this audience;
 *  `isAware` says whether they report any overlays at all. */
export type Standing = {
  online: boolean;
  isAware: boolean;
  order: number | null;
  usb: string | null;
  network: string | null;
  count: number;
};

export type Reach = {
  workstations: number;
  connected: number;
  /** Connected, and what makes it true was found in force. */
  have: number;
  /** Connected, and they believe it and cannot make it true. */
  cannot: number;
  /** Connected, and their agent is of a version without overlays. */
  unaware: number;
  /** Not connected; `offlineHave` of them had it when they left. */
  offline: number;
  offlineHave: number;
};

/** `order` is the one that brought the entry. */
export function reachOf(standings: readonly Standing[], order: number, kind: DeniedKind): Reach {
  const reach: Reach = { workstations: 0, connected: 0, have: 0, cannot: 0, unaware: 0, offline: 0, offlineHave: 0 };
  for (const each of standings) {
    const has = each.order !== null && each.order >= order;
    const isTrue = has && (kind === "address" ? each.network : each.usb) === "applied";
    reach.workstations += each.count;
    if (!each.online) {
      reach.offline += each.count;
      if (isTrue) reach.offlineHave += each.count;
      continue;
    }
    reach.connected += each.count;
    if (isTrue) reach.have += each.count;
    else if (has) reach.cannot += each.count;
    else if (!each.isAware) reach.unaware += each.count;
  }
  return reach;
}

const count = (number: number): string => number.toLocaleString("en");

/** `1,204 of 1,210 connected have it; 38 offline get it when they return` */
export function reachWords({ connected, have, cannot, unaware, offline, offlineHave }: Reach): string {
  const words = [`${count(have)} of ${count(connected)} connected ${have === 1 ? "has" : "have"} it`];
  if (cannot > 0) words.push(`${count(cannot)} cannot make it true`);
  if (unaware > 0) words.push(`${count(unaware)} ${unaware === 1 ? "has" : "have"} too old an agent`);
  const missing = offline - offlineHave;
  if (missing > 0)
    words.push(`${count(missing)} offline ${missing === 1 ? "gets it when it returns" : "get it when they return"}`);
  if (offlineHave > 0) words.push(`${count(offlineHave)} offline ${offlineHave === 1 ? "has" : "have"} it`);
  return words.join("; ");
}
