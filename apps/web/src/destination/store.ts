/** Destinations ↔ Postgres: what admins see and change. */
import { randomUUID } from "node:crypto";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import type { Pool, PoolClient } from "pg";
import { Refusal } from "../trpc/errors.ts";
import { DESTINATIONS_MAX, type DestinationKind, shown, type Target, type Wanted } from "./destination.ts";
import { closeFailing } from "./queue.ts";
import type { Seal } from "./seal.ts";

export type DestinationRow = {
  id: string;
  name: string;
  kind: DestinationKind;
  shown: string;
  severity: Severity;
  kinds: string[];
  enabled: boolean;
  addedBy: string;
  addedAt: string;
  waiting: number;
  failures: number;
  failingSince: string | null;
  nextAt: string;
  lastSuccessAt: string | null;
  lastErrorAt: string | null;
  lastError: string | null;
  leftOut: number;
  leftOutAt: string | null;
  /** `asked`: no worker has taken it yet. */
  test: { asked: boolean; at: string | null; error: string | null };
};

type Raw = {
  id: string;
  name: string;
  kind: DestinationKind;
  shown: string;
  severity: number;
  kinds: string[];
  enabled: boolean;
  added_by: string;
  added_at: Date;
  waiting: string;
  failures: number;
  failing_since: Date | null;
  next_at: Date;
  last_success_at: Date | null;
  last_error_at: Date | null;
  last_error: string | null;
  left_out: string;
  left_out_at: Date | null;
  test_asked_at: Date | null;
  test_at: Date | null;
  test_error: string | null;
};

const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

/** By name. What is secret of them is not among it. */
export async function listDestinations(pool: Pool): Promise<DestinationRow[]> {
  const { rows } = await pool.query<Raw>(
    `SELECT d.id, d.name, d.kind, d.shown, d.severity, d.kinds, d.enabled, d.added_by, d.added_at, d.failures,
            d.failing_since, d.next_at, d.last_success_at, d.last_error_at, d.last_error, d.left_out, d.left_out_at,
            d.test_asked_at, d.test_at, d.test_error,
            (SELECT count(*) FROM delivery q WHERE q.destination_id = d.id) AS waiting
       FROM destination d WHERE d.removed_at IS NULL ORDER BY d.name LIMIT ${DESTINATIONS_MAX}`,
  );
  return rows.map((raw) => ({
    ...{ id: raw.id, name: raw.name, kind: raw.kind, shown: raw.shown, kinds: raw.kinds, enabled: raw.enabled },
    severity: SEVERITIES[raw.severity] ?? "warning",
    addedBy: raw.added_by,
    addedAt: raw.added_at.toISOString(),
    waiting: Number(raw.waiting),
    failures: raw.failures,
    failingSince: iso(raw.failing_since),
    nextAt: raw.next_at.toISOString(),
    lastSuccessAt: iso(raw.last_success_at),
    lastErrorAt: iso(raw.last_error_at),
    lastError: raw.last_error,
    leftOut: Number(raw.left_out),
    leftOutAt: iso(raw.left_out_at),
    test: { asked: raw.test_asked_at !== null, at: iso(raw.test_at), error: raw.test_error },
  }));
}

const wake = (tx: PoolClient) => tx.query("SELECT pg_notify('destination', '')");

export async function addDestination(
  tx: PoolClient,
  seal: Seal,
  asked: Wanted & { target: Target; by: string },
): Promise<string> {
  await tx.query("LOCK TABLE destination IN SHARE ROW EXCLUSIVE MODE"); // two at once: the second counts the first
  const { rows } = await tx.query<{ n: string }>("SELECT count(*) AS n FROM destination WHERE removed_at IS NULL");
  if (Number(rows[0]?.n) >= DESTINATIONS_MAX)
    throw new Refusal("PRECONDITION_FAILED", `There are ${DESTINATIONS_MAX} destinations, the most. Remove one first.`);
  const id = randomUUID();
  await tx.query(
    `INSERT INTO destination (id, name, kind, shown, sealed, severity, kinds, added_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      ...[id, asked.name, asked.target.kind, shown(asked.target), seal.seal(id, asked.target)],
      ...[SEVERITIES.indexOf(asked.severity), asked.kinds, asked.by],
    ],
  );
  return id;
}

export type Standing = Wanted & { kind: DestinationKind; shown: string; enabled: boolean };

/** As it stands, locked until the transaction ends. */
export async function standing(tx: PoolClient, id: string): Promise<Standing> {
  const { rows } = await tx.query<Omit<Standing, "severity"> & { severity: number }>(
    `SELECT name, kind, shown, severity, kinds, enabled FROM destination WHERE id = $1 AND removed_at IS NULL
        FOR NO KEY UPDATE`,
    [id],
  );
  if (!rows[0]) throw new Refusal("NOT_FOUND", "There is no such destination any more.");
  return { ...rows[0], severity: SEVERITIES[rows[0].severity] ?? "warning" };
}

/** Which alerts it gets from now on; what waits already goes all the same. */
export async function storeWanted(tx: PoolClient, id: string, { name, severity, kinds }: Wanted): Promise<void> {
  await tx.query("UPDATE destination SET name = $2, severity = $3, kinds = $4 WHERE id = $1", [
    ...[id, name, SEVERITIES.indexOf(severity), kinds],
  ]);
}

/** Another place for what waits and what comes, tried at once. */
export async function storeTarget(tx: PoolClient, seal: Seal, id: string, target: Target): Promise<void> {
  await tx.query(
    `UPDATE destination SET kind = $2, shown = $3, sealed = $4, claimed_by = NULL, claimed_until = NULL, failures = 0,
            failing_since = NULL, next_at = now(), last_error = NULL, last_error_at = NULL, test_at = NULL, test_error = NULL
      WHERE id = $1`,
    [id, target.kind, shown(target), seal.seal(id, target)],
  );
  await tx.query("UPDATE delivery SET refusals = 0, not_before = NULL WHERE destination_id = $1 AND refusals > 0", [
    id,
  ]);
  await closeFailing(tx, id, "Where it goes was changed.");
  await wake(tx);
}

/** Switched off, it gets nothing, and what waits for it is dropped; answers how many that were. Switched on, it gets what
 *  is raised from then on: an alert that was being raised as it was switched off may have been queued behind that. */
export async function storeEnabled(tx: PoolClient, id: string, enabled: boolean): Promise<number> {
  await tx.query(
    `UPDATE destination SET enabled = $2, claimed_by = NULL, claimed_until = NULL, failures = 0, failing_since = NULL,
            next_at = now() WHERE id = $1`,
    [id, enabled],
  );
  if (!enabled) await closeFailing(tx, id, "It was switched off.");
  const { rowCount } = await tx.query("DELETE FROM delivery WHERE destination_id = $1", [id]);
  return rowCount ?? 0;
}

export async function removeDestination(tx: PoolClient, id: string): Promise<number> {
  const dropped = await storeEnabled(tx, id, false);
  await tx.query("UPDATE destination SET removed_at = now(), sealed = '' WHERE id = $1", [id]);
  return dropped;
}

export async function askTest(tx: PoolClient, id: string): Promise<void> {
  await tx.query("UPDATE destination SET test_asked_at = now(), test_at = NULL, test_error = NULL WHERE id = $1", [id]);
  await wake(tx);
}
