/** One process at a time builds a thing in the cache: suites run side by side and share what they build. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 500;
/** Longer than any build: whoever waits this long waits for something that hangs. */
const WAIT_MS_MAX = 2_400_000;

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

/** Runs `work` while this process holds `file`; a lock whose owner died is taken over. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true });
  for (const end = Date.now() + WAIT_MS_MAX; ; await delay(POLL_MS)) {
    try {
      await writeFile(file, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const owner = Number(await readFile(file, "utf8").catch(() => ""));
      // An empty file is one that its owner is about to write into.
      if (owner > 0 && !alive(owner)) await rm(file, { force: true });
      if (Date.now() > end) throw new Error(`another process (${owner}) still holds ${file}: end it and run again`);
    }
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
