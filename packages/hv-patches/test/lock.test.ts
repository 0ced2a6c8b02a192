import { existsSync } from "node:fs";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withLock } from "../tools/lock.ts";
import { run } from "../tools/run.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "lock-"));
  file = path.join(folder, "thing.lock");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The number of a process that ended. */
const dead = async () => (await run("sh", ["-c", "echo $$"])).trim();

/** How many were inside at once, at most, when so many asked together. */
async function together(count: number): Promise<number> {
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: count }, () =>
      withLock(file, async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
      }),
    ),
  );
  return most;
}

it("one at a time is inside, and nothing is left behind", async () => {
  expect(await together(4)).toBe(1);
  expect(existsSync(file)).toBe(false);
});

it("a lock whose owner died is taken over by one of those that wait", async () => {
  await writeFile(file, await dead());
  expect(await together(4)).toBe(1);
  expect(existsSync(file)).toBe(false);
});

it("a lock whose owner died before writing its number is taken over", async () => {
  await writeFile(file, "");
  const long = new Date(Date.now() - 60_000);
  await utimes(file, long, long);
  expect(await together(2)).toBe(1);
});

it("a turn at taking over that nobody ended does not block for ever", async () => {
  await writeFile(file, await dead());
  await writeFile(`${file}.turn`, "");
  const long = new Date(Date.now() - 60_000);
  await utimes(`${file}.turn`, long, long);
  expect(await together(2)).toBe(1);
});

it("an error inside gives the lock back", async () => {
  await expect(withLock(file, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(existsSync(file)).toBe(false);
});
