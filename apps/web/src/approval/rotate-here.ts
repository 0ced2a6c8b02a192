/** The console's next key, step by step; run by `sallyport console-key` on the console's machine, by whoever may read its
 *  keys. Prints what came of it as JSON. */
import { join } from "node:path";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import pg from "pg";
import { readConsoleKey } from "../trail/key.ts";
import { consoleRecorder } from "../trail/recorder.ts";
import { Refusal } from "../trpc/errors.ts";
import { adoptKey, nameKeys, standingOf, switchKey } from "./rotate.ts";

export const STEPS = ["name", "status", "switch", "retire", "adopt"] as const;
export type Step = (typeof STEPS)[number];

export async function rotate(pool: pg.Pool, keys: string, step: Step, force: boolean): Promise<object> {
  const signer = readConsoleKey(join(keys, "console.key"));
  const record = consoleRecorder(signer);
  const parts = { pool, record, signer };
  const own = toBase64(signer.publicKey);
  const next = () => readConsoleKey(join(keys, "console.next.key"));
  const now = new Date();
  switch (step) {
    case "name":
      return { named: await nameKeys(parts, [own, toBase64(next().publicKey)], now) };
    case "status":
      return { standing: await standingOf(pool, toBase64(next().publicKey)) };
    case "switch": {
      const to = next();
      return { standing: await switchKey(parts, to, consoleRecorder(to), force) };
    }
    case "retire":
      return { named: await nameKeys(parts, [own], now) };
    case "adopt":
      return { groups: await adoptKey(parts) };
  }
}

if (import.meta.main) {
  const { DATABASE_URL, SALLYPORT_STATE } = process.env;
  const step = STEPS.find((each) => each === process.argv[2]);
  if (!DATABASE_URL || !SALLYPORT_STATE || !step)
    throw new Error("DATABASE_URL, SALLYPORT_STATE and a step must be given.");
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 2 });
  try {
    console.log(JSON.stringify(await rotate(pool, join(SALLYPORT_STATE, "keys"), step, process.argv[3] === "force")));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    console.log(JSON.stringify({ refused: error.message }));
  } finally {
    await pool.end();
  }
}
