/** Which of the 256 shards this worker reads: advisory locks on a connection of its own, shared evenly with the other
 *  workers. Only spreads the work: two workers that both believe they hold a shard still cannot both commit. */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";

export const SHARDS = 256;
const SHARD_CLASS = 0x5a10;
const MEMBER_CLASS = 0x5a11;
const LOOK_MS = 1_000;
/** How soon Postgres notices that a worker's machine is gone. */
const KEEPALIVE = "SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 2";

export const shardName = (shard: number): string => shard.toString(16).padStart(2, "0");

/** How many to take or to give back so that `workers` share evenly. Pure. */
export function share(held: number, workers: number): { take: number; give: number } {
  const most = Math.ceil(SHARDS / Math.max(1, workers));
  return { take: Math.max(0, most - held), give: Math.max(0, held - most) };
}

export type ShardDeps = {
  databaseUrl: string;
  log: Logger;
  /** Called with what is newly held; subscribes. */
  gained(shards: string[]): Promise<void>;
  /** Called before locks are given back, or after they are lost; unsubscribes and lets what waits go in. */
  lost(shards: string[]): Promise<void>;
};

export async function holdShards(deps: ShardDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const held = new Set<number>();
    const client = new pg.Client({ connectionString: deps.databaseUrl, keepAlive: true });
    let gone: Error | undefined;
    client.on("error", (error) => {
      gone = error;
    });
    try {
      await client.connect();
      await client.query(KEEPALIVE);
      await client.query("SELECT pg_advisory_lock_shared($1, pg_backend_pid())", [MEMBER_CLASS]);
      while (!signal.aborted && !gone) {
        await balance(client, held, deps);
        await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
      }
      if (gone) throw gone;
      await deps.lost([...held].map(shardName));
    } catch (error) {
      deps.log.warn({ error: (error as Error).message, shards: held.size }, "shards.lost");
      await deps.lost([...held].map(shardName)).catch(() => undefined);
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    } finally {
      await client.end().catch(() => undefined); // locks go with the connection
    }
  }
}

type Lock = { classid: string; objid: string; mine: boolean };

async function balance(client: pg.Client, held: Set<number>, deps: ShardDeps): Promise<void> {
  const { rows } = await client.query<Lock>(
    `SELECT classid, objid, pid = pg_backend_pid() AS mine FROM pg_locks
      WHERE locktype = 'advisory' AND granted AND classid IN ($1, $2)
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [SHARD_CLASS, MEMBER_CLASS],
  );
  const workers = rows.filter(({ classid }) => Number(classid) === MEMBER_CLASS).length;
  const taken = new Set(
    rows.filter(({ classid }) => Number(classid) === SHARD_CLASS).map(({ objid }) => Number(objid)),
  );
  const { take, give } = share(held.size, workers);
  if (give > 0) await giveBack(client, held, [...held].slice(-give), deps);
  if (take > 0) await takeFree(client, held, taken, take, deps);
}

async function giveBack(client: pg.Client, held: Set<number>, shards: number[], deps: ShardDeps): Promise<void> {
  for (const shard of shards) held.delete(shard);
  await deps.lost(shards.map(shardName));
  await client.query("SELECT pg_advisory_unlock($1, shard) FROM unnest($2::int[]) AS shard", [SHARD_CLASS, shards]);
  deps.log.info({ held: held.size, given: shards.length }, "shards.given");
}

async function takeFree(
  client: pg.Client,
  held: Set<number>,
  taken: Set<number>,
  most: number,
  deps: ShardDeps,
): Promise<void> {
  const free = Array.from({ length: SHARDS }, (_, shard) => shard).filter((shard) => !taken.has(shard));
  if (free.length === 0) return;
  const { rows } = await client.query<{ shard: number; got: boolean }>(
    "SELECT shard, pg_try_advisory_lock($1, shard) AS got FROM unnest($2::int[]) AS shard",
    [SHARD_CLASS, free.slice(0, most)],
  );
  const got = rows.filter((row) => row.got).map(({ shard }) => shard);
  for (const shard of got) held.add(shard);
  if (got.length === 0) return;
  deps.log.info({ held: held.size, taken: got.length }, "shards.taken");
  await deps.gained(got.map(shardName));
}
