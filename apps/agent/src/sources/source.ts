/** dom0 → source → spool. What every source is: one shape, one file each, wired in main.ts. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import type { AgentSection } from "@sallyport/shared/policy/agent.ts";
import type { LogSection } from "@sallyport/shared/policy/log.ts";
import type { GuestVia } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";

/** Where a source that can be read again stands: `name` is the source's own and stable over restarts (the path of a
 *  followed file, say), `value` is the source's business (device, inode, offset …). */
export type Position = { name: string; value: Json };

/** Observations in order, and where the source stands after them. Both are stored in one transaction, so a followed
 *  file is read exactly once over kill -9. A parcel may hold no observations and only move the position. */
export type Parcel = { observations: readonly Observation[]; position?: Position };

/** `kept` have an index and are synced. `suppressed` were held back by a limit and counted in `guest.suppressed`.
 *  `refused` have no room at all, not even in the reserve: what depends on them must not happen. */
export type EmitAnswer = { kept: number; suppressed: number; refused: number };

/** Resolves once the parcel is synced to disk. That is the backpressure: a source keeps a bounded number of parcels
 *  open and stops reading beyond it. Without room, a parcel with a `position` waits (its input is durable and can wait
 *  too) and one without is counted. Up to PARCEL_OBSERVATIONS_MAX observations; larger parcels are cheaper each.
 *  @throws SpoolClosed when the agent is stopping; nothing of the parcel was kept */
export type Emit = (parcel: Parcel) => Promise<EmitAnswer>;
export const PARCEL_OBSERVATIONS_MAX = 1024;

/** What the policy in force says to sources; asked each time, since it changes while they run. */
export type SourceSettings = { log: LogSection; agent: AgentSection };

/** `at` says where it listens or what it follows, with the real port. `absent`: what it reads is not on this machine. */
export type SourceState =
  | { state: "running"; at?: string }
  | { state: "absent"; reason: string }
  | { state: "failed"; reason: string };

/** Whether a whole line of a guest may pass its limit, asked before anything is made of it, so that a flood costs little.
 *  A line that may not is counted there and then, or with the position it stands before; for one that may, `emit` does
 *  not ask again. */
export type Admits = (line: AdmitsLine, bytes: number) => boolean;
/** `guest` is absent where nobody's is known; `signature` is an alert's. `position`: the name of that behind which it will
 *  stand, where it is read again unless that moves. */
export type AdmitsLine = { position?: string } & (
  | { guest: GuestId; via: GuestVia; from: string }
  | { guest: GuestId | undefined; via: "detector" | "firewall"; from: string; signature?: number }
);

export type Outlet = {
  emit: Emit;
  /** Absent: `emit` alone holds back. */
  admits?: Admits;
  /** The position stored last under this name. */
  position(name: string): Json | undefined;
  settings(): SourceSettings;
  /** Shown on the workstation's page and in `status`. */
  state(state: SourceState): void;
};

export type Source = {
  /** Unique among the sources of one agent, `syslog/udp/127.0.0.1:5514`. */
  name: string;
  /** Runs until `signal` aborts, then lets go of everything and resolves. A throw is reported as `failed`, and the
   *  source is started again after a delay. Does not throw for bad input: that is an `agent.malformed` record. */
  run(outlet: Outlet, signal: AbortSignal): Promise<void>;
};
