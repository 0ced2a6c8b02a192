/** `sallyport exception …` against the console's API, by tokens of several scopes and roles. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { inTransaction } from "../src/transaction.ts";
import { makeException } from "../src/usb/exception.ts";
import { respondException } from "../src/usb/respond.ts";
import { type CommandLine, RUNS_MS_MAX, startCommandLine } from "./command-line.ts";
import { type Seen, seedGroup, seedTrail, seedWorkstation } from "./seed.ts";

const STICK = "1-2/0951:1666/7";

let cli: CommandLine;
let tokens: { read: string; write: string; denying: string; viewer: string };

beforeAll(async () => {
  cli = await startCommandLine(respondException);
  const { pool, consoleKey } = cli;
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
  const asked = { trail, index: 0, hours: 8, reason: "a contract", by: "nora", now: new Date() };
  await inTransaction(pool, (tx) => makeException(tx, consoleKey, asked));
  tokens = {
    read: await cli.token("rio", "responder", ["exception:read"]),
    write: await cli.token("rio", "responder", ["exception:read", "exception:write"]),
    denying: await cli.token("rio", "responder", ["deny:read", "deny:write"]),
    viewer: await cli.token("vic", "viewer", ["exception:read", "exception:write"]),
  };
});
afterAll(() => cli?.stop());

const sallyport = (token: string, ...args: string[]) => cli.run({ token }, "exception", ...args);

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
  const { rows } = await cli.pool.query<{ text: string }>(
    "SELECT text FROM record WHERE kind = 'person.exception-revoked'",
  );
  expect(rows).toEqual([{ text: expect.stringMatching(/^rio@example.org revoked an exception .*: the wrong stick$/) }]);
});

test("all that stand are listed, however many, and the oldest of them is taken back", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const { rows } = await cli.pool.query<{ exception: string }>(
    `INSERT INTO workstation_statement (workstation_id, type, "order", statement, created_at)
     SELECT workstation_id, type, s."order" + n, jsonb_set(statement, '{text}', to_jsonb(
              regexp_replace(statement ->> 'text', '"order":[0-9]+', '"order":' || s."order" + n))),
            now() - n / 3 * interval '1 s'
       FROM workstation_statement s, generate_series(1, 1200) n WHERE type = 'exception'
     RETURNING encode(sha256(convert_to(statement ->> 'text', 'UTF8')), 'hex') AS exception`,
  );
  const standing = async () =>
    (JSON.parse((await sallyport(tokens.read, "list", "--json")).out) as { exception: string }[])
      .map(({ exception }) => exception)
      .sort();
  const made = rows.map(({ exception }) => exception);
  expect(await standing()).toEqual([...made].sort());
  const oldest = made.at(-1)!;
  expect(await sallyport(tokens.write, "revoke", oldest, "--reason", "of long ago")).toMatchObject({ code: 0 });
  expect(await standing()).toEqual(made.slice(0, -1).sort());
});
