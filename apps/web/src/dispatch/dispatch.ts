/** Rows → the retained `desired` message of each workstation of our shards. Driven by rows, not by clicks: woken by a
 *  notification, a workstation that is back, or a timer; looks at everything, in as many queries for
 *  one workstation as for thousands; does nothing where topic and rows agree. */
import { setTimeout as delay } from "node:timers/promises";
import { type Desired, SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import { addPolicies, due, noteSent, policyKey, type Target } from "./due.ts";
import { type DispatchDeps, FleetDispatch, PAGE } from "./fleet.ts";

/** A change that nobody told us of waits no longer than this. */
const LOOK_MS = 30_000;
/** A fleet is not told all at once: so many messages, then a breath. */
const BURST = 50;
const BREATH_MS = 100;
/** Wakes that come together are one. */
const GATHER_MS = 50;

export const policyDispatch = (deps: DispatchDeps): FleetDispatch<Target> =>
  new FleetDispatch(deps, {
    ...{ name: "dispatch", lookMs: LOOK_MS, gatherMs: GATHER_MS },
    look() {
      const policies = new Map<string, unknown>();
      return {
        due: (back, after) => due(deps.pool, { shards: deps.shards(), back, after, limit: PAGE }),
        async tell(targets, signal) {
          await addPolicies(deps.pool, targets, policies);
          for (let at = 0; at < targets.length && !signal.aborted; at += BURST) {
            await tellAll(deps, targets.slice(at, at + BURST), policies);
            await delay(BREATH_MS, undefined, { signal }).catch(() => undefined);
          }
        },
      };
    },
  });

/** What was sent is noted in one go, also where the broker stopped taking in the middle. */
async function tellAll(
  deps: DispatchDeps,
  targets: readonly Target[],
  policies: ReadonlyMap<string, unknown>,
): Promise<void> {
  const sent: Target[] = [];
  try {
    for (const target of targets) {
      const desired = desiredOf(deps, target, policies);
      if (desired.statements.length === 0) continue;
      await deps.publish(topic(target.id, "desired"), JSON.stringify(desired), true);
      sent.push(target);
    }
  } finally {
    if (sent.length > 0) await noteSent(deps.pool, sent);
    for (const { id, basis, sent: before } of sent)
      deps.log.info({ workstation: id, again: basis === before }, "desired.sent");
  }
}

function desiredOf(
  { log }: Pick<DispatchDeps, "log">,
  target: Target,
  policies: ReadonlyMap<string, unknown>,
): Desired {
  const policy = target.policy === null ? [] : [policies.get(policyKey(target.group_id, target.policy))];
  const desired: Desired = { statements: [] };
  for (const statement of [...target.own, ...policy]) {
    const read = SignedStatement.safeParse(statement);
    if (read.success) desired.statements.push(read.data);
    else log.error({ workstation: target.id }, "statement.unreadable");
  }
  return desired;
}
