/** Workstations' certificates, and the alerts of those that end ↔ Postgres. */
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import type { Pool } from "pg";
import type { Certificate, Ending } from "./ending.ts";

export const KIND = "certificate.ending";

/** The newest one of each enrolled workstation, where even that ends by `until`. */
export async function listEnding(pool: Pool, until: Date): Promise<Certificate[]> {
  const { rows } = await pool.query<{ id: string; name: string; not_after: Date }>(
    `SELECT w.id, w.name, max(c.not_after) AS not_after
       FROM workstation w JOIN certificate c ON c.workstation_id = w.id
      WHERE w.state = 'enrolled' AND c.revoked_at IS NULL
      GROUP BY w.id, w.name HAVING max(c.not_after) <= $1`,
    [until],
  );
  return rows.map(({ id, name, not_after }) => ({ of: "workstation", name, workstation: id, notAfter: not_after }));
}

/** Each is raised once, whatever a person made of it; those whose certificate was renewed are closed. `raised` and
 *  `closed` are how many. */
export async function storeEndings(
  pool: Pool,
  endings: readonly Ending[],
  now: Date,
): Promise<{ raised: number; closed: number }> {
  const raised = await pool.query(
    `INSERT INTO alert (key, workstation_id, kind, severity, title, reason, raised_at, last_at)
     SELECT key, workstation, $2, severity, title, reason, $3, $3
       FROM unnest($1::text[], $4::uuid[], $5::smallint[], $6::text[], $7::text[])
              AS ending (key, workstation, severity, title, reason)
     ON CONFLICT (key) DO NOTHING`,
    [
      endings.map(({ key }) => key),
      KIND,
      now,
      endings.map(({ workstation }) => workstation),
      endings.map(({ severity }) => SEVERITIES.indexOf(severity)),
      endings.map(({ title }) => title),
      endings.map(({ reason }) => reason),
    ],
  );
  const closed = await pool.query(
    `UPDATE alert SET state = 'closed', acknowledged_by = 'the console', acknowledged_at = $3,
            note = 'The certificate was renewed, its workstation left, or a later alert says the same.'
      WHERE kind = $1 AND state IN ('open', 'acknowledged') AND NOT key = ANY($2::text[])`,
    [KIND, endings.map(({ key }) => key), now],
  );
  const done = { raised: raised.rowCount ?? 0, closed: closed.rowCount ?? 0 };
  if (done.raised + done.closed > 0) await pool.query("SELECT pg_notify('alert', '')");
  return done;
}
