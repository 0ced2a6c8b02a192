/** Kinds in which the agent speaks of itself and its trail. */
import { z } from "zod";
import { Index, PolicyDigest, SessionId, Sha256, Time, TrailId } from "../base/ids.ts";

/** `trail.opened`, always index 0. `previous` names the trail this one goes on from, and why. */
export const TrailOpened = z.object({
  trail: TrailId,
  agentVersion: z.string().max(64),
  hostname: z.string().max(256),
  session: SessionId,
  previous: z
    .object({
      trail: TrailId,
      size: Index,
      root: Sha256,
      reason: z.enum(["older-disk", "fork", "console-restored", "re-enrolled", "spool-damaged"]),
    })
    .optional(),
});
export type TrailOpened = z.infer<typeof TrailOpened>;

/** `agent.gap`: contents of the records `from` (inclusive) to `to` (exclusive) were given up. Their entries stand. Where
 *  `from` is `to`, so many observations never got an index, and would have stood there. */
export const AgentGap = z.object({
  from: Index,
  to: Index,
  contents: z.int().min(1),
  bytes: z.int().min(0),
  reason: z.enum(["spool-full", "too-old", "unreadable", "disk-refused"]),
});
export type AgentGap = z.infer<typeof AgentGap>;

/** `agent.malformed`: bytes at an edge that could not be read, kept up to a bound. */
export const AgentMalformed = z.object({
  source: z.string().max(64),
  from: z.string().max(256).optional(),
  reason: z.string().max(512),
  bytes: z.int().min(0),
  rawBase64: z.string(),
  truncated: z.boolean(),
});
export type AgentMalformed = z.infer<typeof AgentMalformed>;

/** `agent.health`. Bytes, milliseconds and counts; what cannot be read is absent. */
export const AgentHealth = z.object({
  agentVersion: z.string().max(64),
  node: z.string().max(64),
  kernel: z.string().max(256).optional(),
  uptimeSeconds: z.number().min(0),
  residentBytes: z.int().min(0),
  cpuShare: z.number().min(0).optional(),
  clock: z.object({ synchronised: z.boolean().optional(), consoleSkewMs: z.number().optional() }),
  disk: z.object({ freeBytes: z.int().min(0), totalBytes: z.int().min(0) }).optional(),
  spool: z.object({ records: z.int().min(0), bytes: z.int().min(0), bytesMax: z.int().min(0) }),
  versions: z.record(z.string(), z.string()),
});
export type AgentHealth = z.infer<typeof AgentHealth>;

/** `policy.applied` and `policy.refused`. `outcomes` is what a look after the change found, per section. */
export const PolicyApplied = z.object({
  digest: PolicyDigest,
  order: z.int().min(0),
  outcomes: z.record(
    z.string(),
    z.object({ outcome: z.enum(["applied", "not-applied", "failed"]), reason: z.string().max(1024).optional() }),
  ),
});
export type PolicyApplied = z.infer<typeof PolicyApplied>;

/** `policy.overlay`: what a deny overlay came to hold, by an order or because an entry has ended. */
export const PolicyOverlay = z.object({
  /** `fleet`, `group/ID` or `workstation/ID`. */
  audience: z.string().max(64),
  order: z.int().min(0),
  /** That stand now. */
  entries: z.int().min(0),
  added: z.array(
    z.object({
      id: z.string().max(16),
      what: z.string().max(2048),
      until: z.iso.datetime(),
      reason: z.string().max(256),
    }),
  ),
  gone: z.array(z.object({ id: z.string().max(16), why: z.enum(["lifted", "ended"]) })),
});
export type PolicyOverlay = z.infer<typeof PolicyOverlay>;

/** `policy.drift`: what is in force was changed by another than the agent. `left`: the section is in audit mode. */
export const PolicyDrift = z.object({
  section: z.string().max(32),
  action: z.enum(["put-back", "left"]),
  found: z.array(z.string().max(256)).max(16),
});
export type PolicyDrift = z.infer<typeof PolicyDrift>;

export const PolicyRefused = z.object({
  type: z.string().max(64),
  digest: z.string().max(64).optional(),
  order: z.int().optional(),
  code: z.string().max(64),
  reason: z.string().max(1024),
});
export type PolicyRefused = z.infer<typeof PolicyRefused>;

/** `command.done`. `command` is its id; `found` what it left behind, in one value. */
export const CommandDone = z.object({
  command: z.string().max(64),
  digest: Sha256,
  outcome: z.enum(["done", "failed", "expired"]),
  reason: z.string().max(1024).optional(),
  finished: Time,
  verb: z.string().max(32).optional(),
  found: z.json().optional(),
});
export type CommandDone = z.infer<typeof CommandDone>;
