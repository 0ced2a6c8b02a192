/** What waits for signatures, and what did ↔ Postgres. */
import {
  type Proposal,
  type ProposalHead,
  ProposalId,
  type ProposalState,
} from "@sallyport/shared/approval/proposal.ts";
import { approversOf, SignedStatement } from "@sallyport/shared/policy/statement.ts";
import type { Pool } from "pg";
import { z } from "zod";
import { readSigners } from "../dispatch/sign.ts";
import { Refusal } from "../trpc/errors.ts";

/** A command line from before pages reads one alone, so it holds as many as it ever did. */
const WAITING_MAX = 500;
const PAGE_ROWS = 50;

/** A head, and what a page shows of one that is over. */
export type Row = ProposalHead & {
  subject: string;
  missing: number;
  reason: string | null;
  endedAt: string | null;
  endedBy: string | null;
};

type Raw = {
  id: string;
  kind: Row["kind"];
  state: ProposalState;
  group_id: string;
  group_name: string;
  text: string;
  message: string;
  subject: string;
  by: string;
  asked_at: Date;
  expires: Date;
  reason: string | null;
  ended_at: Date | null;
  ended_by: string | null;
  threshold: number;
  consoles: string;
  signed: { publicKey: string; name: string; at: string; counts: boolean }[] | null;
};

const COLUMNS = `
  SELECT p.id, p.kind, p.group_id, g.name AS group_name, p.text, p.message, p.subject, coalesce(who.email, p.asked_by) AS by,
         p.asked_at, p.expires, p.reason, p.ended_at, coalesce(ender.email, p.ended_by) AS ended_by, g.threshold,
         CASE WHEN p.state = 'waiting' AND p.expires <= now() THEN 'expired' ELSE p.state END AS state,
         (SELECT count(*) FROM group_key k WHERE k.group_id = p.group_id AND k.role = 'console') AS consoles,
         (SELECT json_agg(json_build_object('publicKey', s.public_key, 'name', coalesce(k.name, s.key_id),
                                            'at', to_char(s.signed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                                            'counts', k.role = 'approver') ORDER BY s.signed_at)
            FROM proposal_signature s
            LEFT JOIN group_key k ON k.group_id = p.group_id AND k.public_key = s.public_key
           WHERE s.proposal_id = p.id) AS signed
    FROM proposal p JOIN "group" g ON g.id = p.group_id
    LEFT JOIN person who ON who.id = p.asked_by LEFT JOIN person ender ON ender.id = p.ended_by`;

function toRow(raw: Raw): Row {
  const needed = Math.max(0, raw.threshold - (Number(raw.consoles) > 0 ? 1 : 0));
  const signed = raw.signed ?? [];
  return {
    id: raw.id,
    kind: raw.kind,
    state: raw.state,
    group: { id: raw.group_id as Row["group"]["id"], name: raw.group_name },
    ...{ text: raw.text, message: raw.message, subject: raw.subject, by: raw.by, needed },
    askedAt: raw.asked_at.toISOString(),
    expires: raw.expires.toISOString(),
    signed: signed.map(({ publicKey, name, at }) => ({ publicKey, name, at })),
    // a key that is no approver any more counts no more
    missing: raw.state === "waiting" ? Math.max(0, needed - signed.filter(({ counts }) => counts).length) : 0,
    reason: raw.reason,
    endedAt: raw.ended_at?.toISOString() ?? null,
    endedBy: raw.ended_by,
  };
}

/** Where a page ends. */
export const Place = z.object({ at: z.iso.datetime(), id: ProposalId });
export type Place = z.infer<typeof Place>;

/** The oldest first: what is signed in that order holds. */
export async function listWaiting(
  pool: Pool,
  { group, after }: { group?: string | undefined; after?: Place | undefined } = {},
  limit = WAITING_MAX,
): Promise<{ rows: Row[]; next: Place | null }> {
  const { rows } = await pool.query<Raw>(
    `${COLUMNS} WHERE p.state = 'waiting' AND p.expires > now() AND ($1::uuid IS NULL OR p.group_id = $1)
        AND ($2::timestamptz IS NULL OR (p.asked_at, p.id) > ($2, $3::uuid))
      ORDER BY p.asked_at, p.id LIMIT $4`,
    [group ?? null, after?.at ?? null, after?.id ?? null, limit + 1],
  );
  return pageOf(rows, limit);
}

function pageOf(rows: readonly Raw[], limit: number): { rows: Row[]; next: Place | null } {
  const page = rows.slice(0, limit).map(toRow);
  const last = page.at(-1);
  return { rows: page, next: rows.length > limit && last ? { at: last.askedAt, id: last.id } : null };
}

