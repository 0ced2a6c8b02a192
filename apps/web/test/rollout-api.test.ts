/** `sallyport rollout …` against the console's API, by tokens of several scopes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { respondRollout } from "../src/rollout/respond.ts";
import { step } from "../src/rollout/step.ts";
import { type CommandLine, RUNS_MS_MAX, startCommandLine } from "./command-line.ts";
import { seedGroup, seedWorkstation } from "./seed.ts";

const WAIT = { timeout: 120_000, interval: 100 };
const folder = mkdtempSync(join(tmpdir(), "sallyport-rollout-"));

let cli: CommandLine;
let tokens: { read: string; write: string; viewer: string };

beforeAll(async () => {
  cli = await startCommandLine((parts, request) =>
    respondRollout(parts, request, new URL(request.url).pathname.split("/api/rollout")[1]!.split("/").filter(Boolean)),
  );
  const { pool, consoleKey } = cli;
  const group = await seedGroup(pool, "floor", consoleKey.publicKey);
  await seedWorkstation(pool, { name: "one", group, labels: ["canary"] });
  await seedWorkstation(pool, { name: "two", group });
  tokens = {
    read: await cli.token("nora", "admin", ["rollout:read"]),
    write: await cli.token("nora", "admin", ["rollout:read", "rollout:write"]),
    viewer: await cli.token("vic", "viewer", ["rollout:read", "rollout:write"]),
  };
  writeFileSync(join(folder, "policy.yaml"), "log: { linesPerSecond: 100 }\n");
  writeFileSync(join(folder, "closed.yaml"), "usb: { deviceRules: [] }\n");
  writeFileSync(join(folder, "plan.yaml"), "waves:\n  - { label: canary }\n  - all: true\n");
  writeFileSync(join(folder, "endless.yaml"), "waves:\n  - { percent: 10 }\n");
  writeFileSync(join(folder, "nobody.yaml"), "waves:\n  - { label: nobody }\n  - all: true\n");
});
afterAll(async () => {
  await cli?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const sallyport = (token: string, ...args: string[]) => cli.run({ token, folder }, "rollout", ...args);
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
  expect((await cli.pool.query("SELECT FROM rollout")).rowCount).toBe(0);
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
  await step(cli, id);
  await vi.waitFor(async () => {
    const { rows } = await cli.pool.query("SELECT last_used_at FROM api_token WHERE scopes = '{rollout:read}'");
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
  const { rows } = await cli.pool.query<{ content: Buffer }>(
    "SELECT content FROM record WHERE kind = 'person.rollout-paused'",
  );
  expect(JSON.parse(rows[0]!.content.toString()).body).toMatchObject({
    actor: { email: "nora@example.org", token: expect.any(String) },
    address: "192.0.2.9",
    before: { name: "running" },
    after: { name: "paused", reason: "lunch" },
  });
});

test("a list beyond a page says where it goes on; the command line reads all of it, and what is no place in it is refused", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const state = { name: "superseded", wave: 0, reason: "" };
  await cli.pool.query(
    `INSERT INTO rollout (id, group_id, "order", digest, message, plan, state, report_seconds, started_at, started_by, ended_at)
     SELECT gen_random_uuid(), g.id, 1000 + n, repeat('0', 64), 'more', r.plan, $1, 60,
            now() - n / 3 * interval '1 s', 'nora', now()
       FROM generate_series(1, 450) n, "group" g, (SELECT plan FROM rollout LIMIT 1) r`,
    [state],
  );
  const { rows: all } = await cli.pool.query<{ id: string }>(
    "SELECT id FROM rollout ORDER BY ended_at IS NULL DESC, started_at DESC, id DESC",
  );
  const base = "https://console.example";
  const ask = (path: string) => {
    const headers = { authorization: `Bearer ${tokens.read}` };
    return respondRollout(cli, new Request(new URL(path, base), { headers }), []);
  };
  const ids: string[] = [];
  const pages: number[] = [];
  for (let next: string | undefined = "/api/rollout"; next !== undefined; ) {
    const answer: Response = await ask(next);
    const page = (await answer.json()) as { id: string }[];
    ids.push(...page.map(({ id }) => id));
    pages.push(page.length);
    next = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  expect(pages).toEqual([200, 200, 51]);
  expect(ids).toEqual(all.map(({ id }) => id));
  for (const after of [
    "",
    "x",
    "{}",
    "null",
    '{"id":"\\u0000"}',
    '{"isUnderWay":false,"group":"g","begun":"1","id":"2"}',
  ])
    expect(await ask(`/api/rollout?after=${encodeURIComponent(after)}`), after).toMatchObject({ status: 400 });
  const listed = JSON.parse((await sallyport(tokens.read, "list", "--json")).out) as { id: string }[];
  expect(listed.map(({ id }) => id)).toEqual(ids);
});
