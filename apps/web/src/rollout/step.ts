/** One look at one rollout, in one transaction: facts → `advance` → rows. A worker that is killed in it has done nothing;
 *  of several workers one looks and the others pass. Called by rollouts.ts. */

import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import { type Advanced, advance } from "@sallyport/shared/rollout/advance.ts";
import { tellsThrough } from "@sallyport/shared/rollout/state.ts";
import type { Pool, PoolClient } from "pg";
import type { RecordAct } from "../trail/recorder.ts";
import { inTransaction } from "../transaction.ts";
import { apply, ROLLOUT, type RolloutRow, readRow, wake } from "./apply.ts";
import { loadFacts, loadMembers, type Member } from "./facts.ts";

/** A look that comes late makes up for no more than this. */
const TELL_MS_MAX = 5_000;
const TELL_MS_FIRST = 1_000;
/** Another worker looked so shortly before that nothing can have changed: the pace holds however many there are. */
const LOOK_MS_MIN = 900;
/** No look for longer than this, or a clock that went back, is a break. */
const BREAK_MS = 60_000;

export type StepDeps = { pool: Pool; recordConsole: RecordAct };

/** `passed`: another worker has it or just had it, or it is over. `telling`: some of the waves let go are still to be told. */
export type Stepped = "passed" | "telling" | "watching";

export async function step({ pool, recordConsole }: StepDeps, id: string, at?: Date): Promise<Stepped> {
  return inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<RolloutRow>(
      `${ROLLOUT} WHERE r.id = $1 AND r.ended_at IS NULL FOR UPDATE OF r SKIP LOCKED`,
      [id],
    );
    const row = rows[0] && readRow(rows[0]);
    if (!row) return "passed";
    const now = at ?? (await clock(tx));
    const lookedAt = row.looked_at?.getTime() ?? null;
    const passedMs = lookedAt === null ? 0 : now.getTime() - lookedAt;
    if (lookedAt !== null && passedMs >= 0 && passedMs < LOOK_MS_MIN) return "passed";
    if (passedMs < 0 || passedMs > BREAK_MS) row.watched_from = now;
    const members = await loadMembers(tx, row, now);
    const facts = await loadFacts(tx, row, members, now);
    const hasFallback = row.has_fallback;
    const decided = advance({ plan: row.plan, hasFallback, state: row.state, lookedAt }, facts, now.getTime());
    await apply(tx, row, decided, null, now);
    await tx.query("UPDATE rollout SET looked_at = $2, watched_from = $3 WHERE id = $1", [id, now, row.watched_from]);
    const left = await tell(tx, row, decided, members, passedMs, now);
    if (row.state.name === "running" || row.state.name === "soaking") await raiseAlert(tx, row, decided, now);
    for (const [at, act] of decided.acts.entries())
      await recordConsole(tx, recordOf(row, decided, act, decided.reasons[at] ?? ""));
    return left > 0 ? "telling" : "watching";
  });
}

/** The database's clock, so that several workers have one. */
async function clock(tx: PoolClient): Promise<Date> {
  const { rows } = await tx.query<{ now: Date }>("SELECT date_trunc('milliseconds', clock_timestamp()) AS now");
  return rows[0]!.now;
}

/** Tells those whose wave has come, as many as the pace allows; answers how many are left. */
async function tell(
  tx: PoolClient,
  row: RolloutRow,
  { state }: Advanced,
  members: readonly Member[],
  passedMs: number,
  now: Date,
): Promise<number> {
  const through = tellsThrough(state);
  const due = members.filter(({ toldAt, wave }) => toldAt === null && wave <= through).sort((a, b) => a.wave - b.wave);
  if (due.length === 0) return 0;
  const ms = row.looked_at === null ? TELL_MS_FIRST : Math.min(TELL_MS_MAX, Math.max(LOOK_MS_MIN, passedMs));
  const some = due.slice(0, Math.max(1, Math.round((row.plan.perSecond * ms) / 1000)));
  await tx.query(
    `INSERT INTO rollout_told (workstation_id, rollout_id, wave, told_at, heard, before)
     SELECT id, $1, wave, $2, heard, coalesce(string_to_array(nullif(before, ''), ','), '{}')
       FROM unnest($3::uuid[], $4::int[], $5::boolean[], $6::text[]) AS told (id, wave, heard, before)
     ON CONFLICT DO NOTHING`,
    [
      row.id,
      now,
      some.map(({ id }) => id),
      some.map(({ wave }) => wave),
      some.map(({ isSeen }) => isSeen),
      some.map(({ unfine }) => unfine.join(",")),
    ],
  );
  await wake(tx, row);
  return due.length - some.length;
}

/** What a guard stopped needs a person. */
async function raiseAlert(tx: PoolClient, row: RolloutRow, { state, reasons }: Advanced, now: Date): Promise<void> {
  if (state.name !== "paused" && state.name !== "aborting" && state.name !== "aborted") return;
  const severity = SEVERITIES.indexOf(state.name === "paused" ? "warning" : "error");
  await tx.query(
    `INSERT INTO alert (key, kind, severity, title, reason, raised_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
     ON CONFLICT (key) DO NOTHING`,
    [
      `rollout/${row.id}/${row.version}`,
      `console.rollout-${state.name}`,
      severity,
      `The rollout of r${row.order} to ${row.group_name} is ${state.name}`,
      reasons[0] ?? "",
      now,
    ],
  );
  await tx.query("SELECT pg_notify('alert', '')");
}

const KINDS = {
  start: "console.rollout-started",
  "next-wave": "console.rollout-wave",
  soak: "console.rollout-soaking",
  pause: "console.rollout-paused",
  "fall-back": "console.rollout-aborting",
  finish: "console.rollout-done",
  end: "console.rollout-aborted",
} as const;

function recordOf(row: RolloutRow, { state }: Advanced, act: keyof typeof KINDS, reason: string) {
  const severity: Severity = act === "pause" || act === "fall-back" || act === "end" ? "warning" : "notice";
  const detail = { group: row.group_id, order: row.order, digest: row.digest, before: row.state, after: state };
  return {
    kind: KINDS[act],
    severity,
    text: `rollout of r${row.order} to ${row.group_name}: ${reason}`.slice(0, 900),
    body: { subject: `rollout/${row.id}`, detail },
  };
}
