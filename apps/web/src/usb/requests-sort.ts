/** In which orders requests are listed, and which of them a page has; `-` turns one around. Pure: what came of each is told
 *  from several rows at once, so all of them are at hand. */
import type { RequestRow, RequestState } from "./requests.ts";

export const REQUEST_SORTS = ["-asked", "asked", "workstation", "-workstation", "state", "-state"] as const;
export type RequestSort = (typeof REQUEST_SORTS)[number];

export type Sorted = Pick<RequestRow, "trail" | "index" | "time"> & {
  workstation: { name: string };
  what: RequestState;
};
/** Where a page ends. Its last row may be asked anew, or answered, before the next one is read. */
export type Place = { key: string; time: string; trail: number; index: number };

/** Those that wait for somebody first. */
const STATES: readonly RequestState["state"][] = ["asked", "signing", "allowed", "revoked", "refused", "ended"];
const KEYS: Record<"asked" | "workstation" | "state", (row: Sorted) => string> = {
  asked: ({ time }) => time,
  workstation: ({ workstation }) => workstation.name,
  state: ({ what }) => String(STATES.indexOf(what.state)),
};

const compared = <T>(one: T, other: T): number => (one < other ? -1 : one > other ? 1 : 0);

/** Of what is equal in it, and unless asked otherwise of all, the newest first. */
export function pageOf<T extends Sorted>(
  rows: readonly T[],
  sort: RequestSort | undefined,
  after: Place | undefined,
  limit: number,
): { rows: T[]; next: Place | null } {
  const by = sort ?? "-asked";
  const sign = by.startsWith("-") ? -1 : 1;
  const keyOf = KEYS[by.replace(/^-/, "") as keyof typeof KEYS];
  const order = (one: Place, other: Place) =>
    sign * compared(one.key, other.key) ||
    compared(other.time, one.time) ||
    compared(other.trail, one.trail) ||
    compared(other.index, one.index);
  const placed = rows
    .map((row) => ({ row, place: { key: keyOf(row), time: row.time, trail: row.trail, index: row.index } }))
    .sort((one, other) => order(one.place, other.place))
    .filter(({ place }) => !after || order(place, after) > 0);
  const page = placed.slice(0, limit);
  return { rows: page.map(({ row }) => row), next: placed.length > limit ? (page.at(-1)?.place ?? null) : null };
}
