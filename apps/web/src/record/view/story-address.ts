/** Where a story's links lead: each record has an address of its own. Pure. */
import { searchOf } from "../../ui/address.ts";
import type { RecordFull, RecordRow } from "../store.ts";

const MINUTE_MS = 60_000;

export const keyOf = (row: { trail: number; index: number }): string => `${row.trail}.${row.index}`;

export const addressOf = (row: RecordRow): string =>
  `/explore?${row.workstation ? `workstation=${row.workstation.id}&` : ""}open=${keyOf(row)}`;

/** All that was received from so many minutes before a record to as many after it: of one workstation, or of the fleet. */
export function aroundAddress(
  record: Pick<RecordFull, "trail" | "index" | "received">,
  minutes: number,
  workstation?: string,
): string {
  const moved = (by: number) => new Date(Date.parse(record.received) + by * minutes * MINUTE_MS).toISOString();
  return `/explore?${searchOf({ workstation, since: moved(-1), until: moved(1), open: keyOf(record) })}`;
}
