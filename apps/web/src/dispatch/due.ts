/** Which workstations are due a message ↔ Postgres, whatever the size of the fleet in one query: what a topic should hold
 *  is named by the rows it is made from (they never change), and that name's hash is kept beside what was sent. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Pool } from "pg";

export type Target = {
  id: WorkstationId;
  group_id: string;
  /** Order of the policy that it should have: the group's, or an earlier one while a rollout has not come to it. */
  policy: number | null;
  /** The newest statement of each type that is for this workstation alone, in the order in which they were made; of
   *  exceptions all that name one stick, have not ended and are not revoked, of keys and of memberships that people sign those before it as well. */
  own: unknown[];
  /** Names the rows that the message is made from; `sent` is the one of the newest message. */
  basis: string;
  sent: string | null;
};

export type Asked = {
  shards: readonly string[];
  /** Due in any case. */
  back: readonly WorkstationId[];
  after: string;
  limit: number;
};

export async function due(pool: Pool, { shards, back, after, limit }: Asked): Promise<Target[]> {
  const { rows } = await pool.query<Target>(
    `WITH due AS (
       SELECT w.id, w.group_id, p."order" AS policy, b.basis, d.sent
         FROM workstation w
         LEFT JOIN LATERAL wanted(w.id, w.group_id) p ON true
         LEFT JOIN LATERAL (
           SELECT string_agg(type || ' ' || "order", ',' ORDER BY type) AS named
             FROM (SELECT type, max("order") AS "order" FROM workstation_statement
                    WHERE workstation_id = w.id AND type <> 'command' GROUP BY type) s) own ON true
         CROSS JOIN LATERAL (
           SELECT encode(sha256(convert_to(
             concat_ws(',', own.named, w.group_id || ' ' || p."order" || ' ' || p.digest), 'UTF8')), 'hex') AS basis) b
         LEFT JOIN dispatch d ON d.workstation_id = w.id
        WHERE w.state = 'enrolled' AND w.shard = ANY($1::text[]) AND w.id > $2::uuid
          AND (own.named IS NOT NULL OR p."order" IS NOT NULL)
          AND (b.basis IS DISTINCT FROM d.sent OR w.id = ANY($3::uuid[]))
        ORDER BY w.id LIMIT $4)
     SELECT due.*, ARRAY(
              SELECT s.statement
                FROM (SELECT *, row_number() OVER (PARTITION BY type ORDER BY "order" DESC) - 1 AS older,
                             bool_or(((statement->>'carried')::jsonb #>> '{signers,threshold}')::int > 1)
                               OVER (PARTITION BY type) AS people
                        FROM workstation_statement e WHERE workstation_id = due.id AND type <> 'command' AND (type <> 'exception'
                          OR (((statement->>'text')::jsonb->>'notAfter')::timestamptz > now()
                               AND (statement->>'carried')::jsonb ? 'device'
                               AND NOT EXISTS (
                                 SELECT FROM workstation_statement v,
                                             jsonb_array_elements((v.statement->>'carried')::jsonb->'revoked') r
                                  WHERE v.workstation_id = due.id AND v.type = 'revocation' AND r->>'exception'
                                        = encode(sha256(convert_to(e.statement->>'text', 'UTF8')), 'hex'))))) s
               WHERE CASE WHEN s.type = 'exception' THEN s.older < $5
                          WHEN s.type = 'revocation'
                          THEN s.older = 0 AND ((s.statement->>'text')::jsonb->>'notAfter')::timestamptz > now()
                          WHEN s.type = 'keys' OR s.people THEN s.older < $6
                          ELSE s.older = 0 END
               ORDER BY s.created_at, s.type DESC, s."order") AS own
       FROM due ORDER BY id`,
    [shards, after, back, limit, EXCEPTIONS_MAX, CHAIN_MAX],
  );
  return rows;
}

/** A message holds 64 statements. */
const EXCEPTIONS_MAX = 32;
/** Each is believed by the signers that the one before it named: a workstation that was away takes them one by one. */
const CHAIN_MAX = 12;

export const policyKey = (group: string, order: number): string => `${group} ${order}`;

/** Adds the policies that these are due and that are not there yet: each once, however many workstations share it. */
export async function addPolicies(
  pool: Pool,
  targets: readonly Target[],
  policies: Map<string, unknown>,
): Promise<void> {
  const missing = new Map<string, { group: string; order: number }>();
  for (const { group_id: group, policy: order } of targets)
    if (order !== null && !policies.has(policyKey(group, order)))
      missing.set(policyKey(group, order), { group, order });
  if (missing.size === 0) return;
  const wanted = [...missing.values()];
  const { rows } = await pool.query<{ group_id: string; order: number; statement: unknown }>(
    `SELECT p.group_id, p."order", p.statement FROM publication p
       JOIN unnest($1::uuid[], $2::int[]) AS wanted (group_id, "order") USING (group_id, "order")`,
    [wanted.map(({ group }) => group), wanted.map(({ order }) => order)],
  );
  for (const { group_id, order, statement } of rows) policies.set(policyKey(group_id, order), statement);
}

export async function noteSent(pool: Pool, sent: readonly Target[]): Promise<void> {
  await pool.query(
    `INSERT INTO dispatch (workstation_id, sent, sent_at)
     SELECT id, basis, now() FROM unnest($1::uuid[], $2::text[]) AS told (id, basis)
     ON CONFLICT (workstation_id) DO UPDATE SET sent = excluded.sent, sent_at = excluded.sent_at`,
    [sent.map(({ id }) => id), sent.map(({ basis }) => basis)],
  );
}
