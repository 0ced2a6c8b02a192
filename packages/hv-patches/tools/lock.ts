/** One process at a time builds a thing in the cache: suites run side by side and share what they build. */
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 500;
/** Longer than any build: whoever waits this long waits for something that hangs. */
const WAIT_MS_MAX = 2_400_000;
/** Between making a lock and writing its owner into it lies a moment; a lock empty this long has none. */
const EMPTY_MS_MAX = 10_000;

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

/** The process that holds a lock: 0 while nobody has written theirs, undefined when it died or the lock is gone. */
async function ownerOf(file: string): Promise<number | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const pid = Number(text);
  if (pid > 0) return alive(pid) ? pid : undefined;
  const made = await stat(file).catch(() => undefined);
  return made && Date.now() - made.mtimeMs < EMPTY_MS_MAX ? 0 : undefined;
}

/** Removes a lock without a living owner. One at a time looks and removes, or a second one would take the new lock away. */
async function clear(file: string): Promise<void> {
  const turn = `${file}.turn`;
  try {
    await writeFile(turn, String(process.pid), { flag: "wx" });
  } catch {
    const made = await stat(turn).catch(() => undefined);
    if (made && Date.now() - made.mtimeMs > EMPTY_MS_MAX) await rm(turn, { force: true });
    return;
  }
  try {
    if ((await ownerOf(file)) === undefined) await rm(file, { force: true });
  } finally {
    await rm(turn, { force: true });
  }
}

/** Runs `work` while this process holds `file`; a lock whose owner died is taken over. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true });
  for (const end = Date.now() + WAIT_MS_MAX; ; await delay(POLL_MS)) {
    try {
      await writeFile(file, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const owner = await ownerOf(file);
      if (owner === undefined) await clear(file);
      if (Date.now() > end)
        throw new Error(`another process (${owner ?? "of unknown number"}) still holds ${file}: end it and run again`);
    }
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
