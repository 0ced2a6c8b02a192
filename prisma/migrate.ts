/** migrations/ → the database. Called before the console or a worker starts; the file format and the bookkeeping are
 *  Prisma's own, so that its command line agrees wherever its native engine can be had. */
import { createHash, randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pg from "pg";

/** Any fixed number; Prisma's engine takes the same one, so the two never migrate at once. */
const MIGRATION_LOCK = 72707369;
/** Another process may be applying a long migration; past this a person should look. */
const LOCK_WAIT_MS_MAX = 120_000;

export type Migration = { name: string; sql: string; checksum: string };
export type Applied = { name: string; checksum: string; finished: boolean };
export type Plan = { ok: true; pending: Migration[] } | { ok: false; reason: string };

export function readMigrations(folder = fileURLToPath(new URL("./migrations/", import.meta.url))): Migration[] {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names
    .map(({ name }) => name)
    .sort()
    .map((name) => {
      const sql = readFileSync(`${folder}/${name}/migration.sql`, "utf8");
      return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") };
    });
}

/** What is still to be applied, or why nothing may be. Pure. */
export function plan(migrations: Migration[], applied: Applied[]): Plan {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of applied) {
    const migration = known.get(row.name);
    if (!migration)
      return no(`The database is newer than this console: it has the migration ${row.name}. Start the newer version.`);
    if (!row.finished)
      return no(
        `The migration ${row.name} stopped half-way. Restore the last backup, or finish it by hand and set finished_at.`,
      );
    if (row.checksum !== migration.checksum)
      return no(
        `The file of migration ${row.name} is not the one that was applied. Put the original back; change the database by a new migration.`,
      );
  }
  const done = new Set(applied.map((row) => row.name));
  return { ok: true, pending: migrations.filter((migration) => !done.has(migration.name)) };
}

const no = (reason: string): Plan => ({ ok: false, reason });

/** Applies what is pending, each in a transaction of its own. Answers the names applied; throws a sentence. */
export async function migrate(databaseUrl: string, migrations = readMigrations()): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`SET lock_timeout = ${LOCK_WAIT_MS_MAX}`);
    await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
    await client.query("SET lock_timeout = 0");
    await client.query(BOOKKEEPING);
    const { rows } = await client.query<Applied>(
      `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
         FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`,
    );
    const next = plan(migrations, rows);
    if (!next.ok) throw new Error(next.reason);
    for (const migration of next.pending) await apply(client, migration);
    return next.pending.map(({ name }) => name);
  } finally {
    await client.end(); // the lock goes with the connection
  }
}

async function apply(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  try {
    await client.query("BEGIN");
    await client.query(sql);
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
      [randomUUID(), checksum, name],
    );
    await client.query("COMMIT");
  } catch (cause) {
    await client.query("ROLLBACK").catch(() => undefined); // the first error is the one to tell
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`The migration ${name} failed and nothing of it was kept: ${reason}`, { cause });
  }
}

const BOOKKEEPING = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL,
  logs TEXT,
  rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  applied_steps_count INTEGER NOT NULL DEFAULT 0
)`;
