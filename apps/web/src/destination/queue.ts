/** What is on its way to destinations ↔ Postgres: claimed, sent, failed, given up. */
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import type { Pool, PoolClient } from "pg";
import type { RecordAct } from "../trail/recorder.ts";
import { inTransaction } from "../transaction.ts";
import { type DestinationKind, FAILING_MS } from "./destination.ts";
import type { AlertSent } from "./message.ts";

export const KIND = "console.delivery";
/** Longer than an attempt takes with what is around it; prolonged with each one. */
const CLAIM_SECONDS = 60;
/** An alert that waited so long, or that so many are queued behind, is given up: it stands in the console all the same. */
export const KEPT_HOURS = 72;
export const QUEUE_MAX = 10_000;
/** A message that was refused so often by a receiver that is there lets others go first. */
const REFUSALS_MAX = 3;
const ASIDE_MINUTES = 60;

export type Asked = { id: string; name: string; kind: DestinationKind; sealed: Buffer };
/** `claim` is this one's own, so that whoever lost it settles nothing, also where the same worker has claimed again. */
export type Claimed = Asked & { claim: string; failing: boolean };

const ASKED = "id, name, kind, sealed";

/** Destinations with something to send now that nobody sends to. */
export async function claimDue(pool: Pool): Promise<Claimed[]> {
  const { rows } = await pool.query<Claimed>(
    `UPDATE destination SET claimed_by = gen_random_uuid(), claimed_until = now() + make_interval(secs => ${CLAIM_SECONDS})
      WHERE id IN (SELECT d.id FROM destination d
                    WHERE d.enabled AND d.next_at <= now() AND (d.claimed_until IS NULL OR d.claimed_until < now())
                      AND EXISTS (SELECT FROM delivery q WHERE q.destination_id = d.id
                                     AND (q.not_before IS NULL OR q.not_before <= now()))
                    ORDER BY d.id FOR NO KEY UPDATE SKIP LOCKED)
     RETURNING ${ASKED}, claimed_by AS claim, failing_since IS NOT NULL AS failing`,
  );
  return rows;
}

export async function release(pool: Pool, { id, claim }: Claimed): Promise<void> {
  await pool.query("UPDATE destination SET claimed_by = NULL, claimed_until = NULL WHERE id = $1 AND claimed_by = $2", [
    id,
    claim,
  ]);
}

/** Tests that were asked for, each taken by one worker. */
export async function claimTests(pool: Pool): Promise<Asked[]> {
  const { rows } = await pool.query<Asked>(
    `UPDATE destination SET test_asked_at = NULL WHERE test_asked_at IS NOT NULL AND removed_at IS NULL RETURNING ${ASKED}`,
  );
  return rows;
}

/** Unless it goes elsewhere by now. */
export async function keepTest(pool: Pool, { id, sealed }: Asked, error: string | null): Promise<void> {
  await pool.query("UPDATE destination SET test_at = now(), test_error = $3 WHERE id = $1 AND sealed = $2", [
    id,
    sealed,
    error,
  ]);
}

export type Waiting = { id: string; message: string; alert: AlertSent };

type Raw = Omit<AlertSent, "id" | "raisedAt" | "lastAt" | "workstation" | "record"> & {
  delivery: string;
  message: string;
  alert: string;
  raised_at: Date;
  last_at: Date;
  workstation_id: string | null;
  workstation_name: string | null;
  trail: number | null;
  index: string | null;
};

/** The oldest that may go, in order. */
export async function nextWaiting(pool: Pool, destination: string, limit: number): Promise<Waiting[]> {
  const { rows } = await pool.query<Raw>(
    `SELECT q.id AS delivery, q.message, a.id AS alert, a.key, a.kind, a.severity, a.title, a.reason, a.raised_at, a.last_at,
            a.count, a.workstation_id, w.name AS workstation_name, a.trail, a.index
       FROM delivery q JOIN alert a ON a.id = q.alert_id LEFT JOIN workstation w ON w.id = a.workstation_id
      WHERE q.destination_id = $1 AND (q.not_before IS NULL OR q.not_before <= now())
      ORDER BY q.id LIMIT $2`,
    [destination, limit],
  );
  return rows.map(({ delivery, message, alert, raised_at, last_at, workstation_id, workstation_name, ...raw }) => ({
    id: delivery,
    message,
    alert: {
      id: alert,
      ...{ key: raw.key, kind: raw.kind, severity: raw.severity, title: raw.title, reason: raw.reason },
      ...{ raisedAt: raised_at, lastAt: last_at, count: raw.count },
      workstation: workstation_id === null ? null : { id: workstation_id, name: workstation_name ?? workstation_id },
      record: raw.trail !== null && raw.index !== null ? { trail: raw.trail, index: raw.index } : null,
    },
  }));
}

