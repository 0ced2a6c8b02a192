/** What was judged → one transaction: compare-and-set on the trails' rows, COPY of the records, tiles, projections.
 *  Either all of it is there or nothing is. */
import { origin } from "@sallyport/shared/trail/checkpoint.ts";
import { type Loss, signLoss } from "@sallyport/shared/trail/loss.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { edgeBytes } from "@sallyport/shared/trail/tree.ts";
import type { Pool, PoolClient } from "pg";
import { hash } from "../trail/crypto.ts";
import { inTransaction } from "../transaction.ts";
import { copyBundles, copyRecords, copyTiles } from "./copy.ts";
import type { Append, Judged } from "./judge.ts";
import { type Alert, project, storeAlerts } from "./project.ts";
import { keepRefused } from "./quarantine.ts";

/** Another worker moved one of these trails, its workstation is no longer enrolled, or the partition was split: judge again
 *  from the rows. */
export class Stale extends Error {}

export type Place = { receivedMs: number; name: string };
export type Committed = { epoch: number };

/** NOTIFY carries at most 8,000 bytes: a listener that finds no list looks at everything. */
const TRAILS_NOTIFIED_MAX = 500;

export async function commit(pool: Pool, signer: Signer, judged: Judged, place: Place): Promise<Committed> {
  return inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ epoch: number }>("SELECT epoch FROM console_state");
    const epoch = rows[0]!.epoch;
    const alerts = judged.appends.length > 0 ? await append(tx, signer, judged.appends, place, epoch) : [];
    alerts.push(...(await keepRefused(tx, judged.refused, judged.clones)));
    await storeAlerts(tx, alerts);
    if (judged.appends.length > 0) await announce(tx, judged.appends, place);
    return { epoch };
  });
}

async function append(
  tx: PoolClient,
  signer: Signer,
  appends: readonly Append[],
  place: Place,
  epoch: number,
): Promise<Alert[]> {
  for (const each of appends) if (each.opened) await open(tx, each, place);
  await move(tx, appends, place);
  await copyRecords(tx, appends, place.receivedMs);
  const withTrail = <T extends object>({ trail }: Append, rows: T[]) =>
    rows.map((row) => ({ ...row, trail: trail.num }));
  await copyTiles(
    tx,
    appends.flatMap((each) => withTrail(each, each.tiles)),
  );
  await copyBundles(
    tx,
    appends.flatMap((each) => withTrail(each, each.bundles)),
  );
  const alerts = await project(tx, appends, place.receivedMs);
  for (const each of appends) if (each.opened) alerts.push(...(await goOn(tx, signer, each, epoch)));
  return alerts;
}

async function open(tx: PoolClient, { trail, opened, session }: Append, place: Place): Promise<void> {
  const { rowCount } = await tx.query(
    `INSERT INTO trail (num, id, workstation_id, origin, public_key, edge, session, previous_id, previous_size, opened_at)
     SELECT $1, $2, w.id, $3, w.trail_key, '', $4, $5, $6, $7 FROM workstation w WHERE w.id = $8
     ON CONFLICT (id) DO NOTHING`,
    [
      trail.num,
      trail.id,
      origin(trail.workstation, trail.id),
      session,
      opened?.previous?.trail ?? null,
      opened?.previous?.size ?? null,
      new Date(place.receivedMs),
      trail.workstation,
    ],
  );
  if (rowCount !== 1) throw new Stale(`trail ${trail.id} was opened by another worker`);
}

