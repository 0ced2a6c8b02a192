/** How to reach the embedded database of a state folder, as packages/up keeps it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Fault } from "./fault.ts";

const Ports = z.object({ postgres: z.int() });
const Run = z.object({ processes: z.array(z.object({ name: z.string(), pid: z.int() })) });

export function embeddedUrl(stateFolder: string): string {
  const file = join(stateFolder, "ports.json");
  if (!existsSync(file))
    throw new Fault(`${stateFolder} is no state folder of npm run up (it has no ports.json). Name it with --state.`);
  const { postgres } = Ports.parse(JSON.parse(readFileSync(file, "utf8")));
  const password = readFileSync(join(stateFolder, "keys", "database.secret"), "utf8").trim();
  return `postgresql://sallyport:${password}@127.0.0.1:${postgres}/sallyport`;
}

/** Whether `npm run up` runs on the folder. */
export function isRunning(stateFolder: string): boolean {
  try {
    const { processes } = Run.parse(JSON.parse(readFileSync(join(stateFolder, "run.json"), "utf8")));
    const up = processes.find(({ name }) => name === "up");
    return up !== undefined && process.kill(up.pid, 0);
  } catch {
    return false;
  }
}
