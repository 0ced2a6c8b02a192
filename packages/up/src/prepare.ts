/** What an outside installation needs before its first start, after each upgrade and once a day: keys and certificates, the
 *  list of revoked ones, migrations, the first group. Prints how to make the first owner. Safe to run again. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import pg from "pg";
import { openAuthority } from "../../../apps/web/src/listener/authority.ts";
import { listRevoked } from "../../../apps/web/src/listener/revoked.ts";
import { makeSetupCode } from "../../../apps/web/src/person/setup.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { ensureFirstGroup } from "./group.ts";
import { ensureKeys, type KeyFiles } from "./keys.ts";
import { readSigner } from "./signer.ts";

export type Prepared = { migrations: string[]; setupUrl?: string };

/** `names` are those by which agents reach the broker and the listener. `brokerFolder` gets a copy of what the broker reads
 *  and nothing else: where it shares no disk with the console's keys. */
export async function prepare(options: {
  stateFolder: string;
  databaseUrl: string;
  names: readonly string[];
  consoleUrl: string;
  brokerFolder?: string | undefined;
}): Promise<Prepared> {
  const { stateFolder, databaseUrl, names, consoleUrl, brokerFolder } = options;
  makeFolder(stateFolder);
  const keys = await ensureKeys(stateFolder, names);
  const migrations = await migrate(databaseUrl);
  await ensureFirstGroup(databaseUrl, readSigner(keys.console));
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  try {
    const crl = await writeRevoked(pool, keys);
    if (brokerFolder !== undefined) copyForBroker(brokerFolder, keys, crl);
    const code = await makeSetupCode(pool);
    return { migrations, ...(code === undefined ? {} : { setupUrl: `${consoleUrl}/setup?code=${code}` }) };
  } finally {
    await pool.end();
  }
}

/** Mosquitto with a `crlfile` does not start without one; at first the list is empty. */
async function writeRevoked(pool: pg.Pool, keys: KeyFiles): Promise<string> {
  const authority = await openAuthority(readFileSync(keys.ca, "utf8"), readFileSync(keys.caKey, "utf8"));
  const file = join(keys.folder, "crl.pem");
  writeFileSync(`${file}.new`, `${await authority.crl(await listRevoked(pool), new Date())}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return file;
}

function copyForBroker(folder: string, keys: KeyFiles, crl: string): void {
  makeFolder(folder);
  for (const file of [keys.ca, keys.broker.cert, keys.broker.key, crl]) {
    const to = join(folder, basename(file));
    copyFileSync(file, `${to}.new`);
    renameSync(`${to}.new`, to);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    throw new Error(
      `${folder} is not there and this user may not make it. As root: install -d -o sallyport -m 0700 ${folder}`,
      { cause: error },
    );
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
      brokerFolder: process.env.SALLYPORT_BROKER_FILES,
    });
    console.log(`Keys are in ${SALLYPORT_STATE}/keys; ${done.migrations.length} migrations were applied.`);
    if (done.setupUrl) console.log(`First owner  ${done.setupUrl}`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(1);
  }
}
