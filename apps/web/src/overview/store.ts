/** What the first page and the menu show; every number here is cheap on a store of any size. */
import type { Pool } from "pg";
import { FAILING_MS } from "../destination/destination.ts";

/** `forked` and `lossy` are what is known of trails, not a proof: that one is whole is shown by verifying it. */
export type Counts = {
  workstations: number;
  alerts: number;
  held: number;
  /** Things that are blocked by hand. */
  denied: number;
  /** Destinations that alerts have not reached for long. */
  undelivered: number;
  trails: number;
  forked: number;
  lossy: number;
};

export async function readCounts(pool: Pool): Promise<Counts> {
  const { rows } = await pool.query<Record<keyof Counts, string>>(
    `SELECT (SELECT count(*) FROM workstation WHERE state <> 'revoked') AS workstations,
            (SELECT count(*) FROM alert WHERE state = 'open') AS alerts,
            (SELECT count(*) FROM scan WHERE verdict = 'hold' AND received > now() - interval '1 day') AS held,
            (SELECT count(*) FROM deny WHERE lifted_at IS NULL AND until > now()) AS denied,
            (SELECT count(*) FROM destination
              WHERE enabled AND failing_since < now() - make_interval(secs => ${FAILING_MS / 1_000})) AS undelivered,
            (SELECT count(*) FROM trail) AS trails,
            (SELECT count(*) FROM trail WHERE state = 'forked') AS forked,
            (SELECT count(DISTINCT trail) FROM loss) AS lossy`,
  );
  const row = rows[0];
  const number = (key: keyof Counts) => Number(row?.[key] ?? 0);
  return {
    workstations: number("workstations"),
    alerts: number("alerts"),
    held: number("held"),
    denied: number("denied"),
    undelivered: number("undelivered"),
    trails: number("trails"),
    forked: number("forked"),
    lossy: number("lossy"),
  };
}

export type Store = {
  records: number;
  partitions: number;
  quarantined: number;
  latest: string | null;
  console: number;
};

export async function readStore(pool: Pool): Promise<Store> {
  const { rows } = await pool.query<{
    records: string;
    console: string;
    partitions: string;
    quarantined: string;
    latest: Date | null;
  }>(
    `SELECT (SELECT coalesce(sum(size), 0) FROM trail WHERE workstation_id IS NOT NULL) AS records,
            (SELECT coalesce(sum(size), 0) FROM trail WHERE workstation_id IS NULL) AS console,
            (SELECT count(*) FROM record_partition) AS partitions,
            (SELECT coalesce(sum(greatest(more, 1) + again), 0) FROM quarantine WHERE received > now() - interval '1 day') AS quarantined,
            (SELECT max(last_receipt_at) FROM workstation) AS latest`,
  );
  const row = rows[0];
  return {
    records: Number(row?.records ?? 0),
    console: Number(row?.console ?? 0),
    partitions: Number(row?.partitions ?? 0),
    quarantined: Number(row?.quarantined ?? 0),
    latest: row?.latest?.toISOString() ?? null,
  };
}
