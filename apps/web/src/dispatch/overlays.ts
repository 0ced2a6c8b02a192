/** Rows → the retained `overlay` message of each workstation of our shards: what is denied for the fleet, for its group and
 *  for itself. A topic of its own, small and at its own pace, so that it never waits behind a policy that is rolled out
 *  (docs/decisions/2026-11-28-deny-overlay.md). */
import { setTimeout as delay } from "node:timers/promises";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type Desired, SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import type { Pool } from "pg";
import { type DispatchDeps, FleetDispatch, PAGE } from "./fleet.ts";

/** A workstation that was moved, or a notification that was missed, waits no longer than this. */
const LOOK_MS = 5_000;
/** Messages on their way to the broker: its answers take their time, and are not waited for one by one. */
const AT_ONCE = 64;
/** At most so many a second: 10,000 are told within five seconds, and their reports do not come all at once. */
const PER_SECOND_MAX = 2_500;

/** `orders` names its statements (`fleet 7`); `basis` is a hash of it, null where nothing is denied. */
type Target = { id: WorkstationId; orders: string[]; basis: string | null };

export const overlayDispatch = (deps: DispatchDeps): FleetDispatch<Target> =>
  new FleetDispatch<Target>(deps, {
    ...{ name: "overlays", lookMs: LOOK_MS },
    look() {
      const began = performance.now();
      let told = 0;
      return {
        due: (back, after) => due(deps, back, after),
        async tell(targets, signal) {
          const paceMs = (told * 1000) / PER_SECOND_MAX - (performance.now() - began);
          if (paceMs > 0) await delay(paceMs, undefined, { signal }).catch(() => undefined);
          await tellAll(deps, targets, await statementsOf(deps, targets), signal);
          told += targets.length;
        },
        done() {
          if (told > 0) deps.log.info({ told, ms: Math.round(performance.now() - began) }, "overlays.sent");
        },
      };
    },
  });

/** The newest order of each audience counts, until the overlay as a whole has ended. */
async function due({ pool, shards }: DispatchDeps, back: readonly WorkstationId[], after: string): Promise<Target[]> {
  const { rows } = await pool.query<Target>(
    `WITH newest AS MATERIALIZED (
       SELECT * FROM (SELECT DISTINCT ON (audience) audience, "order", not_after FROM overlay
                       ORDER BY audience, "order" DESC) o WHERE not_after > now())
     SELECT w.id, b.orders, b.basis
       FROM workstation w
       LEFT JOIN newest f ON f.audience = 'fleet'
       LEFT JOIN newest g ON g.audience = 'group/' || w.group_id
       LEFT JOIN newest o ON o.audience = 'workstation/' || w.id
       LEFT JOIN overlay_dispatch d ON d.workstation_id = w.id
       CROSS JOIN LATERAL (
         SELECT array_remove(ARRAY['fleet ' || f."order", g.audience || ' ' || g."order",
                                   o.audience || ' ' || o."order"], NULL) AS orders) n
       CROSS JOIN LATERAL (
         SELECT n.orders, CASE WHEN cardinality(n.orders) > 0
           THEN encode(sha256(convert_to(array_to_string(n.orders, ','), 'UTF8')), 'hex') END AS basis) b
      WHERE w.state = 'enrolled' AND w.shard = ANY($1::text[]) AND w.id > $2::uuid
        AND (b.basis IS DISTINCT FROM d.sent OR (b.basis IS NOT NULL AND w.id = ANY($3::uuid[])))
      ORDER BY w.id LIMIT ${PAGE}`,
    [shards(), after, back],
  );
  return rows;
}

/** By name as in `orders`: each once, however many workstations share it. */
async function statementsOf(
  { pool, log }: DispatchDeps,
  targets: readonly Target[],
): Promise<Map<string, SignedStatement>> {
  const named = [...new Set(targets.flatMap(({ orders }) => orders))];
  const { rows } = await pool.query<{ named: string; statement: unknown }>(
    `SELECT o.audience || ' ' || o."order" AS named, o.statement FROM overlay o
       JOIN unnest($1::text[]) AS wanted (named) ON wanted.named = o.audience || ' ' || o."order"`,
    [named],
  );
  const statements = new Map<string, SignedStatement>();
  for (const { named, statement } of rows) {
    const read = SignedStatement.safeParse(statement);
    if (read.success) statements.set(named, read.data);
    else log.error({ overlay: named }, "statement.unreadable");
  }
  return statements;
}

/** What was sent is noted, also where the broker stopped taking in the middle. */
async function tellAll(
  deps: DispatchDeps,
  targets: readonly Target[],
  statements: ReadonlyMap<string, SignedStatement>,
  signal: AbortSignal,
): Promise<void> {
  const texts = new Map<string, string>();
  const textOf = ({ orders }: Target): string => {
    const key = orders.join();
    let text = texts.get(key);
    if (text === undefined) {
      const desired: Desired = { statements: orders.flatMap((named) => statements.get(named) ?? []) };
      text = JSON.stringify(desired);
      texts.set(key, text);
    }
    return text;
  };
  const waiting = targets.values();
  const sent: Target[] = [];
  const lane = async () => {
    for (const target of waiting) {
      if (signal.aborted) return;
      await deps.publish(topic(target.id, "overlay"), textOf(target), true);
      sent.push(target);
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: AT_ONCE }, lane));
  if (sent.length > 0) await note(deps.pool, sent);
  for (const each of lanes) if (each.status === "rejected") throw each.reason;
}

async function note(pool: Pool, sent: readonly Target[]): Promise<void> {
  await pool.query(
    `INSERT INTO overlay_dispatch (workstation_id, sent, sent_at)
     SELECT id, basis, now() FROM unnest($1::uuid[], $2::text[]) AS told (id, basis)
     ON CONFLICT (workstation_id) DO UPDATE SET sent = excluded.sent, sent_at = excluded.sent_at`,
    [sent.map(({ id }) => id), sent.map(({ basis }) => basis)],
  );
}
