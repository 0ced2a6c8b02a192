/** What one decision was made from, cut down to what the deciding function reads: the row that a replay goes over. Two
 *  decisions with the same input are decided alike, so they are counted and not kept apart. Grows, never changes. */
import { z } from "zod";
import { GuestVia } from "../record/guest.ts";
import { Severity } from "../record/severity.ts";
import { ScanFacts, Verdict } from "../usb/scan.ts";

const claim = z.string().max(512);

/** A device at a port. `pinned`: allowed by its place at installation, whatever a policy says. */
export const DeviceInput = z.object({
  kind: z.literal("device"),
  facts: z.object({
    id: claim,
    serial: claim,
    name: claim,
    hash: claim,
    parentHash: claim,
    viaPort: claim,
    interfaces: z.array(claim).max(256),
    interfaceCount: z.int(),
    connectType: claim,
  }),
  pinned: z.boolean(),
  blocked: z.boolean(),
});
export type DeviceInput = z.infer<typeof DeviceInput>;

/** A stick's contents, its manifest narrowed (narrow.ts). `of` names the one record, so that each scan is its own.
 *  `missing`: parts of the manifest that never came. */
export const ScanInput = z.object({
  kind: z.literal("scan"),
  of: z.string().max(64),
  facts: ScanFacts,
  files: z.int().min(0),
  verdict: Verdict,
  exception: z.boolean(),
  missing: z.int().min(0).default(0),
});
export type ScanInput = z.infer<typeof ScanInput>;

/** Whose device a packet came from or went to. */
export const Side = z.enum(["guest", "world", "dom0", "unknown"]);
export type Side = z.infer<typeof Side>;

/** The first packet of a connection. `reason`: why it was dropped where no rule had a say (spoofed, invalid …).
 *  Addresses are those that a rule may ask for: of a guest's own side there is none. */
export const NetInput = z.object({
  kind: z.literal("net"),
  from: Side,
  to: Side,
  source: z.string().max(64).optional(),
  destination: z.string().max(64).optional(),
  protocol: z.enum(["tcp", "udp", "icmp", "icmpv6", "other"]),
  port: z.int().min(0).max(65_535).optional(),
  icmpType: z.int().min(0).max(255).optional(),
  /** `audited`: it passed, and would have been dropped. `flow`: it passed, and was answered. */
  seen: z.enum(["dropped", "audited", "flow"]),
  reason: z.string().max(32).optional(),
});
export type NetInput = z.infer<typeof NetInput>;

export const AlertInput = z.object({
  kind: z.literal("alert"),
  generator: z.int().min(0),
  signatureId: z.int().min(0),
  signature: z.string().max(200),
  source: z.string().max(64).optional(),
  destination: z.string().max(64).optional(),
});
export type AlertInput = z.infer<typeof AlertInput>;

/** Lines of one guest that came one way. `severity` is not known of those that were `held` back. */
export const LinesInput = z.object({
  kind: z.literal("lines"),
  via: GuestVia,
  severity: Severity.optional(),
  held: z.enum(["rate", "severity"]).optional(),
});
export type LinesInput = z.infer<typeof LinesInput>;

export const Input = z.discriminatedUnion("kind", [DeviceInput, ScanInput, NetInput, AlertInput, LinesInput]);
export type Input = z.infer<typeof Input>;

/** Lines are counted by the minute, for their limits; all else by the hour. */
export const MINUTE_MS = 60_000;
export const HOUR_MINUTES = 60;
export const bucketMinutes = (input: Input): number => (input.kind === "lines" ? 1 : HOUR_MINUTES);

/** One row: how often an input was decided on within a bucket, and the first and last record of it. */
export type Seen = {
  trail: number;
  /** Minutes since 1970 at which its bucket begins. */
  bucket: number;
  input: number;
  /** Empty: none. */
  guest: string;
  count: number;
  firstIndex: number;
  lastIndex: number;
  /** Milliseconds since the bucket began. */
  firstMs: number;
  lastMs: number;
};
