/** `npm run up` as a person runs it: started, waited for, stopped with Ctrl-C. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export type Up = {
  output: () => string;
  ctrlC: () => Promise<void>;
  kill9: () => Promise<void>;
  child: ChildProcess;
};
export type UpFile = {
  console: string;
  firstOwner?: string;
  ports: { web: number; syslog: number };
  databaseUrl: string;
  pid: number;
};

const LOOK_MS = 200;
/** npm ends with the signal it got, perhaps before what it started has stopped. */
const STOP_MS_MAX = 60_000;

export async function startUp(clone: string, withinMs: number): Promise<Up> {
  // a group of its own, as a terminal makes one: Ctrl-C signals the whole of it
  const child = spawn("npm", ["run", "up"], {
    cwd: clone,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: plainEnv(),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (bytes: Buffer) => {
      output += bytes;
    });
  const exit = new Promise((resolve) => child.once("exit", resolve));
  const ctrlC = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    process.kill(-child.pid!, "SIGINT");
    await exit;
    await until(async () => isStopped(clone), STOP_MS_MAX, "everything stopped");
  };
  const kill9 = async () => {
    process.kill(readUp(clone).pid, "SIGKILL");
    await exit;
  };
  const end = Date.now() + withinMs;
  while (!/^Console {2}http/m.test(output)) {
    if (child.exitCode !== null) throw new Error(`npm run up ended with ${child.exitCode}:\n${output}`);
    if (Date.now() > end) {
      await ctrlC();
      throw new Error(`npm run up was not ready within ${withinMs / 1000} s:\n${output}`);
    }
    await delay(LOOK_MS);
  }
  return { output: () => output, ctrlC, kill9, child };
}

export const readUp = (clone: string): UpFile => JSON.parse(readFileSync(join(clone, ".sallyport/up.json"), "utf8"));
export const isStopped = (clone: string): boolean => !existsSync(join(clone, ".sallyport/run.json"));

/** The environment without what the test runner and npm put there: a newcomer's shell has none of it. */
export function plainEnv(): NodeJS.ProcessEnv {
  const env = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_|VITEST|TEST$|INIT_CWD|SALLYPORT_|DATABASE_URL|MQTT_URL)/i.test(name),
  );
  const path = (process.env.PATH ?? "").split(":").filter((folder) => !folder.includes("node_modules"));
  return { ...Object.fromEntries(env), PATH: path.join(":") };
}

export async function until<T>(look: () => Promise<T | undefined | false>, withinMs: number, what: string): Promise<T> {
  for (const end = Date.now() + withinMs; ; await delay(LOOK_MS)) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
  }
}
