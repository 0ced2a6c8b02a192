/** Rollouts ↔ Postgres: for pages and pipelines, and what a person does to one. */
import { issueLine } from "@sallyport/shared/base/issue.ts";
import { type Command, command } from "@sallyport/shared/rollout/command.ts";
import { type GuardState, guardStates } from "@sallyport/shared/rollout/guard.ts";
import { Plan, type Plan as PlanType, planFaults } from "@sallyport/shared/rollout/plan.ts";
import type { Counts, STANDINGS, Standing } from "@sallyport/shared/rollout/standing.ts";
import { isEnded, type RolloutState } from "@sallyport/shared/rollout/state.ts";
import { waveOf, waveWords } from "@sallyport/shared/rollout/wave.ts";
import type { Pool, PoolClient } from "pg";
import { sha256 } from "../trail/sha256.ts";
import { Refusal } from "../trpc/errors.ts";
import { apply, ROLLOUT, type RolloutRow, readRow } from "./apply.ts";
import { count, loadFacts, loadMembers, type Member } from "./facts.ts";
import { type Listed, type RolloutListed, SELECT, toListed } from "./listed.ts";
import { groupFacts, reportSecondsOf } from "./start.ts";

const EVENTS_MAX = 200;
/** Shown of a large group: those that need a look come first, and the counts are of all. */
const MEMBERS_MAX = 500;

export type RolloutEventRow = { id: string; at: string; act: string; by: string | null; text: string };
export type MemberRow = { id: string; name: string; wave: number; toldAt: string | null; standing: Standing };
export type WaveRow = { words: string; soakSeconds: number; counts: Counts; told: number };
export type RolloutFull = Omit<RolloutListed, "waves"> & {
  version: number;
  digest: string;
  plan: PlanType;
  lookedAt: string | null;
  fallback: { order: number; isKept: boolean } | null;
  /** Of the whole group: towards the revision, or, once it is aborted, of those told, back to the fallback. */
  counts: Counts;
  /** Which of the two the counts and standings are about. */
  towards: "revision" | "fallback";
  waves: WaveRow[];
  guards: GuardState[];
  members: MemberRow[];
  membersAll: number;
  /** The newest of them. */
  events: RolloutEventRow[];
  eventsAll: number;
};

export async function getRollout(pool: Pool, id: string): Promise<RolloutFull> {
  const found = await pool.query<Listed>(`${SELECT} WHERE r.id = $1`, [id]);
  const raw = found.rows[0];
  if (!raw) throw new Refusal("NOT_FOUND", "There is no such rollout.");
  const row = { ...raw, ...readRow(raw) };
  const clock = await pool.query<{ now: Date }>("SELECT clock_timestamp() AS now");
  const now = clock.rows[0]!.now;
  const [members, { rows: events }, eventsAll] = await Promise.all([
    loadMembers(pool, row, now),
    listEvents(pool, id),
    countEvents(pool, id),
  ]);
  const facts = await loadFacts(pool, row, members, now);
  const isBack = (row.state.name === "aborting" || row.state.name === "aborted") && row.fallback_order !== null;
  const shown = isBack ? members.flatMap((each) => (each.back ? { ...each, standing: each.back } : [])) : members;
  return {
    ...toListed(row),
    version: row.version,
    digest: row.digest,
    plan: row.plan,
    lookedAt: row.looked_at?.toISOString() ?? null,
    fallback: row.fallback_order === null ? null : { order: row.fallback_order, isKept: row.has_fallback },
    counts: count(shown.map(({ standing }) => standing)),
    towards: isBack ? "fallback" : "revision",
    waves: row.plan.waves.map((wave, at) => ({
      words: waveWords(wave),
      soakSeconds: wave.soakSeconds,
      counts: count(shown.filter((each) => each.wave === at).map(({ standing }) => standing)),
      told: members.filter((each) => each.wave === at && each.toldAt !== null).length,
    })),
    guards: guardStates(row.plan, row.state, facts),
    members: [...shown].sort(worstFirst).slice(0, MEMBERS_MAX).map(toMemberRow),
    membersAll: shown.length,
    events,
    eventsAll,
  };
}

const WORST = ["failed", "unreachable", "waiting", "done"] as const satisfies readonly (typeof STANDINGS)[number][];
const worstFirst = (a: Member, b: Member): number =>
  WORST.indexOf(a.standing.word) - WORST.indexOf(b.standing.word) || a.wave - b.wave || (a.name < b.name ? -1 : 1);
