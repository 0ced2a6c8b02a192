/** Kinds that speak of what a guest said. */
import { z } from "zod";
import { Time } from "../base/ids.ts";

/** How the line came; stamped by dom0 from the transport, never read from the message. */
export const GuestVia = z.enum(["udp", "tcp", "unix", "console", "channel", "file"]);
export type GuestVia = z.infer<typeof GuestVia>;

/** `guest.log`. What the message says of itself (`claimed…`, `host`, `app`) is a claim. `raw` is the line as it came,
 *  `rawBase64` where it is not UTF-8; a line longer than the limit comes as several records with `part`. */
export const GuestLog = z.object({
  via: GuestVia,
  from: z.string().max(256),
  format: z.enum(["rfc5424", "rfc3164", "snare", "plain"]),
  facility: z.int().min(0).max(23).optional(),
  level: z.int().min(0).max(7).optional(),
  claimedTime: z.string().max(64).optional(),
  claimedHost: z.string().max(256).optional(),
  app: z.string().max(256).optional(),
  process: z.string().max(128).optional(),
  messageId: z.string().max(128).optional(),
  structured: z.record(z.string(), z.record(z.string(), z.string())).optional(),
  event: z.record(z.string(), z.string()).optional(),
  message: z.string(),
  raw: z.string().optional(),
  rawBase64: z.string().optional(),
  part: z.object({ of: z.string().max(64), number: z.int().min(1), last: z.boolean() }).optional(),
});
export type GuestLog = z.infer<typeof GuestLog>;

/** By which a guest can cause records besides: what the detector and the firewall say of its packets. */
export const SuppressedVia = z.enum([...GuestVia.options, "detector", "firewall"]);
export type SuppressedVia = z.infer<typeof SuppressedVia>;

/** `guest.suppressed`: lines held back by a limit before they got an index. */
export const GuestSuppressed = z.object({
  via: SuppressedVia,
  from: z.string().max(256),
  lines: z.int().min(1),
  bytes: z.int().min(0),
  since: Time,
  until: Time,
  reason: z.enum(["rate", "spool-full", "too-many-senders", "severity"]),
});
export type GuestSuppressed = z.infer<typeof GuestSuppressed>;