/** Compare-and-set: all trails move, or none. In order of their numbers, so that two workers never wait in a ring. */
async function move(tx: PoolClient, appends: readonly Append[], place: Place): Promise<void> {
  const rows = [...appends].sort((a, b) => a.trail.num - b.trail.num);
  const workstations = new Set(rows.map(({ trail }) => trail.workstation));
  for (const { trail, before } of rows)
    if (trail.range?.partition !== place.name) trail.range = { from: before, partition: place.name };
  const moved = await tx.query<{ trails: string; workstations: string }>(
    `WITH v AS (SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bytea[], $5::text[], $6::uuid[], $7::uuid[],
                                     $8::timestamptz[], $9::bigint[])
                  AS v (num, expected, size, edge, checkpoint, session, workstation, newest, range_from)),
          t AS (UPDATE trail SET size = v.size, safe = v.size, edge = v.edge, checkpoint = v.checkpoint,
                                 session = v.session, received_at = $10
                  FROM v WHERE trail.num = v.num AND trail.size = v.expected AND trail.state = 'open' RETURNING 1),
          r AS (INSERT INTO record_range (trail, "from", "to", partition) SELECT num, range_from, size, $11 FROM v
                ON CONFLICT (trail, "from") DO UPDATE SET "to" = excluded."to"),
          w AS (UPDATE workstation SET last_receipt_at = $10, last_record_time = x.newest
                  FROM (SELECT workstation, max(newest) AS newest FROM v GROUP BY workstation) x
                 WHERE workstation.id = x.workstation AND workstation.state = 'enrolled' RETURNING 1)
     SELECT (SELECT count(*) FROM t) AS trails, (SELECT count(*) FROM w) AS workstations`,
    [
      rows.map(({ trail }) => trail.num),
      rows.map(({ before }) => before),
      rows.map(({ trail }) => trail.edge.size),
      rows.map(({ trail }) => Buffer.from(edgeBytes(trail.edge))),
      rows.map(({ checkpoint }) => checkpoint),
      rows.map(({ session }) => session),
      rows.map(({ trail }) => trail.workstation),
      rows.map((each) => new Date(each.newestMs)),
      rows.map(({ trail }) => trail.range!.from),
      new Date(place.receivedMs),
      place.name,
    ],
  );
  const found = moved.rows[0]!;
  if (Number(found.trails) !== rows.length || Number(found.workstations) !== workstations.size)
    throw new Stale(`${found.trails} of ${rows.length} trails stood where this worker believed`);
}

type Closed = { num: number; id: string; size: string };

/** A trail that begins closes what its workstation had open. What a restored console lost and the agent no longer holds
 *  is named in a signed loss range. */
async function goOn(tx: PoolClient, signer: Signer, { trail, opened }: Append, epoch: number): Promise<Alert[]> {
  const previous = opened?.previous;
  const state = previous?.reason === "fork" || previous?.reason === "older-disk" ? "forked" : "closed";
  const closed = await tx.query<Closed>(
    `UPDATE trail SET state = $3 WHERE workstation_id = $1 AND num <> $2 AND state = 'open' RETURNING num, id, size`,
    [trail.workstation, trail.num, state],
  );
  const about = (key: string, title: string, reason: string): Alert => ({
    key: `${key}/${trail.num}`,
    kind: "trail.opened",
    severity: "critical",
    title,
    reason,
    workstation: trail.workstation,
    trail: trail.num,
    index: 0,
  });
  if (!previous) {
    const left = closed.rows[0];
    if (!left) return [];
    return [about("unlinked", "A new trail names no older one", `trail ${left.id} with ${left.size} records was open`)];
  }
  const { rows } = await tx.query<Closed>("SELECT num, id, size FROM trail WHERE id = $1 AND workstation_id = $2", [
    previous.trail,
    trail.workstation,
  ]);
  const old = rows[0];
  if (!old) {
    const reason = `it goes on from ${previous.trail}, of which nothing is stored`;
    return [about("unlinked", "A new trail goes on from one that is not here", reason)];
  }
  const has = Number(old.size);
  const indexedAnew = previous.reason === "older-disk" || previous.reason === "fork";
  if (previous.size <= has || indexedAnew) return [];
  const loss: Loss = {
    workstation: trail.workstation,
    trail: previous.trail,
    from: has,
    to: previous.size,
    epoch,
    reason: previous.reason,
    time: new Date().toISOString(),
  };
  const statement = signLoss(hash, signer, loss);
  await tx.query(
    `INSERT INTO loss (trail, "from", "to", epoch, statement) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
    [old.num, has, previous.size, epoch, statement],
  );
  const reason = `records ${has} to ${previous.size - 1} of trail ${previous.trail} are nowhere any more: ${previous.reason}`;
  return [about("loss", "Records were lost for good", reason)];
}

/** Last, so that the partition's row is held as shortly as can be. The records are in by now and hold off a split: if the
 *  row does not hold their time any more, they went into another partition than their ranges name. */
async function announce(tx: PoolClient, appends: readonly Append[], place: Place): Promise<void> {
  const count = appends.reduce((sum, each) => sum + each.count, 0);
  const trails = appends.length <= TRAILS_NOTIFIED_MAX ? appends.map(({ trail }) => trail.num) : [];
  const through = new Date(place.receivedMs).toISOString();
  const { rows } = await tx.query<{ held: string }>(
    `WITH p AS (UPDATE record_partition SET records = records + $1::int
                 WHERE name = $2 AND received_from <= $4 AND received_to > $4 RETURNING 1)
     SELECT (SELECT count(*) FROM p) AS held, pg_notify('record', $3)`,
    [count, place.name, JSON.stringify({ trails, through }), new Date(place.receivedMs)],
  );
  if (rows[0]!.held !== "1") throw new Stale(`partition ${place.name} ends before ${through}`);
}
