/** Wires the trail: the spool on this disk, what takes records into it, and what is remembered from one life of the agent
 *  to the next. */
import type { AgentSection } from "@sallyport/shared/policy/agent.ts";
import type { LogSection } from "@sallyport/shared/policy/log.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Log } from "./dom0/log.ts";
import { Intake } from "./spool/intake.ts";
import { openSpool } from "./spool/open.ts";
import type { Identity } from "./spool/opening.ts";
import type { Spool } from "./spool/spool.ts";

export type TrailNeeds = {
  state: string;
  identity: Identity;
  /** Those in force. */
  settings: { log: LogSection; agent: AgentSection };
  /** The disk begins to take nothing, or takes records again. */
  changed: () => void;
  now: () => number;
  monotonic: () => number;
  log: Log;
};

/** `tell` is for what has no position to come back to, `remember` for what the next round says again: neither ends the
 *  agent where the disk is full; `remember` says whether the disk has it. */
export type Trail = {
  spool: Spool;
  intake: Intake;
  tell: (observation: Observation) => void;
  remember: (key: string, value: Parameters<Spool["remember"]>[1]) => boolean;
};

/** @throws what the disk says */
export function openTrail({ state, identity, settings, changed, now, monotonic, log }: TrailNeeds): Trail {
  const spool = openSpool(state, identity, now, settings.agent.spoolBytesMax, (aside, why) =>
    log.error({ aside, why }, "spool.damaged"),
  );
  const intake = new Intake({
    spool,
    log: () => settings.log,
    now,
    monotonic,
    onTrouble: (error) => {
      log.error({ error: error.message }, "spool.refused");
      // reported when it begins, not for each attempt
      if (intake.refused === undefined) changed();
    },
    onMended: () => {
      log.info({}, "spool.mended");
      changed();
    },
  });
  return {
    spool,
    intake,
    tell: (observation) => void intake.emit({ observations: [observation] }).catch(() => {}),
    remember: (key, value) => {
      try {
        spool.remember(key, value);
        return true;
      } catch (error) {
        log.error({ key, error: (error as Error).message }, "spool.refused");
        return false;
      }
    },
  };
}
