/** `sallyport command …` against the console's API: many workstations, each with a statement and a record of its own. */
import "reflect-metadata";
import { execFile } from "node:child_process";
import type { Server } from "node:http";
import { join } from "node:path";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Statement } from "@sallyport/shared/policy/statement.ts";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { respondCommand } from "../src/command/respond.ts";
import { makeToken, type Scope } from "../src/person/api-token.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedWorkstation } from "./seed.ts";
import { serve } from "./serve.ts";
import { newSigner } from "./signer.ts";

const SALLYPORT = join(import.meta.dirname, "../../../packages/cli/bin/sallyport.mjs");
/** Each command is a process of its own, and a machine may be slow. */
const RUNS_MS_MAX = 900_000;
const consoleKey = newSigner();
const recordConsole = consoleRecorder(consoleKey);

let postgres: TestPostgres;
let pool: pg.Pool;
let server: Server;
let url: string;
let token: string;
let viewer: string;
const ids = new Map<string, WorkstationId>();

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  const [floor, strict] = [
    await seedGroup(pool, "floor", consoleKey.publicKey),
    await seedGroup(pool, "strict", consoleKey.publicKey),
  ];
  // nobody can sign there beside the console, and two must
  await pool.query('UPDATE "group" SET threshold = 2 WHERE id = $1', [strict]);
  for (const [name, group] of [
    ["one", floor],
    ["two", floor],
    ["guarded", strict],
    ["twin", floor],
  ] as const)
    ids.set(name, (await seedWorkstation(pool, { name, group })) as WorkstationId);
  await seedWorkstation(pool, { name: "twin", group: floor });
  await pool.query("UPDATE workstation SET labels = '{lab}' WHERE name IN ('two', 'guarded')");
  const person = async (id: string, role: string, scopes: Scope[]) => {
    await pool.query("INSERT INTO person (id, name, email, role) VALUES ($1, $1, $1 || '@example.org', $2::role)", [
      id,
      role,
    ]);
    return (await makeToken(pool, { person: id, name: "t", scopes, days: 1 })).token;
  };
  token = await person("rio", "responder", ["command:read", "command:write"]);
  viewer = await person("vic", "viewer", ["command:read", "command:write"]);
  ({ server, url } = await serve(async (request) => respondCommand({ pool, recordConsole, consoleKey }, request)));
});
afterAll(async () => {
  await new Promise((resolve) => server?.close(resolve));
  await pool?.end();
  await postgres?.stop();
});

type Ran = { code: number; out: string; err: string };
const sallyport = (with_: string, ...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const env = { ...process.env, SALLYPORT_TOKEN: with_, SALLYPORT_URL: url };
    execFile(process.execPath, [SALLYPORT, "command", ...args], { env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
const why = ["--reason", "a worm was seen"];
const sent = async () => (await pool.query<{ statement: { text: string } }>("SELECT statement FROM command")).rows;

test("many are isolated at once, each by a statement of its own, and one page says how each stands", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const isolate = (...more: string[]) => sallyport(token, "send", "isolate", "--hours", "4", ...more, ...why);
  expect(await isolate("--workstation", "one", "--workstation", "nobody")).toMatchObject({
    code: 1,
    err: expect.stringContaining("no one enrolled workstation for nobody"),
  });
  expect((await isolate("--workstation", "twin")).err).toContain("no one enrolled workstation for twin");
  expect(await sallyport(viewer, "send", "rescan", "--workstation", "one", ...why)).toMatchObject({
    err: expect.stringContaining("As viewer you may not isolate"),
  });
  expect(await sent()).toEqual([]); // nobody was told

  const told = await isolate("--workstation", "one", "--label", "lab", "--json");
  expect(told).toMatchObject({ code: 0 });
  const answers = JSON.parse(told.out) as { name: string; command: string }[];
  expect(answers.map(({ name }) => name)).toEqual(["guarded", "one", "two"]);
  const audiences = (await sent()).map(({ statement }) => Statement.parse(JSON.parse(statement.text)).audience);
  const named = ["one", "two", "guarded"].map((name) => ({ workstation: ids.get(name) }));
  expect(new Set(audiences.map((each) => JSON.stringify(each)))).toEqual(
    new Set(named.map((each) => JSON.stringify(each))),
  );
  const shown = await sallyport(token, "show", ...answers.map(({ command }) => command));
  expect(shown.out.trim().split("\n")).toEqual([
    expect.stringMatching(/^guarded {2}isolate {2}sent since /),
    expect.stringMatching(/^one {2}isolate {2}sent since /),
    expect.stringMatching(/^two {2}isolate {2}sent since /),
  ]);
  const { rows } = await pool.query("SELECT FROM record WHERE kind = 'person.command-sent'");
  expect(rows).toHaveLength(3);

  // what one cannot be told stops no other, and is the command's exit code
  const released = await sallyport(token, "send", "release", "--group", "floor", "--group", "strict", ...why);
  expect(released).toMatchObject({ code: 3, err: expect.stringContaining("1 of 5 were not told") });
  expect(released.out).toMatch(/^guarded {2}refused: In strict this needs 2 signatures/m);
  expect(released.out).toMatch(/^one {2}sent {2}[0-9a-f-]{36}$/m);
  expect(await sallyport(token, "send", "wipe", "--workstation", "one", ...why)).toMatchObject({ code: 1 });
});
