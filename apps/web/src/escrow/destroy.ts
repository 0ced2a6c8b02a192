/** A volume that was wiped → its sealed recovery keys are gone from here: from the inventory and from the record that
 *  brought them, whose entry and proof stand. Told on the console's trail, in the same transaction. */
import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { findRanges, IN_RANGE, inRange } from "../trail/ranges.ts";
import type { RecordAct } from "../trail/recorder.ts";
import { inTransaction } from "../transaction.ts";

type Doomed = {
  trail: number;
  index: string;
  trail_id: string;
  workstation_id: string;
  name: string;
  volume: string;
  slot: number;
  to: string;
  digest: string;
  wiped_by: string;
};

const AT_ONCE_MAX = 100;

/** One transaction each; answers how many. Several workers may look at once. */
export async function destroyWiped(pool: Pool, recordConsole: RecordAct): Promise<number> {
  let destroyed = 0;
  while (destroyed < AT_ONCE_MAX && (await destroyOne(pool, recordConsole))) destroyed++;
  return destroyed;
}

async function destroyOne(pool: Pool, recordConsole: RecordAct): Promise<boolean> {
  return inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<Doomed>(
      `SELECT e.trail, e.index, t.id AS trail_id, e.workstation_id, w.name, e.volume, e.slot, e."to", e.digest, e.wiped_by
         FROM escrow e JOIN trail t ON t.num = e.trail JOIN workstation w ON w.id = e.workstation_id
        WHERE e.wiped_at IS NOT NULL AND e.destroyed_at IS NULL
        ORDER BY e.wiped_at, e.trail, e.index LIMIT 1 FOR UPDATE OF e SKIP LOCKED`,
    );
    const [row] = rows;
    if (row) {
      const { trail, name, volume, slot, to, digest } = row;
      const index = Number(row.index);
      await tx.query("UPDATE escrow SET sealed = NULL, destroyed_at = now() WHERE trail = $1 AND index = $2", [
        trail,
        index,
      ]);
      for (const range of await findRanges(tx, trail, index, index + 1))
        await tx.query(`UPDATE record r SET salt = NULL, content = NULL WHERE ${IN_RANGE}`, inRange(trail, range));
      await recordConsole(tx, {
        kind: "console.escrow-destroyed",
        severity: "notice",
        text: `The sealed recovery key of ${name} (volume ${volume}, slot ${slot}) was destroyed: the volume was wiped`,
        body: {
          subject: `workstation/${row.workstation_id}`,
          detail: { volume, slot, to, digest, command: row.wiped_by, record: { trail: row.trail_id, index } },
        },
      });
    }
    return row !== undefined;
  });
}

const LOOK_MS = 10_000;

export async function keepEscrowDestroyed(
  pool: Pool,
  recordConsole: RecordAct,
  log: Pick<Logger, "info" | "warn">,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const destroyed = await destroyWiped(pool, recordConsole);
      if (destroyed > 0) log.info({ destroyed }, "escrow.destroyed");
    } catch (error) {
      log.warn({ error: (error as Error).message }, "escrow.failed");
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
