/** After a restore: the epoch rises, so that a receipt may go back and workstations send again what they still hold. */
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { embeddedUrl, isRunning } from "./embedded.ts";
import { Fault } from "./fault.ts";

/** The console's own program: it holds the key that signs the record of it. */
const PROGRAM = fileURLToPath(new URL("../../../apps/web/src/trail/restored.ts", import.meta.url));

export type Restored = { epoch: number | null; text: string };

export async function restored({ state, database }: { state: string; database?: string }): Promise<Restored> {
  const stateFolder = resolve(state);
  if (!existsSync(join(stateFolder, "keys", "console.key")))
    throw new Fault(`${stateFolder} holds no console key (keys/console.key). Name the state folder with --state.`);
  if (database === undefined && !isRunning(stateFolder)) {
    writeFileSync(join(stateFolder, "restored"), `noted ${new Date().toISOString()}\n`, { mode: 0o600 });
    return { epoch: null, text: "Noted: the next start raises the epoch before anything is received." };
  }
  const env = { ...process.env, SALLYPORT_STATE: stateFolder, DATABASE_URL: database ?? embeddedUrl(stateFolder) };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM], { env });
    const epoch = Number(stdout.trim());
    return {
      epoch,
      text: `The epoch is now ${epoch}. Restart the workers: workstations then send again what the backup does not have.`,
    };
  } catch (error) {
    const { stderr = "", message } = error as { stderr?: string; message: string };
    throw new Fault(`The epoch was not raised: ${stderr.trim() || message}`, 1, { cause: error });
  }
}
