/** Records that came before the inventory of recovery keys was kept → what would have been made of them: a row for each
 *  sealed key, and the mark on those whose volume was wiped since. Done once more, it changes nothing. */
import { setTimeout as delay } from "node:timers/promises";
import { DiskRecovery, DiskWiped } from "@sallyport/shared/record/disk.ts";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { doomEscrow, storeEscrow } from "./escrow.ts";

/** From here on it is kept as records come in; a worker of before may have gone on for a while beside it. */
const SINCE = `SELECT finished_at + interval '1 day' FROM _prisma_migrations
  WHERE migration_name = '20261128213000_escrow' AND rolled_back_at IS NULL`;
const AT_ONCE_MAX = 200;
const RETRY_MS = 10_000;

type Found = { trail: number; index: string; workstation: string; kind: string; content: Buffer; received: Date };

/** Partition by partition, oldest first, each row in a statement of its own; answers how many were made. */
export async function fillEscrow(pool: Pool): Promise<number> {
  const { rows: partitions } = await pool.query<{ received_from: Date; received_to: Date }>(
    `SELECT received_from, received_to FROM record_partition WHERE received_from < (${SINCE}) ORDER BY received_from`,
  );
  let made = 0;
  for (const { received_from, received_to } of partitions) {
    for (let [trail, index] = [0, "-1"]; ; ) {
      // where the partition is sealed they are found by the kind's index
      const { rows } = await pool.query<Found>(
        `SELECT r.trail, r.index, t.workstation_id AS workstation, r.kind, r.content, r.received
           FROM record r JOIN trail t ON t.num = r.trail
          WHERE r.received >= $1::timestamptz AND r.received < $2::timestamptz
            AND r.kind IN ('disk.recovery', 'disk.wiped') AND r.content IS NOT NULL AND t.workstation_id IS NOT NULL
            AND (r.trail, r.index) > ($3::int, $4::bigint)
            AND NOT EXISTS (SELECT 1 FROM escrow e WHERE e.trail = r.trail AND e.index = r.index)
          ORDER BY r.trail, r.index LIMIT ${AT_ONCE_MAX}`,
        [received_from, received_to, trail, index],
      );
      for (const row of rows) if (await fillOne(pool, row)) made++;
      const last = rows.at(-1);
      if (!last || rows.length < AT_ONCE_MAX) break;
      ({ trail, index } = last);
    }
  }
  return made;
}

async function fillOne(pool: Pool, { kind, content, received, workstation, trail, index }: Found): Promise<boolean> {
  const from = { workstation, trail, index: Number(index) };
  const body = bodyOf(content);
  if (kind === "disk.recovery") {
    const read = DiskRecovery.safeParse(body);
    return read.success && (await storeEscrow(pool, from, read.data, received.getTime()));
  }
  const read = DiskWiped.safeParse(body);
  if (read.success) await doomEscrow(pool, from, read.data, received.getTime());
  return false;
}

function bodyOf(content: Buffer): unknown {
  try {
    return (JSON.parse(content.toString("utf8")) as { body?: unknown }).body;
  } catch {
    return undefined; // nor was it looked into as it came
  }
}

/** Until it was done once. */
export async function untilEscrowFilled(
  pool: Pool,
  log: Pick<Logger, "info" | "warn">,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const filled = await fillEscrow(pool);
      if (filled > 0) log.info({ filled }, "escrow.filled");
      return;
    } catch (error) {
      log.warn({ error: (error as Error).message }, "escrow.unfilled");
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