const toMemberRow = ({ id, name, wave, toldAt, standing }: Member): MemberRow => ({
  id,
  name,
  wave,
  toldAt: toldAt?.toISOString() ?? null,
  standing,
});

/** The newest first. `next` is the id that the next page lies below. */
export async function listEvents(
  pool: Pool,
  rollout: string,
  below?: string,
  limit = EVENTS_MAX,
): Promise<{ rows: RolloutEventRow[]; next: string | null }> {
  const { rows } = await pool.query<Omit<RolloutEventRow, "at"> & { at: Date }>(
    `SELECT e.id::text, e.at, e.act, coalesce(who.name, e."by") AS by, e.text
       FROM rollout_event e LEFT JOIN person who ON who.id = e."by"
      WHERE e.rollout_id = $1 AND ($2::bigint IS NULL OR e.id < $2) ORDER BY e.id DESC LIMIT $3`,
    [rollout, below ?? null, limit + 1],
  );
  const page = rows.slice(0, limit).map(({ at, ...row }) => ({ ...row, at: at.toISOString() }));
  return { rows: page, next: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
}

async function countEvents(pool: Pool, rollout: string): Promise<number> {
  const { rows } = await pool.query<{ count: string }>("SELECT count(*) FROM rollout_event WHERE rollout_id = $1", [
    rollout,
  ]);
  return Number(rows[0]!.count);
}

export type Preview = {
  faults: string[];
  waves: { words: string; workstations: number }[];
  workstations: number;
  labels: Record<string, number>;
};

/** Who would be in which wave, were a rollout of this id begun now. */
export async function preview(
  pool: Pool,
  asked: { id: string; group: string; plan: unknown; reportSeconds: number },
): Promise<Preview> {
  const reportSeconds = Math.max(asked.reportSeconds, await reportSecondsOf(pool, asked.group));
  const facts = await groupFacts(pool, asked.group, reportSeconds);
  const whole = { workstations: facts.workstations, labels: facts.labels };
  const read = Plan.safeParse(asked.plan);
  if (!read.success) return { faults: read.error.issues.map(issueLine), waves: [], ...whole };
  const { rows } = await pool.query<{ id: string; labels: string[] }>(
    "SELECT id, labels FROM workstation WHERE group_id = $1 AND state = 'enrolled'",
    [asked.group],
  );
  const waves = read.data.waves.map((wave) => ({ words: waveWords(wave), workstations: 0 }));
  for (const row of rows) waves[waveOf(sha256, read.data, asked.id, row)]!.workstations++;
  return { faults: planFaults(read.data, facts), waves, ...whole };
}

export type Commanding = {
  id: string;
  command: Command;
  reason: string;
  /** The version the person looked at. */
  version: number | undefined;
  by: string;
  now: Date;
};
export type CommandDone = { row: RolloutRow; after: RolloutState };

/** In the caller's transaction. What moved since the person looked is told, not overwritten. */
export async function commandRollout(tx: PoolClient, asked: Commanding): Promise<CommandDone> {
  const { rows } = await tx.query<RolloutRow>(`${ROLLOUT} WHERE r.id = $1 FOR UPDATE OF r`, [asked.id]);
  const row = rows[0] && readRow(rows[0]);
  if (!row) throw new Refusal("NOT_FOUND", "There is no such rollout.");
  if (asked.version !== undefined && asked.version !== row.version && !isEnded(row.state))
    throw new Refusal("CONFLICT", await movedWords(tx, row));
  const said = command(
    { plan: row.plan, hasFallback: row.has_fallback, state: row.state },
    asked.command,
    asked.reason,
  );
  if (!said.ok) throw new Refusal("CONFLICT", said.error);
  await apply(tx, row, said.value, asked.by, asked.now);
  return { row, after: said.value.state };
}

async function movedWords(tx: PoolClient, { id, state }: RolloutRow): Promise<string> {
  const { rows } = await tx.query<{ by: string | null; text: string; at: Date }>(
    `SELECT coalesce(who.name, e."by") AS by, e.text, e.at FROM rollout_event e LEFT JOIN person who ON who.id = e."by"
      WHERE e.rollout_id = $1 ORDER BY e.id DESC LIMIT 1`,
    [id],
  );
  const last = rows[0];
  const who = last?.by ?? "the console";
  const what = last ? ` (${who}, ${last.at.toISOString()}: ${last.text})` : "";
  return `It moved while you looked: it is ${state.name} now${what}. Look again before you change it. Nothing was changed.`;
}
