/** One at a time in the cache's source tree: builds started by different processes wait for each other. */
import { mkdir, open, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 500;
const WAIT_MS_MAX = 3_600_000;

async function take(file: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** A holder that was killed leaves its file behind; its process id then names nobody. */
async function holderLives(file: string): Promise<boolean> {
  const pid = Number.parseInt(await readFile(file, "utf8").catch(() => ""), 10);
  if (!Number.isInteger(pid)) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Runs `work` while holding `file`; waits for whoever holds it. */
export async function inTurn<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true });
  for (const end = Date.now() + WAIT_MS_MAX; !(await take(file)); await delay(POLL_MS)) {
    if (!(await holderLives(file))) await rm(file, { force: true });
    if (Date.now() > end)
      throw new Error(`${file} is held by another build for longer than ${WAIT_MS_MAX / 60_000} minutes`);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
