/** Rows → the facts of one look: how each workstation of the group stands, by what it reported, and the alerts. */
import type { SectionName } from "@sallyport/shared/policy/policy.ts";
import type { Facts } from "@sallyport/shared/rollout/guard.ts";
import type { Plan } from "@sallyport/shared/rollout/plan.ts";
import {
  type Counts,
  type Found,
  NOBODY,
  type Seen,
  type Standing,
  standing,
  unfine,
  unheardMs,
} from "@sallyport/shared/rollout/standing.ts";
import { waveOf } from "@sallyport/shared/rollout/wave.ts";
import type { Pool, PoolClient } from "pg";
import { sha256 } from "../trail/sha256.ts";

/** What a workstation usually raises is taken from so long a time before it was told. */
const BASELINE_SECONDS = 7 * 86_400;
/** The clocks of worker and database may differ by so much. */
const AHEAD_MS_MAX = 60_000;

export type Followed = {
  id: string;
  group_id: string;
  order: number;
  digest: string;
  plan: Plan;
  report_seconds: number;
  watched_from: Date | null;
  fallback_order: number | null;
  fallback_digest: string | null;
};

export type Member = {
  id: string;
  name: string;
  wave: number;
  toldAt: Date | null;
  /** Now, and at the moment it was told. */
  isHeard: boolean;
  wasHeard: boolean;
  /** As its rows say, whoever was looking. */
  isSeen: boolean;
  standing: Standing;
  /** Against the fallback; of those that were told, where there is one. */
  back: Standing | undefined;
  /** Sections that are not as the policy in force says. */
  unfine: SectionName[];
  refused: boolean;
};

type Raw = {
  id: string;
  name: string;
  labels: string[];
  wave: number | null;
  told_at: Date | null;
  heard: boolean | null;
  before: string[] | null;
  digest: string | null;
  order: string | null;
  sections: Found["sections"] | null;
  refused: Found["refused"];
  unheard_ms: number | null;
};

/** Each enrolled workstation of the group. One that was told stays in the wave it was told in; for the others it is
 *  worked out anew, so that a label that was given or taken counts. */
export async function loadMembers(db: Pool | PoolClient, rollout: Followed, now: Date): Promise<Member[]> {
  const { rows } = await db.query<Raw>(
    `SELECT w.id, w.name, w.labels, t.wave, t.told_at, t.heard, t.before,
            r.document #>> '{policy,digest}' AS digest, r.document #>> '{policy,order}' AS "order",
            r.document -> 'sections' AS sections, r.document -> 'refused' AS refused,
            (extract(epoch FROM $3::timestamptz - greatest(r.received_at, w.last_receipt_at)) * 1000)::float8 AS unheard_ms
       FROM workstation w
       LEFT JOIN rollout_told t ON t.workstation_id = w.id AND t.rollout_id = $1
       LEFT JOIN reported r ON r.workstation_id = w.id
      WHERE w.group_id = $2 AND w.state = 'enrolled' ORDER BY w.name, w.id`,
    [rollout.id, rollout.group_id, now],
  );
  // while nobody looked nobody's reports were taken either: silence counts from when looking began again
  const watchedMs = rollout.watched_from
    ? Math.max(0, now.getTime() - rollout.watched_from.getTime())
    : Number.POSITIVE_INFINITY;
  return rows.map((raw) => toMember(raw, rollout, watchedMs));
}

function toMember(raw: Raw, rollout: Followed, watchedMs: number): Member {
  const { plan, digest, order, fallback_order, fallback_digest } = rollout;
  const found: Found | null = raw.sections && {
    digest: raw.digest,
    order: raw.order === null ? null : Number(raw.order),
    sections: raw.sections,
    refused: raw.refused,
  };
  const told = raw.told_at && { before: raw.before ?? [], heard: raw.heard ?? false };
  const seen: Seen = {
    told,
    found,
    unheardForMs: unheardFor(raw.unheard_ms, watchedMs),
  };
  const unheardMax = unheardMs(rollout.report_seconds);
  const isHeard = seen.unheardForMs !== null && seen.unheardForMs <= unheardMax;
  return {
    id: raw.id,
    name: raw.name,
    wave: raw.wave ?? waveOf(sha256, plan, rollout.id, raw),
    toldAt: raw.told_at,
    isHeard,
    isSeen: raw.unheard_ms !== null && raw.unheard_ms <= unheardMax,
    wasHeard: raw.heard ?? false,
    standing: standing({ digest, order }, seen, unheardMax),
    back:
      told && fallback_order !== null && fallback_digest !== null
        ? standing({ digest: fallback_digest, order: fallback_order }, seen, unheardMax)
        : undefined,
    unfine: unfine(found),
    refused: told !== null && found?.refused?.order === order && found.digest !== digest,
  };
}

/** A moment that lies ahead is from before the clock went back. */
function unheardFor(ms: number | null, watchedMs: number): number | null {
  if (ms === null) return null;
  if (ms < -AHEAD_MS_MAX && Number.isFinite(watchedMs)) return watchedMs;
  return Math.min(watchedMs, Math.max(0, ms));
}

export async function loadFacts(
  db: Pool | PoolClient,
  rollout: Followed,
  members: readonly Member[],
  now: Date,
): Promise<Facts> {
  const told = members.filter(({ toldAt }) => toldAt !== null);
  const heard = told.filter(({ wasHeard }) => wasHeard);
  return {
    waves: rollout.plan.waves.map((_, at) => count(members.filter(({ wave }) => wave === at).map((m) => m.standing))),
    told: count(told.map((member) => member.standing)),
    refused: told.filter(({ refused }) => refused).length,
    heard: heard.length,
    silent: heard.filter(({ isHeard }) => !isHeard).length,
    alerts: await countAlerts(db, rollout.id, now),
    back: count(told.flatMap(({ back }) => back ?? [])),
  };
}

export function count(standings: readonly Standing[]): Counts {
  const counts = { ...NOBODY };
  for (const { word } of standings) counts[word]++;
  return counts;
}

/** A refused statement has a guard of its own. */
async function countAlerts(db: Pool | PoolClient, rollout: string, now: Date): Promise<Facts["alerts"]> {
  const { rows } = await db.query<{ since: string; before: number | null }>(
    `SELECT count(*) FILTER (WHERE a.raised_at >= t.told_at) AS since,
            sum(extract(epoch FROM $2::timestamptz - t.told_at) / $3) FILTER (WHERE a.raised_at < t.told_at)::float8 AS before
       FROM rollout_told t JOIN alert a ON a.workstation_id = t.workstation_id
        AND a.raised_at >= t.told_at - make_interval(secs => $3) AND a.kind <> 'policy.refused'
      WHERE t.rollout_id = $1`,
    [rollout, now, BASELINE_SECONDS],
  );
  return { since: Number(rows[0]?.since ?? 0), before: Math.max(0, rows[0]?.before ?? 0) };
}
