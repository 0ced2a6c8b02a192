/** `sallyport exception …` against the console's API, by tokens of several scopes and roles. */
import "reflect-metadata";
import { execFile } from "node:child_process";
import type { Server } from "node:http";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { makeToken, type Scope } from "../src/person/api-token.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { makeException } from "../src/usb/exception.ts";
import { respondException } from "../src/usb/respond.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { type Seen, seedGroup, seedPartition, seedTrail, seedWorkstation } from "./seed.ts";
import { serve } from "./serve.ts";
import { newSigner } from "./signer.ts";

const SALLYPORT = join(import.meta.dirname, "../../../packages/cli/bin/sallyport.mjs");
/** Each command is a process of its own, and a machine may be slow. */
const RUNS_MS_MAX = 900_000;
const STICK = "1-2/0951:1666/7";
const consoleKey = newSigner();
const recordConsole = consoleRecorder(consoleKey);

let postgres: TestPostgres;
let pool: pg.Pool;
let server: Server;
let url: string;
let tokens: { read: string; write: string; denying: string; viewer: string };

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  const group = await seedGroup(pool, "floor", consoleKey.publicKey);
  const workstation = await seedWorkstation(pool, { name: "lab-07", group });
  const seen = (kind: string, body: object): Seen => ({ kind, severity: "warning", text: kind, body, agoMs: 0 });
  const hex = (digit: string) => digit.repeat(64);
  const held = { verdict: "hold", reason: "no scanner answered", manifest: [], scanner: null };
  const trail = await seedTrail(pool, workstation, [
    { ...seen("usb.scan", { source: STICK, ...held }), agoMs: 2_000 },
    {
      ...seen("usb.request", {
        ...{ stick: STICK, request: hex("b"), descriptors: hex("a"), device: "d=", manifest: hex("b") },
        ...{ files: 2, rule: "unscannable", reason: "no scanner answered" },
      }),
      agoMs: 1_000,
    },
  ]);
  const tx = await pool.connect();
  try {
    const asked = { trail, index: 0, hours: 8, reason: "a contract", by: "nora", now: new Date() };
    await makeException(tx, consoleKey, asked);
  } finally {
    tx.release();
  }
  const person = async (id: string, role: string, scopes: Scope[]) => {
    await pool.query(
      "INSERT INTO person (id, name, email, role) VALUES ($1, $1, $1 || '@example.org', $2::role) ON CONFLICT DO NOTHING",
      [id, role],
    );
    return (await makeToken(pool, { person: id, name: "t", scopes, days: 1 })).token;
  };
  tokens = {
    read: await person("rio", "responder", ["exception:read"]),
    write: await person("rio", "responder", ["exception:read", "exception:write"]),
    denying: await person("rio", "responder", ["deny:read", "deny:write"]),
    viewer: await person("vic", "viewer", ["exception:read", "exception:write"]),
  };
  ({ server, url } = await serve(async (request) => respondException({ pool, recordConsole, consoleKey }, request)));
});
afterAll(async () => {
  await new Promise((resolve) => server?.close(resolve));
  await pool?.end();
  await postgres?.stop();
});

type Ran = { code: number; out: string; err: string };
const sallyport = (token: string, ...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const env = { ...process.env, SALLYPORT_TOKEN: token, SALLYPORT_URL: url };
    execFile(process.execPath, [SALLYPORT, "exception", ...args], { env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });

test("an exception is listed, and taken back by whoever may block at once, once and on record", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const listed = await sallyport(tokens.read, "list");
  expect(listed).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^[0-9a-f]{12} {2}on lab-07, until .*: a contract\n$/),
  });
  const id = listed.out.slice(0, 12);
  const revoke = (token: string, which = id) => sallyport(token, "revoke", which, "--reason", "the wrong stick");
  expect(await revoke(tokens.read)).toMatchObject({
    code: 1,
    err: expect.stringContaining('no scope "exception:write"'),
  });
  const older = 'no scope "exception:'; // what a token was made for does not grow
  expect(await sallyport(tokens.denying, "list")).toMatchObject({ code: 1, err: expect.stringContaining(older) });
  expect(await revoke(tokens.denying)).toMatchObject({ code: 1, err: expect.stringContaining(older) });
  expect(await revoke(tokens.viewer)).toMatchObject({ code: 1, err: expect.stringContaining("As viewer you may not") });
  expect(await revoke(tokens.write, "abcdefabcdef")).toMatchObject({
    code: 3,
    err: expect.stringContaining("No exception that stands begins with abcdefabcdef"),
  });
  expect(await revoke(tokens.write)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Revoked: the stick may not pass on lab-07 any more/),
  });
  expect(await revoke(tokens.write)).toMatchObject({
    code: 3,
    err: expect.stringContaining("No exception that stands"),
  });
  expect((await sallyport(tokens.read, "list")).out).toBe("No exception stands.\n");
  const { rows } = await pool.query<{ text: string }>(
    "SELECT text FROM record WHERE kind = 'person.exception-revoked'",
  );
  expect(rows).toEqual([{ text: expect.stringMatching(/^rio@example.org revoked an exception .*: the wrong stick$/) }]);
});
