/** `sallyport command …` against the console's API: many workstations, each with a statement and a record of its own. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Statement } from "@sallyport/shared/policy/statement.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { respondCommand } from "../src/command/respond.ts";
import { type CommandLine, RUNS_MS_MAX, startCommandLine } from "./command-line.ts";
import { seedGroup, seedWorkstation } from "./seed.ts";

let cli: CommandLine;
let token: string;
let viewer: string;
const ids = new Map<string, WorkstationId>();

beforeAll(async () => {
  cli = await startCommandLine(respondCommand);
  const { pool, consoleKey } = cli;
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
  token = await cli.token("rio", "responder", ["command:read", "command:write"]);
  viewer = await cli.token("vic", "viewer", ["command:read", "command:write"]);
});
afterAll(() => cli?.stop());

const sallyport = (token: string, ...args: string[]) => cli.run({ token }, "command", ...args);
const why = ["--reason", "a worm was seen"];
const sent = async () => (await cli.pool.query<{ statement: { text: string } }>("SELECT statement FROM command")).rows;

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
  const { rows } = await cli.pool.query("SELECT FROM record WHERE kind = 'person.command-sent'");
  expect(rows).toHaveLength(3);

  // what one cannot be told stops no other, and is the command's exit code
  const released = await sallyport(token, "send", "release", "--group", "floor", "--group", "strict", ...why);
  expect(released).toMatchObject({ code: 3, err: expect.stringContaining("1 of 5 were not told") });
  expect(released.out).toMatch(/^guarded {2}refused: In strict this needs 2 signatures/m);
  expect(released.out).toMatch(/^one {2}sent {2}[0-9a-f-]{36}$/m);
  expect(await sallyport(token, "send", "wipe", "--workstation", "one", ...why)).toMatchObject({ code: 1 });
});
