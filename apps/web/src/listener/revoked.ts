/** Revoked certificates → the file our broker reads, and the list that outside brokers are given. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Pool } from "pg";
import type { Logger } from "pino";
import type { Revoked } from "./authority.ts";

const LOOK_MS = 2_000;

/** Of those whose certificates still run: a revoked workstation's too, whoever forgot its certificates. */
export async function listRevoked(pool: Pool): Promise<Revoked[]> {
  const { rows } = await pool.query<{ serial: string; revoked_at: Date }>(
    `SELECT c.serial, coalesce(c.revoked_at, c.not_before) AS revoked_at
       FROM certificate c JOIN workstation w ON w.id = c.workstation_id
      WHERE c.not_after > now() AND (c.revoked_at IS NOT NULL OR w.state = 'revoked') ORDER BY c.serial`,
  );
  return rows.map(({ serial, revoked_at }) => ({ serial, revokedAt: revoked_at }));
}

/** Writes the file when the rows changed. A database that is away leaves the last one standing. */
export async function keepRevokedFile(
  pool: Pool,
  stateFolder: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const file = join(stateFolder, "revoked.json");
  let written = "";
  while (!signal.aborted) {
    try {
      const text = JSON.stringify((await listRevoked(pool)).map(({ serial }) => serial));
      if (text !== written) {
        writeFileSync(`${file}.new`, text, { mode: 0o600 });
        renameSync(`${file}.new`, file);
        if (written) log.info({ file }, "revoked.written");
        written = text;
      }
    } catch (error) {
      log.warn({ error: (error as Error).message }, "revoked.failed");
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
