/** One ledger of the gate's volume over all sticks: what each may still write is set aside before it is read, beside what
 *  stays free for records. Pure; who asks and writes it down does so without a wait in between. */
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import type { VolumeSpace } from "../dom0/usb-volume.ts";
import { spoolDiskBytesMax } from "../spool/room.ts";
import { imageBytesMax } from "./rebuild/exfat.ts";

/** Of any volume stays free. */
const FREE_BYTES_MIN = 16 * 1024 * 1024;
/** Of a file system that the spool is on as well, no more than this share stays free for it: small disks take sticks too. */
const SPOOL_SHARE_MAX = 1 / 4;

/** What a stick needs before it is read: its image, and where files are handed over, their copy. */
export const stickBytes = (units: readonly { bytes: number }[], hasCopy: boolean): number =>
  units.reduce((sum, { bytes }) => sum + bytes + (hasCopy ? imageBytesMax(bytes, 1) : 0), 0);

/** What the spool may still grow by, where it lies on the same file system. */
export function keptFree({ sizeBytes, spoolBytes }: VolumeSpace, spoolBytesMax: number): number {
  if (spoolBytes === undefined) return FREE_BYTES_MIN;
  const growth = Math.max(0, spoolDiskBytesMax(spoolBytesMax) - spoolBytes);
  return FREE_BYTES_MIN + Math.min(growth, Math.floor(sizeBytes * SPOOL_SHARE_MAX));
}

/** Whether so much may be written beside what others have set aside; if not, why, and what to do. */
export function hasRoom(
  needed: number,
  { space, others, spoolBytesMax }: { space: VolumeSpace; others: number; spoolBytesMax: number },
): Result<void> {
  const kept = keptFree(space, spoolBytesMax);
  const forIt = Math.max(0, space.freeBytes - others - kept);
  if (needed <= forIt) return ok(undefined);
  return fail(
    `${needed} bytes are needed and ${forIt} are free for it (${space.freeBytes} on the gate's volume, less ${others} that other sticks may still take and ${kept} that stay free for records). Pull out sticks that are done with, make room in ${space.folder}, or give the gate a larger volume (usb.volume, docs/usb-gate.md), and plug it in again`,
  );
}
