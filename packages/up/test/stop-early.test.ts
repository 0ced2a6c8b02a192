/** Ctrl-C before everything runs: it ends at the step it is in, and the next start works. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureKeys } from "../src/keys.ts";
import { freePort } from "../src/ports.ts";
import { startPostgres } from "../src/postgres.ts";
import { startStack } from "../src/start.ts";
import { Child } from "../src/supervise.ts";

describe("a start that is stopped before its end", () => {
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-early-"));
    await ensureKeys(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("leaves no half database while one is made, and the next start makes it", { timeout: 300_000 }, async () => {
    const port = await freePort();
    const stop = new AbortController();
    const starting = startPostgres({ stateFolder: folder, port, signal: stop.signal });
    const ended = expect(starting).rejects.toMatchObject({ name: "AbortError" });
    while (!existsSync(join(folder, "postgres.new"))) await delay(5);
    stop.abort();
    await ended;
    expect(existsSync(join(folder, "postgres"))).toBe(false);
    expect(existsSync(join(folder, "postgres.password"))).toBe(false);
    const postgres = await startPostgres({ stateFolder: folder, port });
    await postgres.stop();
  });

  it("leaves nothing running while the broker or the worker starts, and the next start goes through", {
    timeout: 300_000,
  }, async () => {
    const ports = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };
    const start = (until?: string) => {
      const stop = new AbortController();
      const say = (line: string) => until !== undefined && line.startsWith(until) && stop.abort();
      return startStack({ stateFolder: folder, ports, console: false, agent: false, say, signal: stop.signal });
    };
    for (const until of ["Starting the broker", "Starting the worker"]) {
      await expect(start(until)).rejects.toMatchObject({ name: "AbortError" });
      expect(existsSync(join(folder, "up.json"))).toBe(false);
    }
    const stack = await start();
    expect([...stack.children.keys()]).toEqual(["postgres", "broker", "worker"]);
    await stack.stop();
  });

  it("does not wait for a program that is never ready, nor for a question that is never answered", async () => {
    const stop = new AbortController();
    const child = new Child({
      name: "idle",
      command: process.execPath,
      args: ["-e", "setInterval(() => {}, 1000)"],
      logFile: join(folder, "logs", "idle.log"),
      signal: stop.signal,
    });
    child.start();
    try {
      const noAnswer = child.until(() => new Promise<boolean>(() => {}), 600_000);
      const notReady = child.until(async () => false, 600_000);
      const both = Promise.allSettled([noAnswer, notReady]);
      stop.abort();
      expect((await both).map((each) => each.status === "rejected" && each.reason.name)).toEqual([
        "AbortError",
        "AbortError",
      ]);
    } finally {
      await child.stop();
    }
  });
});
