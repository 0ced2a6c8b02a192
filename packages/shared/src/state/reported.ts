/** What an agent found in force by looking; signed by the trail's key, retained on `reported`. */
import { z } from "zod";
import {
  GroupId,
  GuestId,
  Index,
  KeyId,
  PolicyDigest,
  SessionId,
  Sha256,
  TrailId,
  WorkstationId,
} from "../base/ids.ts";
import { HypervisorLayout } from "../record/hypervisor.ts";

/** `not-applied` says why; it is never shown as applied. */
export const SectionState = z.object({
  outcome: z.enum(["applied", "audit", "not-applied", "failed"]),
  reason: z.string().max(1024).optional(),
  /** Not yet as the policy says and on the way there: it fetches what the policy names. Never on an applied one. */
  pending: z.boolean().optional(),
  /** What inspection found, where it can be said in one value. */
  found: z.json().optional(),
});
export type SectionState = z.infer<typeof SectionState>;

/** A deny overlay that was believed and has not ended. `usb` and `network` are there where it holds entries for them: how
 *  far what it denies is in force, found by looking. */
export const OverlayState = z.object({
  /** `fleet`, `group/ID` or `workstation/ID`. */
  audience: z.string().max(64),
  order: z.int().min(1),
  digest: Sha256,
  /** That have not ended. */
  entries: z.int().min(0),
  usb: SectionState.pick({ outcome: true, reason: true }).optional(),
  network: SectionState.pick({ outcome: true, reason: true }).optional(),
});
export type OverlayState = z.infer<typeof OverlayState>;

export const Reported = z.object({
  workstation: WorkstationId,
  session: SessionId,
  at: z.iso.datetime(),
  agentVersion: z.string().max(64),
  hostname: z.string().max(256),
  group: GroupId,
  trail: z.object({ id: TrailId, size: Index, root: Sha256 }),
  spool: z.object({ records: Index, bytes: Index, bytesMax: Index, oldestTime: z.iso.datetime().optional() }),
  policy: z
    .object({ digest: PolicyDigest, order: z.int().min(1), taken: z.iso.datetime(), old: z.boolean() })
    .nullable(),
  /** Whom it believes by now: the order of its newest membership, and the keys of that (the console's as the newest `keys`
   *  statement names them). */
  signers: z.object({ membership: Index, threshold: z.int().min(1), keys: z.array(KeyId).max(64) }).optional(),
  sections: z.record(z.string(), SectionState),
  refused: z
    .object({ code: z.string().max(64), reason: z.string().max(1024), order: z.int().optional(), at: z.iso.datetime() })
    .optional(),
  sources: z.record(
    z.string(),
    z.object({ state: z.enum(["running", "absent", "failed"]), reason: z.string().max(512).optional() }),
  ),
  layout: HypervisorLayout.optional(),
  guests: z.array(z.object({ id: GuestId, name: z.string().max(128) })).max(256),
  certificateNotAfter: z.iso.datetime().optional(),
  /** Absent: an agent that knows of none. */
  overlays: z.array(OverlayState).max(8).optional(),
});
export type Reported = z.infer<typeof Reported>;
export const REPORTED_CHARS_MAX = 256 * 1024;
