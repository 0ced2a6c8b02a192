/** Rows of inputs, the policies and the files that a replay asks for ↔ Postgres. Each statement is short and sees what is
 *  committed when it runs: a replay holds no snapshot. */
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { Input, type Seen } from "@sallyport/shared/replay/input.ts";
import type { Pool } from "pg";
import { Refusal } from "../trpc/errors.ts";

/** Rows in one statement. */
export const PAGE_ROWS_MAX = 20_000;
const HASHES_MAX = 5_000;
/** Files that either policy denies, in all the group's records. */
const DENIED_MAX = 200_000;

export type Group = { id: string; name: string };

/** By its id or its name. */
export async function findGroup(pool: Pool, named: string): Promise<Group> {
  const { rows } = await pool.query<Group>('SELECT id, name FROM "group" WHERE id::text = $1 OR name = $1', [named]);
  const [only, another] = rows;
  if (!only || another) throw new Refusal("NOT_FOUND", `There is ${only ? "more than one" : "no"} group ${named}.`);
  return only;
}

export type Standing = { order: number | null; policy: Policy };

/** What the whole group should have; a group with none has the strict defaults. */
export async function policyInForce(pool: Pool, group: string): Promise<Standing> {
  const { rows } = await pool.query<{ order: number; canonical: string }>(
    `SELECT p."order", r.canonical FROM wanted(NULL, $1) p JOIN revision r ON r.digest = p.digest`,
    [group],
  );
  const row = rows[0];
  if (!row) return { order: null, policy: Policy.parse({}) };
  return { order: row.order, policy: Policy.parse(JSON.parse(row.canonical)) };
}

export async function policyOf(pool: Pool, group: string, order: number): Promise<Policy> {
  const { rows } = await pool.query<{ canonical: string }>(
    `SELECT r.canonical FROM publication p JOIN revision r ON r.digest = p.digest WHERE p.group_id = $1 AND p."order" = $2`,
    [group, order],
  );
  if (!rows[0]) throw new Refusal("NOT_FOUND", `This group has no revision ${order}.`);
  return Policy.parse(JSON.parse(rows[0].canonical));
}

export type ReplayedTrail = { num: number; workstation: { id: string; name: string }; waiting: number };

/** `waiting`: records that are not among the inputs yet. */
export async function listTrails(pool: Pool, group: string): Promise<ReplayedTrail[]> {
  const { rows } = await pool.query<{ num: number; id: string; name: string; waiting: string }>(
    `SELECT t.num, w.id, w.name, t.size - least(t.size, coalesce(c.next, 0)) AS waiting
       FROM workstation w JOIN trail t ON t.workstation_id = w.id LEFT JOIN replay_cursor c ON c.trail = t.num
      WHERE w.group_id = $1 AND w.state <> 'revoked' ORDER BY t.num`,
    [group],
  );
  return rows.map(({ num, id, name, waiting }) => ({ num, workstation: { id, name }, waiting: Number(waiting) }));
}

export type Place = { bucket: number; input: number; guest: string };

type Raw = [number, string, string, string, string, string, number, number];

/** In order of time, after `after`. */
export async function listSeen(pool: Pool, trail: number, after: Place, limit: number): Promise<Seen[]> {
  const { rows } = await pool.query<Raw>({
    name: "replay-seen",
    text: `SELECT bucket, input, guest, count, first_index, last_index, first_ms, last_ms FROM replay_seen
            WHERE trail = $1 AND (bucket, input, guest) > ($2, $3, $4) ORDER BY bucket, input, guest LIMIT $5`,
    values: [trail, after.bucket, after.input, after.guest, limit],
    rowMode: "array",
  });
  return rows.map(([bucket, input, guest, count, firstIndex, lastIndex, firstMs, lastMs]) => ({
    trail,
    bucket,
    input: Number(input),
    guest,
    count: Number(count),
    firstIndex: Number(firstIndex),
    lastIndex: Number(lastIndex),
    firstMs,
    lastMs,
  }));
}

export async function listInputs(pool: Pool, ids: readonly number[]): Promise<Map<number, Input>> {
  if (ids.length === 0) return new Map();
  const { rows } = await pool.query<[string, string]>({
    text: "SELECT id, body FROM replay_input WHERE id = ANY($1::bigint[])",
    values: [ids],
    rowMode: "array",
  });
  return new Map(rows.map(([id, body]) => [Number(id), Input.parse(JSON.parse(body))]));
}

export type DeniedFile = { trail: number; index: number; sha256: string };

/** Files in these trails with one of these hashes, by the index of all files. */
export async function listDenied(
  pool: Pool,
  trails: readonly number[],
  hashes: readonly string[],
): Promise<DeniedFile[]> {
  const found: DeniedFile[] = [];
  for (let at = 0; at < hashes.length; at += HASHES_MAX) {
    const { rows } = await pool.query<{ trail: number; index: string; sha256: string }>(
      `SELECT DISTINCT trail, index, sha256 FROM manifest_file WHERE sha256 = ANY($1) AND trail = ANY($2::int[]) LIMIT $3`,
      [hashes.slice(at, at + HASHES_MAX), trails, DENIED_MAX - found.length + 1],
    );
    for (const row of rows) found.push({ ...row, index: Number(row.index) });
    if (found.length > DENIED_MAX)
      throw new Refusal(
        "PRECONDITION_FAILED",
        `More than ${DENIED_MAX} recorded files are denied by hash: the replay would not fit. Deny fewer at once.`,
      );
  }
  return found;
}
