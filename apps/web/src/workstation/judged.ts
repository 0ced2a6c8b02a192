/** How a workstation is, judged where the rows are: what status.ts and drift.ts say of one, as SQL over `w`, and what
 *  JOINS names. test/fleet.test.ts holds the two together. */
import { SECTIONS } from "@sallyport/shared/policy/policy.ts";
import { LATE_INTERVALS, LATE_MS, SILENT_INTERVALS, SILENT_MS, WAY_MS } from "./status.ts";

/** What should be in force as `p`, what was reported as `r`; `pv` and `rv` are the revisions of the two. */
export const JOINS = `
    LEFT JOIN LATERAL wanted(w.id, w.group_id) p ON true
    LEFT JOIN reported r ON r.workstation_id = w.id
    LEFT JOIN revision pv ON pv.digest = p.digest
    LEFT JOIN revision rv ON rv.digest = (r.document #>> '{policy,digest}')::char(64)`;
export const HEALTH_SECONDS = "greatest(pv.health_seconds, rv.health_seconds)";

const within = (leastMs: number, intervals: number) =>
  `greatest(interval '${leastMs} ms', make_interval(secs => ${intervals} * coalesce(${HEALTH_SECONDS}, 0) + ${WAY_MS / 1000}))`;

/** A `StatusWord`; $1 is now. */
export const STATUS = `CASE WHEN w.state <> 'enrolled' THEN w.state
  WHEN w.last_receipt_at IS NULL THEN 'no record yet'
  WHEN $1::timestamptz - w.last_receipt_at <= ${within(LATE_MS, LATE_INTERVALS)} THEN 'reporting'
  WHEN $1::timestamptz - w.last_receipt_at <= ${within(SILENT_MS, SILENT_INTERVALS)} THEN 'late' ELSE 'silent' END`;

export const LAGS = `(r.document #>> '{policy,digest}' IS DISTINCT FROM p.digest
  OR (r.document #>> '{policy,order}')::bigint < p."order")`;

/** A `PolicyWord`. */
export const POLICY = `CASE WHEN p.digest IS NULL THEN 'unpublished' WHEN r.document IS NULL THEN 'unknown' WHEN ${LAGS} THEN 'behind'
  WHEN EXISTS (SELECT 1 FROM unnest('{${SECTIONS.join(",")}}'::text[]) AS section
                WHERE coalesce(r.document #>> ARRAY['sections', section, 'outcome'], '') NOT IN ('applied', 'audit'))
  THEN 'partial' ELSE 'none' END`;

/** An `IsolationKey`. */
export const ISOLATION = `CASE coalesce(r.document #>> '{layout,isolation}', '') WHEN '' THEN 'unreported'
  WHEN 'none' THEN CASE r.document #>> '{layout,hypervisor}' WHEN 'none' THEN 'no-hypervisor' ELSE 'no-guest' END
  ELSE r.document #>> '{layout,isolation}' END`;
