/** What an outside installation needs before its first start and after each upgrade: keys, migrations, the first group.
 *  Prints how to make the first owner. Safe to run again. */
import { mkdirSync } from "node:fs";
import pg from "pg";
import { makeSetupCode } from "../../../apps/web/src/person/setup.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { ensureFirstGroup } from "./group.ts";
import { ensureKeys } from "./keys.ts";
import { readSigner } from "./signer.ts";

export type Prepared = { migrations: string[]; setupUrl?: string };

/** `names` are those by which agents reach the broker and the listener. */
export async function prepare(options: {
  stateFolder: string;
  databaseUrl: string;
  names: readonly string[];
  consoleUrl: string;
}): Promise<Prepared> {
  const { stateFolder, databaseUrl, names, consoleUrl } = options;
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  const keys = await ensureKeys(stateFolder, names);
  const migrations = await migrate(databaseUrl);
  await ensureFirstGroup(databaseUrl, readSigner(keys.console));
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  try {
    const code = await makeSetupCode(pool);
    return { migrations, ...(code === undefined ? {} : { setupUrl: `${consoleUrl}/setup?code=${code}` }) };
  } finally {
    await pool.end();
  }
}

if (import.meta.main) {
  const { SALLYPORT_STATE, DATABASE_URL, SALLYPORT_NAMES = "", SALLYPORT_URL = "http://localhost:3000" } = process.env;
  if (!SALLYPORT_STATE || !DATABASE_URL) {
    process.stderr.write("Set SALLYPORT_STATE and DATABASE_URL (docs/operations.md).\n");
    process.exit(1);
  }
  try {
    const names = SALLYPORT_NAMES.split(",").filter(Boolean);
    const done = await prepare({
      stateFolder: SALLYPORT_STATE,
      databaseUrl: DATABASE_URL,
      names,
      consoleUrl: SALLYPORT_URL,
    });
    console.log(`Keys are in ${SALLYPORT_STATE}/keys; ${done.migrations.length} migrations were applied.`);
    if (done.setupUrl) console.log(`First owner  ${done.setupUrl}`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(1);
  }
}
