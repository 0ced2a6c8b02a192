/** What a workstation said that it has in force, one publication of its group after the other. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type pg from "pg";
import { storeApplied } from "../../apps/web/src/ingest/applied.ts";

const HOUR_MS = 3_600_000;

export async function seedApplied(pool: pg.Pool, workstation: string): Promise<void> {
  const { rows } = await pool.query<{ order: number; digest: string; trail: number; size: string }>(
    `SELECT p."order", p.digest, t.num AS trail, t.size FROM workstation w
       JOIN publication p ON p.group_id = w.group_id JOIN trail t ON t.workstation_id = w.id
      WHERE w.id = $1 ORDER BY p."order"`,
    [workstation],
  );
  const tx = await pool.connect();
  try {
    for (const [at, { order, digest, trail, size }] of rows.entries()) {
      const timeMs = Date.now() - (rows.length - at) * 9 * HOUR_MS;
      const from = { workstation: workstation as WorkstationId, trail, index: Number(size) + at, timeMs };
      const ids =
        at === 0
          ? ({ outcome: "failed", reason: "Suricata does not run: blind" } as const)
          : { outcome: "applied" as const };
      const applied = { outcome: "applied" as const };
      const outcomes = { usb: applied, network: applied, ids, log: applied, disk: applied, agent: applied };
      await storeApplied(tx, from, { order, digest: digest as never, outcomes }, timeMs + 800);
    }
  } finally {
    tx.release();
  }
}
