/** `sallyport rollout …` against the console's API, by tokens of several scopes. */
import "reflect-metadata";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { makeToken, type Scope } from "../src/person/api-token.ts";
import { respondRollout } from "../src/rollout/respond.ts";
import { step } from "../src/rollout/step.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedWorkstation } from "./seed.ts";
import { serve } from "./serve.ts";
import { newSigner } from "./signer.ts";

const SALLYPORT = join(import.meta.dirname, "../../../packages/cli/bin/sallyport.mjs");
/** Each command is a process of its own, and a machine may be slow. */
const RUNS_MS_MAX = 900_000;
const WAIT = { timeout: 120_000, interval: 100 };
const folder = mkdtempSync(join(tmpdir(), "sallyport-rollout-"));
const consoleKey = newSigner();
const recordConsole = consoleRecorder(consoleKey);

let postgres: TestPostgres;
let pool: pg.Pool;
let server: Server;
let url: string;
let tokens: { read: string; write: string; viewer: string };

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  const group = await seedGroup(pool, "floor", consoleKey.publicKey);
  await seedWorkstation(pool, { name: "one", group, labels: ["canary"] });
  await seedWorkstation(pool, { name: "two", group });
  const person = async (id: string, role: string, scopes: Scope[]) => {
    await pool.query(
      "INSERT INTO person (id, name, email, role) VALUES ($1, $1, $1 || '@example.org', $2::role) ON CONFLICT DO NOTHING",
      [id, role],
    );
    return (await makeToken(pool, { person: id, name: "t", scopes, days: 1 })).token;
  };
  tokens = {
    read: await person("nora", "admin", ["rollout:read"]),
    write: await person("nora", "admin", ["rollout:read", "rollout:write"]),
    viewer: await person("vic", "viewer", ["rollout:read", "rollout:write"]),
  };
  ({ server, url } = await serve(async (request) => {
    const path = request.url.split("/api/rollout")[1]!.split("/").filter(Boolean);
    return respondRollout({ pool, recordConsole, consoleKey }, request, path);
  }));
  writeFileSync(join(folder, "policy.yaml"), "log: { linesPerSecond: 100 }\n");
  writeFileSync(join(folder, "closed.yaml"), "usb: { deviceRules: [] }\n");
  writeFileSync(join(folder, "plan.yaml"), "waves:\n  - { label: canary }\n  - all: true\n");
  writeFileSync(join(folder, "endless.yaml"), "waves:\n  - { percent: 10 }\n");
  writeFileSync(join(folder, "nobody.yaml"), "waves:\n  - { label: nobody }\n  - all: true\n");
});
afterAll(async () => {
  await new Promise((resolve) => server?.close(resolve));
  await pool?.end();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Ran = { code: number | null; out: string; err: string };
function sallyport(token: string, ...args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, [SALLYPORT, "rollout", ...args], {
    env: { ...process.env, SALLYPORT_TOKEN: token, SALLYPORT_URL: url },
    cwd: folder,
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}
const start = (token: string, plan: string, ...more: string[]) =>
  sallyport(
    token,
    "start",
    "--group",
    "floor",
    "--policy",
    "policy.yaml",
    "--plan",
    plan,
    "--message",
    "fewer lines",
    ...more,
  );

test("what may not be, makes no sense or is not there is refused with its reason and its exit code", {
  timeout: RUNS_MS_MAX,
}, async () => {
  expect(await start(tokens.read, "plan.yaml")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/no scope "rollout:write"/),
  });
  expect(await start(tokens.viewer, "plan.yaml")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/As viewer you may not write and publish policy/),
  });
  expect(await start(tokens.write, "endless.yaml")).toMatchObject({
    code: 3,
    err: expect.stringMatching(/waves\[0\]: the last wave must be all/),
  });
  expect(await start(tokens.write, "nobody.yaml")).toMatchObject({
    code: 3,
    err: expect.stringMatching(/no workstation of floor has the label nobody/),
  });
  expect(await start(tokens.write, "nobody.yaml", "--preview")).toMatchObject({
    code: 3,
    out: expect.stringMatching(/has the label nobody/),
  });
  expect(await sallyport(tokens.read, "show", "no-such-id")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/There is no such rollout/),
  });
  expect((await pool.query("SELECT FROM rollout")).rowCount).toBe(0);
});

test("a rollout is previewed, begun, watched until it pauses, and aborted; the trail names the token and the address", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const seen = await start(tokens.write, "plan.yaml", "--preview", "--json");
  expect(JSON.parse(seen.out)).toEqual({
    faults: [],
    cutsOff: [],
    waves: [
      { words: "label canary", workstations: 1 },
      { words: "all of the group", workstations: 1 },
    ],
  });
  const closed = await start(tokens.write, "plan.yaml", "--policy", "closed.yaml", "--preview");
  expect(closed).toMatchObject({ code: 0, out: expect.stringMatching(/^It cuts every workstation off from USB/) });
  const begun = await start(tokens.write, "plan.yaml", "--json");
  expect(begun.code).toBe(0);
  const { id, order } = JSON.parse(begun.out) as { id: string; order: number };
  expect(order).toBe(1);
  const watching = sallyport(tokens.read, "watch", id);
  await step({ pool, recordConsole }, id);
  await vi.waitFor(async () => {
    const { rows } = await pool.query("SELECT last_used_at FROM api_token WHERE scopes = '{rollout:read}'");
    expect(rows[0].last_used_at).not.toBeNull();
  }, WAIT);
  expect(await sallyport(tokens.write, "pause", id, "--reason", "lunch")).toMatchObject({
    code: 0,
    out: "It is paused now.\n",
  });
  const watched = await watching;
  expect(watched.code).toBe(4);
  expect(watched.out).toMatch(
    /r1 to floor is paused, wave 1 of 2 \(0 done, 0 failed, 2 waiting, 0 unreachable\): lunch/,
  );
  expect(await sallyport(tokens.write, "pause", id, "--reason", "again")).toMatchObject({
    code: 3,
    err: expect.stringMatching(/It is paused already/),
  });
  expect((await sallyport(tokens.write, "abort", id, "--reason", "not today")).code).toBe(0);
  expect(await sallyport(tokens.read, "watch", id)).toMatchObject({
    code: 3,
    out: expect.stringMatching(/is aborted.*not today/),
  });
  expect((await sallyport(tokens.read, "list")).out).toMatch(/aborted {5}r1 to floor: fewer lines/);
  const { rows } = await pool.query<{ content: Buffer }>(
    "SELECT content FROM record WHERE kind = 'person.rollout-paused'",
  );
  expect(JSON.parse(rows[0]!.content.toString()).body).toMatchObject({
    actor: { email: "nora@example.org", token: expect.any(String) },
    address: "192.0.2.9",
    before: { name: "running" },
    after: { name: "paused", reason: "lunch" },
  });
});
