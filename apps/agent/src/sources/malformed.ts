/** Bytes nobody could read → `agent.malformed`, with as many of them as a record holds. */
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { cut, oneLine } from "./bytes.ts";

/** In base64 within a record's 256 KiB. */
export const RAW_BYTES_MAX = 180 * 1024;

export type Unread = {
  /** The source's kind: `eve`, `syslog`. */
  source: string;
  /** Where it came from: a path or an address. */
  from: string;
  guest?: GuestId | undefined;
  reason: string;
  bytes: Uint8Array;
  /** Where more was lost than `bytes` holds: how many bytes in all. */
  length?: number;
};

export function malformed(unread: Unread, now: number): Observation<"agent.malformed"> {
  const kept = unread.bytes.subarray(0, RAW_BYTES_MAX);
  const length = unread.length ?? unread.bytes.length;
  const reason = cut(unread.reason.toWellFormed(), 512);
  return {
    kind: "agent.malformed",
    severity: "warning",
    time: now,
    ...(unread.guest && { guest: unread.guest }),
    text: oneLine(`${unread.source} from ${unread.from}: ${reason} (${length} bytes)`),
    body: {
      source: unread.source,
      from: cut(unread.from.toWellFormed(), 256),
      reason,
      bytes: length,
      rawBase64: Buffer.from(kept.buffer, kept.byteOffset, kept.length).toString("base64"),
      truncated: length > kept.length,
    },
  };
}
