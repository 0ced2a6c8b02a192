/** A restored database → a higher epoch, recorded on the console's trail in the same transaction. Run by
 *  `sallyport restored` and, for the embedded database, by the next start. */
import { join } from "node:path";
import pg from "pg";
import { readConsoleKey } from "./key.ts";
import { type ConsoleRecord, consoleRecorder } from "./recorder.ts";

/** The minute of the clock where that is more than one up: a backup restored twice must not use an epoch twice. */
const RAISE = `INSERT INTO console_state (id, epoch, restored_at) VALUES (1, (extract(epoch FROM now()) / 60)::int, now())
  ON CONFLICT (id) DO UPDATE
    SET epoch = greatest(console_state.epoch + 1, (extract(epoch FROM now()) / 60)::int), restored_at = now()
  RETURNING epoch`;

export async function raiseEpoch(databaseUrl: string, stateFolder: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("BEGIN");
    const { rows } = await client.query<{ epoch: number }>(RAISE);
    const epoch = rows[0]!.epoch;
    const record = consoleRecorder(readConsoleKey(join(stateFolder, "keys", "console.key")));
    await record(client as unknown as pg.PoolClient, {
      kind: "console.restored",
      severity: "warning",
      text: `The console was restored from a backup; the epoch is now ${epoch}`,
      body: { subject: "epoch", detail: { epoch } } as unknown as ConsoleRecord["body"],
    });
    await client.query("COMMIT");
    return epoch;
  } finally {
    await client.end();
  }
}

if (import.meta.main) {
  const { DATABASE_URL, SALLYPORT_STATE } = process.env;
  if (!DATABASE_URL || !SALLYPORT_STATE) throw new Error("DATABASE_URL and SALLYPORT_STATE must be set.");
  console.log(await raiseEpoch(DATABASE_URL, SALLYPORT_STATE));
}
