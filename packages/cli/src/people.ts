/** The last way back into the console: for whoever has a shell on its machine and may read its key. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { embeddedUrl, isRunning } from "./embedded.ts";
import { Fault } from "./fault.ts";

/** The console's own program: it holds the key that signs the record of it. */
const PROGRAM = fileURLToPath(new URL("../../../apps/web/src/person/reset-here.ts", import.meta.url));
const Said = z.object({ code: z.string().nullable() });
const Up = z.object({ console: z.string() });

export type Reset = { email: string; link: string; text: string };

export async function resetSignIn(
  email: string,
  { state, database, url }: { state: string; database?: string; url?: string },
): Promise<Reset> {
  const stateFolder = resolve(state);
  if (!existsSync(join(stateFolder, "keys", "console.key")))
    throw new Fault(`${stateFolder} holds no console key (keys/console.key). Name the state folder with --state.`);
  if (database === undefined && !isRunning(stateFolder))
    throw new Fault("The console does not run on this state folder. Start it (npm run up), then run this again.");
  const env = { ...process.env, SALLYPORT_STATE: stateFolder, DATABASE_URL: database ?? embeddedUrl(stateFolder) };
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, email], { env }).catch((cause) => {
    const { stderr = "", message } = cause as { stderr?: string; message: string };
    throw new Fault(`The sign-in was not reset: ${stderr.trim() || message}`, 1, { cause });
  });
  const { code } = Said.parse(JSON.parse(stdout));
  if (code === null) throw new Fault(`Nobody on this console has the address ${email}.`, 3);
  const link = `${url ?? consoleUrl(stateFolder)}/invite?code=${code}`;
  const text = `The password, second factor and sessions of ${email} are gone; this is on the console's trail.\nWithin a day, once: ${link}`;
  return { email, link, text };
}

function consoleUrl(stateFolder: string): string {
  try {
    return Up.parse(JSON.parse(readFileSync(join(stateFolder, "up.json"), "utf8"))).console;
  } catch {
    return "http://localhost:3000"; // an outside database: --url says which
  }
}
