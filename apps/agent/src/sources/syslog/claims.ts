/** What a line says of itself. None of it names who sent it: that is stamped from the way it came. */
import type { GuestLog } from "@sallyport/shared/record/guest.ts";

export type Claims = Pick<
  GuestLog,
  | "format"
  | "facility"
  | "level"
  | "claimedTime"
  | "claimedHost"
  | "app"
  | "process"
  | "messageId"
  | "structured"
  | "event"
  | "message"
>;

/** `hostless`: the way it came has no other host on it (a local socket), so the word after the date is no host.
 *  `plain`: there is no header to look for (a console). */
export type Expected = "any" | "hostless" | "plain";