export async function countWaiting(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    "SELECT count(*) FROM proposal WHERE state = 'waiting' AND expires > now()",
  );
  return Number(rows[0]!.count);
}

/** The newest first. */
export async function listOver(pool: Pool, after: Place | undefined): Promise<{ rows: Row[]; next: Place | null }> {
  const { rows } = await pool.query<Raw>(
    `${COLUMNS} WHERE (p.state <> 'waiting' OR p.expires <= now())
        AND ($1::timestamptz IS NULL OR (p.asked_at, p.id) < ($1, $2::uuid))
      ORDER BY p.asked_at DESC, p.id DESC LIMIT ${PAGE_ROWS + 1}`,
    [after?.at ?? null, after?.id ?? null],
  );
  return pageOf(rows, PAGE_ROWS);
}

export async function getRow(pool: Pool, id: string): Promise<Row> {
  const { rows } = await pool.query<Raw>(`${COLUMNS} WHERE p.id = $1`, [id]);
  if (!rows[0]) throw new Refusal("NOT_FOUND", "There is nothing of this id that waits for signatures.");
  return toRow(rows[0]);
}

/** With the statements themselves, which are there while it waits. */
export async function getProposal(pool: Pool, id: string): Promise<Proposal> {
  const row = await getRow(pool, id);
  if (row.state !== "waiting") throw new Refusal("CONFLICT", `This waits no more: it is ${row.state}.`);
  const { rows } = await pool.query<{ statement: unknown; workstation: string | null; name: string | null }>(
    `SELECT s.statement, s.workstation_id AS workstation, w.name FROM proposal_statement s
       LEFT JOIN workstation w ON w.id = s.workstation_id WHERE s.proposal_id = $1 ORDER BY s.at`,
    [id],
  );
  const { rows: inForce } = await pool.query<{ statement: unknown }>("SELECT statement FROM wanted(NULL, $1)", [
    row.group.id,
  ]);
  const { rows: groups } = await pool.query<{ id: string; name: string }>('SELECT id, name FROM "group"');
  const { signers, names } = (await readSigners(pool, row.group.id))!;
  const { subject: _, missing: __, reason: ___, endedAt: ____, endedBy: _____, ...head } = row;
  const called: [string, string][] = [
    ...groups.map((each): [string, string] => [each.id, each.name]),
    ...rows.flatMap(({ workstation, name }): [string, string][] => (workstation && name ? [[workstation, name]] : [])),
  ];
  return {
    ...head,
    ...{ signers, names },
    statements: rows.map(({ statement }) => SignedStatement.parse(statement)),
    inForce: inForce[0] ? SignedStatement.parse(inForce[0].statement) : null,
    called: Object.fromEntries(called),
  };
}

export type SignersRow = {
  group: string;
  name: string;
  needed: number;
  approvers: { name: string; keyId: string; publicKey: string }[];
  /** Workstations that say they believe these signers, and all of the group. */
  told: number;
  workstations: number;
  /** A change of them that waits. */
  changing: string | null;
};

/** Who signs for a group, and how many of its workstations know. */
export async function getSigners(pool: Pool, group: string): Promise<SignersRow> {
  const found = await readSigners(pool, group);
  if (!found) throw new Refusal("NOT_FOUND", "There is no such group.");
  const { rows } = await pool.query<{ workstations: string; told: string; changing: string | null }>(
    `SELECT count(w.id) AS workstations,
            count(w.id) FILTER (WHERE (r.document #>> '{signers,membership}')::bigint >= m."order") AS told,
            (SELECT id FROM proposal WHERE group_id = $1 AND state = 'waiting' AND kind = 'signers' AND expires > now()
              ORDER BY asked_at LIMIT 1) AS changing
       FROM workstation w
       LEFT JOIN reported r ON r.workstation_id = w.id
       LEFT JOIN LATERAL (SELECT max("order") AS "order" FROM workstation_statement s
                           WHERE s.workstation_id = w.id AND s.type = 'membership') m ON true
      WHERE w.group_id = $1 AND w.state = 'enrolled'`,
    [group],
  );
  const ids = new Map(found.signers.keys.map(({ id, publicKey }) => [publicKey, id]));
  return {
    ...{ group, name: found.name, needed: found.needed },
    approvers: approversOf(found.signers.keys).map((publicKey) => ({
      ...{ name: found.names[publicKey] ?? "", keyId: ids.get(publicKey)!, publicKey },
    })),
    told: Number(rows[0]!.told),
    workstations: Number(rows[0]!.workstations),
    changing: rows[0]!.changing,
  };
}
