/** Embedded Postgres → a folder that can be started from, by Postgres' low-level backup functions (manual, section
 *  25.3.3): a temporary slot keeps the log, files are copied while the server runs, the log makes them consistent. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { whyNot } from "@sallyport/shared/base/why.ts";
import pg from "pg";
import { embeddedUrl } from "./embedded.ts";
import { Fault } from "./fault.ts";

export type Backup = { out: string; at: string; files: number; bytes: number; stopLsn: string };

/** Folders whose contents the server makes anew, or that are copied later. */
const EMPTIED = [
  "pg_wal",
  "pg_replslot",
  "pg_dynshmem",
  "pg_notify",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
];
const LEFT_OUT = /^(?:postmaster\.(?:pid|opts)|pg_internal\.init.*|backup_label.*|pgsql_tmp.*)$/;

export async function backup({ stateFolder, out }: { stateFolder: string; out: string }): Promise<Backup> {
  const state = resolve(stateFolder);
  if (existsSync(out)) throw new Fault(`${out} is there already: a backup is made into a new folder.`);
  if (out === "") throw new Fault("The backup's name is empty: name a new folder.");
  const client = new pg.Client({ connectionString: embeddedUrl(state) });
  try {
    await client.connect();
  } catch (error) {
    throw new Fault(
      `The console's database does not answer: start it with npm run up, then run this again. (${whyNot(error)})`,
      1,
      { cause: error },
    );
  }
  const partial = `${out}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const copy = new Copy();
  try {
    const data = join(partial, "postgres");
    mkdirSync(data, { recursive: true, mode: 0o700 });
    await client.query("SELECT pg_create_physical_replication_slot($1, true, true)", [
      `sallyport_backup_${process.pid}`,
    ]);
    await client.query("SELECT pg_backup_start('sallyport', true)");
    copy.tree(join(state, "postgres"), data, true);
    const { rows } = await client.query<{ lsn: string; labelfile: string }>(
      "SELECT lsn, labelfile FROM pg_backup_stop(true)",
    );
    const { lsn, labelfile } = rows[0]!;
    writeFileSync(join(data, "backup_label"), labelfile, { mode: 0o600 });
    copy.tree(join(state, "postgres", "pg_wal"), join(data, "pg_wal"), false);
    copy.tree(join(state, "keys"), join(partial, "keys"), false);
    copy.file(join(state, "ports.json"), join(partial, "ports.json"));
    // whoever starts from this folder starts a restored console: npm run up sees it and raises the epoch first
    writeFileSync(join(partial, "restored"), `backup of ${new Date().toISOString()}\n`, { mode: 0o600 });
    renameSync(partial, out);
    return { out, at: new Date().toISOString(), files: copy.files, bytes: copy.bytes, stopLsn: lsn };
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw new Fault(`The backup was not made in ${out}: ${whyNot(error)}.`, 1, { cause: error });
  } finally {
    await client.end();
  }
}

class Copy {
  files = 0;
  bytes = 0;

  tree(from: string, to: string, isCluster: boolean): void {
    mkdirSync(to, { recursive: true, mode: 0o700 });
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      if (isCluster && LEFT_OUT.test(entry.name)) continue;
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      if (entry.isFile()) this.file(source, target);
      else if (!entry.isDirectory()) throw new Error(`${source} is neither a file nor a folder`);
      else if (isCluster && EMPTIED.includes(entry.name)) this.#emptied(entry.name, target);
      else this.tree(source, target, isCluster);
    }
  }

  #emptied(name: string, target: string): void {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    if (name === "pg_wal")
      for (const below of ["archive_status", "summaries"]) mkdirSync(join(target, below), { mode: 0o700 });
  }

  /** One that vanished meanwhile is not missed: the log says what became of it. */
  file(from: string, to: string): void {
    try {
      copyFileSync(from, to);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT" && !existsSync(from)) return;
      throw error;
    }
    const file = openSync(to, "r");
    fsyncSync(file);
    closeSync(file);
    this.files++;
    this.bytes += statSync(to).size;
  }
}

export function describeBackup({ out, files, bytes }: Backup): string {
  return `Wrote ${files} files, ${(bytes / 1024 ** 2).toFixed(1)} MB, to ${out}. It holds the console's keys: keep it as safe as them.
To restore: stop the console, copy the folder's contents to an empty state folder, start npm run up with it.`;
}