/** They arrived. False where the claim was lost meanwhile, or the destination changed: then somebody else goes on. */
export async function settleSent(pool: Pool, claimed: Claimed, sent: readonly string[]): Promise<boolean> {
  const { id, claim } = claimed;
  return inTransaction(pool, async (tx) => {
    const { rowCount } = await tx.query(
      `UPDATE destination SET last_success_at = now(), failures = 0, failing_since = NULL,
              claimed_until = now() + make_interval(secs => ${CLAIM_SECONDS})
        WHERE id = $1 AND claimed_by = $2 AND enabled`,
      [id, claim],
    );
    if (rowCount === 0) return false;
    await tx.query("DELETE FROM delivery WHERE id = ANY($1::bigint[])", [sent]);
    if (claimed.failing) await closeFailing(tx, id, "It arrives again.");
    claimed.failing = false;
    return true;
  });
}

/** It did not arrive, or nobody knows. Answers the failures in a row. */
export async function settleFailed(
  pool: Pool,
  { id, claim }: Claimed,
  tried: readonly string[],
  { reason, refused = false }: { reason: string; refused?: boolean },
  wait: (failures: number) => number,
): Promise<number> {
  return inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ failures: number }>(
      `UPDATE destination SET failures = failures + 1, failing_since = coalesce(failing_since, now()),
              last_error_at = now(), last_error = $3
        WHERE id = $1 AND claimed_by = $2 AND enabled RETURNING failures`,
      [id, claim, reason],
    );
    const row = rows[0];
    if (!row) return 0;
    await tx.query("UPDATE destination SET next_at = now() + make_interval(secs => $2) WHERE id = $1", [
      id,
      wait(row.failures) / 1_000,
    ]);
    if (refused)
      await tx.query(
        `UPDATE delivery SET refusals = refusals + 1,
                not_before = CASE WHEN refusals + 1 >= ${REFUSALS_MAX} THEN now() + make_interval(mins => ${ASIDE_MINUTES}) END
          WHERE id = ANY($1::bigint[])`,
        [tried],
      );
    return row.failures;
  });
}

/** Where alerts have not arrived for long, however long it is until the next attempt. Each failing is told once. */
export async function tellFailing(pool: Pool): Promise<void> {
  await inTransaction(pool, async (tx) => {
    const { rowCount } = await tx.query(
      `WITH failing AS (
         SELECT name, last_error, ${ISO} AS since, 'delivery/' || id || '/' || ${ISO} AS key FROM destination
          WHERE enabled AND failing_since <= now() - make_interval(secs => ${FAILING_MS / 1_000}) FOR NO KEY UPDATE)
       INSERT INTO alert (key, kind, severity, title, reason)
       SELECT key, $1, $2, 'Alerts do not reach the destination ' || name, 'since ' || since || ': ' || coalesce(last_error, '')
         FROM failing WHERE NOT EXISTS (SELECT FROM alert a WHERE a.key = failing.key) ON CONFLICT (key) DO NOTHING`,
      [KIND, SEVERITIES.indexOf("error")],
    );
    if (rowCount) await tx.query("SELECT pg_notify('alert', '')");
  });
}

const ISO = `to_char(failing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

export async function closeFailing(tx: PoolClient, id: string, note: string): Promise<void> {
  await tx.query(
    `UPDATE alert SET state = 'closed', acknowledged_by = 'the console', acknowledged_at = now(), note = $3
      WHERE kind = $2 AND state IN ('open', 'acknowledged') AND starts_with(key, $1)`,
    [`delivery/${id}/`, KIND, note],
  );
}

/** What waited for too long, or stands behind too many, goes no more; it is counted, and told on the console's trail. */
export async function giveUpOld(pool: Pool, recordConsole: RecordAct, { id, name }: Claimed): Promise<void> {
  await inTransaction(pool, async (tx) => {
    await tx.query("SELECT FROM destination WHERE id = $1 FOR NO KEY UPDATE", [id]); // before its rows, as whoever changes it
    const { rowCount } = await tx.query(
      `DELETE FROM delivery WHERE destination_id = $1
          AND (queued_at < now() - make_interval(hours => ${KEPT_HOURS})
               OR id <= (SELECT id FROM delivery WHERE destination_id = $1 ORDER BY id DESC OFFSET ${QUEUE_MAX} LIMIT 1))`,
      [id],
    );
    if (!rowCount) return;
    await tx.query("UPDATE destination SET left_out = left_out + $2, left_out_at = now() WHERE id = $1", [
      id,
      rowCount,
    ]);
    await recordConsole(tx, {
      kind: "console.alerts-left-out",
      severity: "error",
      text: `${rowCount} alerts were not sent to the destination ${name}: they had waited for ${KEPT_HOURS} hours, or more than ${QUEUE_MAX} waited behind them`,
      body: { subject: `destination/${id}`, detail: { alerts: rowCount } },
    });
  });
}
