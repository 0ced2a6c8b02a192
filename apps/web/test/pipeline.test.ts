/** A repository's folder of policies against the console's API, by the command line: the very commands of docs/pipelines.md. */
import "reflect-metadata";
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { planCounts, type RepositoryPlan } from "@sallyport/shared/policy/repository.ts";
import { POLICY_TEMPLATE } from "@sallyport/shared/policy/template.ts";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { Slots } from "../src/export/slots.ts";
import { makeToken, type Scope } from "../src/person/api-token.ts";
import type { Role } from "../src/person/role.ts";
import { respondPolicy } from "../src/policy/respond.ts";
import { respondReplay } from "../src/replay/respond.ts";
import { respondRollout } from "../src/rollout/respond.ts";
import { commandRollout } from "../src/rollout/store.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import type { Context } from "../src/trpc/context.ts";
import { appRouter } from "../src/trpc/router.ts";
import { dying } from "./dying.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedWorkstation } from "./seed.ts";
import { serve } from "./serve.ts";

const ROOT = join(import.meta.dirname, "../../..");
const SALLYPORT = join(ROOT, "packages/cli/bin/sallyport.mjs");
/** Each command is a process of its own, and a machine may be slow. */
const RUNS_MS_MAX = 900_000;
const WAIT = { timeout: 120_000, interval: 50 };
const REPOSITORY = "https://git.example.org/fleet/policies";
const work = mkdtempSync(join(tmpdir(), "sallyport-pipeline-"));
const consoleKey = newSigner();
const recordConsole = consoleRecorder(consoleKey);

let postgres: TestPostgres;
let pool: pg.Pool;
let server: Server;
let url: string;
let floor: string;
let tokens: Record<"read" | "write" | "watch" | "viewer", string>;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  floor = await seedGroup(pool, "floor", consoleKey.publicKey);
  await seedGroup(pool, "nobody's", consoleKey.publicKey);
  await seedWorkstation(pool, { name: "one", group: floor, labels: ["canary"] });
  await seedWorkstation(pool, { name: "two", group: floor });
  const person = async (id: string, role: Role, scopes: Scope[]) => {
    await pool.query(
      "INSERT INTO person (id, name, email, role) VALUES ($1, $1, $1 || '@example.org', $2::role) ON CONFLICT DO NOTHING",
      [id, role],
    );
    return (await makeToken(pool, { person: id, name: "t", scopes, days: 1 })).token;
  };
  tokens = {
    read: await person("nora", "admin", ["policy:read"]),
    write: await person("nora", "admin", ["policy:read", "policy:write"]),
    watch: await person("nora", "admin", ["rollout:read", "rollout:write"]),
    viewer: await person("vic", "viewer", ["policy:read", "policy:write"]),
  };
  const replaySlots = new Slots(1);
  const nobody = async () => undefined;
  ({ server, url } = await serve(async (request) => {
    const [, , noun, ...path] = new URL(request.url).pathname.split("/");
    const parts = { pool, recordConsole, consoleKey };
    return noun === "rollout"
      ? respondRollout(parts, request, path)
      : noun === "replay"
        ? respondReplay({ pool, replaySlots }, nobody, request)
        : respondPolicy(parts, request, path.map(decodeURIComponent));
  }));
  // as an installed command is found
  mkdirSync(join(work, "bin"));
  writeFileSync(join(work, "bin/sallyport"), `#!/bin/sh\nexec "${process.execPath}" "${SALLYPORT}" "$@"\n`);
  chmodSync(join(work, "bin/sallyport"), 0o755);
});
afterAll(async () => {
  await new Promise((resolve) => server?.close(resolve));
  await pool?.end();
  await postgres?.stop();
  rmSync(work, { recursive: true, force: true });
});

let at: string;
beforeEach(() => {
  at = mkdtempSync(join(work, "clone-"));
  mkdirSync(join(at, "policies/rollouts"), { recursive: true });
});
const write = (file: string, text: string) => writeFileSync(join(at, "policies", file), text);

type Ran = { code: number | null; out: string; err: string };
function run(token: string, program: string, args: readonly string[]): Promise<Ran> {
  const child = spawn(program, args, {
    env: {
      ...process.env,
      PATH: `${join(work, "bin")}${delimiter}${process.env.PATH}`,
      SALLYPORT_TOKEN: token,
      SALLYPORT_URL: url,
      GIT_AUTHOR_NAME: "n",
      GIT_AUTHOR_EMAIL: "n@example.org",
      GIT_COMMITTER_NAME: "n",
      GIT_COMMITTER_EMAIL: "n@example.org",
    },
    cwd: at,
    stdio: ["ignore", "pipe", "pipe"],
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
const policy = (token: string, ...args: string[]) => run(token, "sallyport", ["policy", ...args]);
const plan = async (...more: string[]): Promise<RepositoryPlan & { code: number | null }> => {
  const ran = await policy(tokens.read, "plan", "policies", "--json", ...more);
  if (!ran.out) throw new Error(ran.err);
  return { ...(JSON.parse(ran.out) as RepositoryPlan), code: ran.code };
};
const ours = ["--repository", REPOSITORY];

/** Each shell block of the page, as it stands there. */
const blocks = [...readFileSync(join(ROOT, "docs/pipelines.md"), "utf8").matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(
  ([, text]) => text!,
);

type Row = { kind: string; text: string; body: { actor: object; address?: string; before?: unknown; after?: unknown } };
async function records(): Promise<Row[]> {
  const { rows } = await pool.query<{ kind: string; content: Buffer }>(
    "SELECT kind, content FROM record ORDER BY index",
  );
  return rows.map(({ kind, content }) => ({ kind, ...JSON.parse(content.toString()) }));
}
const state = async () =>
  (
    await pool.query(
      `SELECT g.name, g.repository, g.retired_at IS NOT NULL AS retired, (SELECT max("order") FROM publication WHERE group_id = g.id) AS newest,
              (SELECT count(*)::int FROM rollout WHERE group_id = g.id) AS rollouts FROM "group" g ORDER BY g.name`,
    )
  ).rows as { name: string; repository: string | null; retired: boolean; newest: number | null; rollouts: number }[];

function as(role: Role) {
  const actor = { id: role, email: `${role}@example.org`, name: role, role, session: "s", twoFactor: true };
  const wiring = { pool, consoleKey, recordConsole } as unknown as Context["wiring"];
  return appRouter.createCaller({ wiring, actor, still: async () => actor, origin: {}, host: "x" });
}

test("the page's pipeline plans, replays and applies from a clean clone, and a second run finds nothing to do", {
  timeout: RUNS_MS_MAX,
}, async () => {
  expect(blocks).toHaveLength(3);
  const [proposed, merged, byHand] = blocks as [string, string, string];
  write("floor.yaml", `# agreed with the shop floor\n${POLICY_TEMPLATE}`);
  write("rollouts/floor.yaml", "waves:\n  - { label: canary, soakSeconds: 0 }\n  - { all: true, soakSeconds: 0 }\n");
  write("front desk.yaml", "log:\n  linesPerSecond: 400 # two printers\n");
  const commit = await run("", "sh", [
    "-c",
    "git init -q && git add . && git commit -qm 'Fewer lines at the front desk'",
  ]);
  expect(commit).toMatchObject({ code: 0 });

  const before = await state();
  const planned = await run(tokens.read, "sh", ["-c", proposed]);
  expect(planned).toMatchObject({
    code: 0,
    out: expect.stringMatching(/1 to create, 1 to change, 0 to delete, 0 unchanged/),
  });
  expect(planned.out).toMatch(/\+ create {2}front desk \(front desk\.yaml\): the group is made; it is published/);
  expect(planned.out).toMatch(/Not touched, neither in the folder nor managed from here: nobody's\./);
  expect(await state()).toEqual(before); // planned, and nothing else

  const applied = await run(tokens.write, "sh", ["-c", merged]);
  expect(applied, applied.err).toMatchObject({
    code: 0,
    out: expect.stringMatching(/front desk: r1 is signed and published/),
  });
  expect(applied.out).toMatch(/floor: r1 is signed; its rollout [0-9a-f-]{36} begins/);
  expect(await state()).toEqual([
    { name: "floor", repository: REPOSITORY, retired: false, newest: 1, rollouts: 1 },
    { name: "front desk", repository: REPOSITORY, retired: false, newest: 1, rollouts: 0 },
    { name: "nobody's", repository: null, retired: false, newest: null, rollouts: 0 },
  ]);
  const trail = await records();
  expect(trail.map(({ kind }) => kind).sort()).toEqual([
    "person.group-made",
    "person.group-managed",
    "person.group-managed",
    "person.policy-published",
    "person.repository-applied",
    "person.rollout-started",
  ]);
  for (const { body } of trail)
    expect(body).toMatchObject({
      actor: { email: "nora@example.org", token: expect.any(String) },
      address: "192.0.2.9",
    });
  expect(trail.at(-1)).toMatchObject({
    text: expect.stringMatching(/1 made, 1 changed, 0 retired: Fewer lines at the front desk$/),
    body: {
      before: [{ group: "floor", newest: 0 }, { group: "front desk" }],
      after: { message: "Fewer lines at the front desk" },
    },
  });

  // the plan is spent, and there is nothing more to do
  expect(await run(tokens.write, "sh", ["-c", merged])).toMatchObject({
    code: 3,
    err: expect.stringMatching(/another one by now/),
  });
  const again = await policy(tokens.write, "apply", "policies", ...ours, "--yes", "--message", "again");
  expect(again).toMatchObject({ code: 0, out: "Nothing to do: the console has it already.\n" });
  expect((await plan(...ours, "--detailed-exitcode")).code).toBe(0);
  expect(await records()).toHaveLength(trail.length);

  expect(await run(tokens.watch, "sh", ["-c", byHand])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/wave 1, label canary: 1\n[\s\S]*pending +r1 to floor/),
  });
});

test("what was planned is what is applied, all of it or nothing: a revision that moved since is told", {
  timeout: RUNS_MS_MAX,
}, async () => {
  write("front desk.yaml", "log: { linesPerSecond: 300 }\n");
  write("lobby.yaml", "{}\n");
  const seen = await plan("--repository", REPOSITORY, "--detailed-exitcode");
  expect(seen.code).toBe(3); // floor's file is gone, and two workstations are in it
  expect(seen.steps.find(({ group }) => group === "floor")).toMatchObject({
    act: "delete",
    refused: [expect.stringMatching(/2 workstations are in floor: move or revoke them first, or put its file back/)],
  });
  const refused = await policy(
    tokens.write,
    "apply",
    "policies",
    ...ours,
    "--expect",
    seen.digest,
    "--message",
    "too soon",
  );
  expect(refused).toMatchObject({
    code: 3,
    err: expect.stringMatching(/floor: 2 workstations are in floor[\s\S]*Nothing was changed/),
  });

  write("floor.yaml", POLICY_TEMPLATE);
  write("rollouts/floor.yaml", "waves: [{ all: true }]\n");
  const ready = await plan(...ours, "--detailed-exitcode", "--out", "plan.json");
  expect(ready.code).toBe(2);
  expect(planCounts(ready)).toEqual({ create: 1, change: 1, delete: 0, none: 1 });
  expect(ready.steps.find(({ group }) => group === "floor")?.words).toMatch(/a rollout of it is under way \(r1/);
  const before = await state();
  // somebody publishes past the repository: an owner, who took the group back
  await as("owner").policy.setRepository({
    group: (await idOf("front desk")) as never,
    repository: null,
    reason: "an urgent fix",
  });
  await as("admin").policy.publish({
    ...{
      group: (await idOf("front desk")) as never,
      source: "log: { linesPerSecond: 200 }\n",
      message: "urgent",
      basedOn: 1,
    },
  });
  const moved = await policy(
    tokens.write,
    "apply",
    "policies",
    ...ours,
    "--plan",
    "plan.json",
    "--message",
    "as planned",
  );
  expect(moved).toMatchObject({
    code: 3,
    err: expect.stringMatching(/moved since\. Plan again and look\. Nothing was changed/),
  });
  expect((await state()).map(({ name }) => name)).toEqual(before.map(({ name }) => name)); // the lobby was not made either
  // so does a file that changed since
  const now = await plan(...ours);
  write("lobby.yaml", "log: { linesPerSecond: 100 }\n");
  const other = await policy(
    tokens.write,
    "apply",
    "policies",
    ...ours,
    "--expect",
    now.digest,
    "--message",
    "as planned",
  );
  expect(other).toMatchObject({ code: 3, err: expect.stringMatching(/another one by now/) });
  const done = await policy(tokens.write, "apply", "policies", ...ours, "--yes", "--message", "now then");
  expect(done.err).toMatch(/~ change {2}front desk/);
  expect(done.out).toBe("front desk: r3 is signed and published.\nlobby: r1 is signed and published.\n");
});

test("a group whose file is gone is retired where nobody is in it, lets nobody in, and comes back with its file", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const exported = await policy(tokens.read, "export", "policies");
  expect(exported.out).toMatch(/wrote {2}front desk\.yaml\n[\s\S]*left out {2}nobody's: no policy is published yet/);
  expect(readFileSync(join(at, "policies/lobby.yaml"), "utf8")).toBe("log: { linesPerSecond: 100 }\n");
  write("floor.yaml", POLICY_TEMPLATE); // its rollout is under way; the whole group has none yet
  rmSync(join(at, "policies/lobby.yaml"));
  const gone = await policy(tokens.write, "apply", "policies", ...ours, "--yes", "--message", "the lobby closes");
  expect(gone).toMatchObject({
    code: 0,
    out: "lobby: retired.\n",
    err: expect.stringMatching(/- delete {2}lobby: it is retired/),
  });
  const lobby = await idOf("lobby");
  expect((await as("admin").policy.groups()).map(({ name }) => name)).not.toContain("lobby");
  await expect(seedWorkstation(pool, { name: "late", group: lobby })).rejects.toMatchObject({ code: "SPRET" });
  await expect(
    as("admin").policy.publish({ group: lobby as never, source: "{}", message: "not here", basedOn: 1 }),
  ).rejects.toThrow(/lobby is retired: put its file back/);
  expect((await records()).at(-2)).toMatchObject({ kind: "person.group-retired", body: { after: { retired: true } } });

  write("lobby.yaml", "log: { linesPerSecond: 90 }\n");
  const back = await policy(tokens.write, "apply", "policies", ...ours, "--yes", "--message", "it opens again");
  expect(back).toMatchObject({ code: 0, out: "lobby: r2 is signed and published.\n" });
  expect(await idOf("lobby")).toBe(lobby);
  await seedWorkstation(pool, { name: "early", group: lobby });
});

test("whoever comes into a group at the moment of its retirement stays, and nothing is retired", {
  timeout: RUNS_MS_MAX,
}, async () => {
  for (const name of ["front desk", "floor"]) write(`${name}.yaml`, (await policyTextOf(name)) ?? "{}\n");
  await pool.query('UPDATE "group" SET repository = $1 WHERE name = $2', [REPOSITORY, "nobody's"]);
  write("lobby.yaml", (await policyTextOf("lobby")) ?? "{}\n");
  const before = await state();
  const group = await idOf("nobody's");
  const coming = await pool.connect();
  try {
    await coming.query("BEGIN");
    await seedWorkstation(coming as unknown as pg.Pool, { name: "just now", group });
    const applying = policy(tokens.write, "apply", "policies", ...ours, "--yes", "--message", "it closes");
    await vi.waitFor(async () => {
      const waiting = await pool.query(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE'",
      );
      expect(waiting.rowCount).toBe(1);
    }, WAIT);
    await coming.query("COMMIT");
    expect(await applying).toMatchObject({
      code: 3,
      err: expect.stringMatching(/Somebody came into a group that was to be retired\. Nothing was changed/),
    });
  } finally {
    coming.release();
  }
  expect(await state()).toEqual(before);
  await pool.query("UPDATE workstation SET state = 'revoked' WHERE name = 'just now'");
  await pool.query('UPDATE "group" SET repository = NULL WHERE id = $1', [group]);
});

test("an export is the very text that was published; one over other text stops before it writes anything", {
  timeout: RUNS_MS_MAX,
}, async () => {
  write("front desk.yaml", "# mine\n");
  const stopped = await policy(tokens.read, "export", "policies");
  expect(stopped).toMatchObject({
    code: 1,
    err: expect.stringMatching(/policies\/front desk\.yaml: it holds something else\. Nothing was written/),
  });
  expect(readdirSync(join(at, "policies"))).toEqual(["front desk.yaml", "rollouts"]);
  expect(await policy(tokens.read, "export", "policies", "--overwrite")).toMatchObject({ code: 0 });
  const twice = await policy(tokens.read, "export", "policies", "--json");
  expect(JSON.parse(twice.out)).toMatchObject({
    files: [{ file: "front desk.yaml", did: "as it was" }, { did: "as it was" }],
  });
  expect((await plan("--detailed-exitcode")).code).toBe(0);
});

test("a token does what its scopes and its person allow, and is told which scope it lacks; bad files are named by line", {
  timeout: RUNS_MS_MAX,
}, async () => {
  write("floor.yaml", "log: { linesPerSecond: 20 }\n");
  const apply = ["apply", "policies", "--yes", "--message", "may not be"];
  const before = await state();
  expect(await policy(tokens.read, ...apply)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/\(403\): This API token has no scope "policy:write"/),
  });
  expect(await policy(tokens.watch, "plan", "policies")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/no scope "policy:read"/),
  });
  expect(await policy(tokens.viewer, ...apply)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/As viewer you may not write and publish policy/),
  });
  expect(await policy(tokens.write, "apply", "policies", "--message", "unseen")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/Nobody can be asked here/),
  });
  expect(await policy(tokens.read, "plan", "nowhere")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/nowhere cannot be read/),
  });
  write("floor.yaml", "log:\n  linesPerSecond: many\n");
  expect(await policy(tokens.read, "plan", "policies")).toMatchObject({
    code: 3,
    err: expect.stringMatching(/floor\.yaml:2:19: log\.linesPerSecond: /),
  });
  write("floor.yaml", "{}\n");
  write("Floor.yaml", "{}\n");
  expect(await policy(tokens.read, "plan", "policies")).toMatchObject({
    code: 3,
    err: expect.stringMatching(/floor\.yaml: Floor\.yaml is for the same group/),
  });
  rmSync(join(at, "policies/Floor.yaml"));
  rmSync(join(at, "policies/floor.yaml"));
  write("rollouts/floor.yaml", "waves: [{ all: true }]\n");
  write("front desk.yaml", "{}\n");
  expect(await policy(tokens.read, "plan", "policies")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/rollouts\/floor\.yaml is for a group that has no file/),
  });
  expect(await state()).toEqual(before);
});

test("a plan for waves that makes no sense is named by its file, and nothing of the folder is done", {
  timeout: RUNS_MS_MAX,
}, async () => {
  write("floor.yaml", "log: { linesPerSecond: 21 }\nusb: { deviceRules: [] }\n");
  write("annex.yaml", "{}\n");
  const before = await state();
  const refused = async (waves: string, words: RegExp) => {
    write("rollouts/floor.yaml", waves);
    const planned = await policy(tokens.read, "plan", "policies", ...ours);
    expect(planned).toMatchObject({ code: 3 });
    expect(planned.out + planned.err).toMatch(words);
    const applied = await policy(tokens.write, "apply", "policies", ...ours, "--yes", "--message", "may not be");
    expect(applied).toMatchObject({ code: 3, err: expect.stringMatching(words) });
    expect(await state()).toEqual(before);
  };
  await refused(
    "waves: [{ percent: 10 }]\n",
    /rollouts\/floor\.yaml: waves\[0\]: the last wave must be all of the group .*never ends/,
  );
  await refused("waves: [{ label: nobody }, { all: true }]\n", /no workstation of floor has the label nobody/);
  await refused("waves: [{ all: true }]\nguards: { applied: { share: 1.5 } }\n", /can never be met/);
  await refused("waves: [{ all: true }]\nguards: { applied: { withinSeconds: 5 } }\n", /could never be met in time/);
  write("rollouts/floor.yaml", "waves: [{ all: true }]\n");
  const { steps } = await plan(...ours);
  expect(steps.find(({ group }) => group === "floor")?.notes).toContainEqual(
    expect.stringMatching(/cuts every workstation off from USB/),
  );
  expect(steps.find(({ group }) => group === "annex")?.words).toMatch(/nobody is in the group yet/);
});

test("a group that a repository is the source of is written from there alone, until an owner takes it back", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const group = floor as never;
  const elsewhere = /floor is managed from https:\/\/git\.example\.org\/fleet\/policies: change its file there/;
  const source = "log: { linesPerSecond: 50 }\n";
  await expect(as("admin").policy.publish({ group, source, message: "by hand", basedOn: 1 })).rejects.toThrow(
    elsewhere,
  );
  const id = "6f1c3b52-5e0c-4a53-9f0e-6d8c3e7f1a20";
  const rollout = { id, group, source, message: "by hand", plan: { waves: [{ all: true }] } } as never;
  await expect(as("owner").rollout.start(rollout)).rejects.toThrow(elsewhere);
  write("floor.yaml", "log: { linesPerSecond: 45 }\n");
  write("rollouts/floor.yaml", "waves: [{ all: true }]\n");
  const begin = (...more: string[]) =>
    run(tokens.watch, "sallyport", [
      ...[
        "rollout",
        "start",
        "--group",
        "floor",
        "--policy",
        "policies/floor.yaml",
        "--plan",
        "policies/rollouts/floor.yaml",
      ],
      ...["--message", "by hand", ...more],
    ]);
  expect(await begin()).toMatchObject({ code: 3, err: expect.stringMatching(elsewhere) });
  expect(await begin(...ours)).toMatchObject({ code: 0, out: expect.stringMatching(/^r2 is signed; its rollout/) });
  write("floor.yaml", source);
  const other = await policy(tokens.read, "plan", "policies", "--repository", "another place");
  expect(other).toMatchObject({
    code: 3,
    out: expect.stringMatching(/refused: It is managed from https:.*An owner takes it back/),
  });
  await expect(as("admin").policy.setRepository({ group, repository: null, reason: "mine" })).rejects.toThrow(
    /ask an owner/,
  );
  await as("owner").policy.setRepository({ group, repository: null, reason: "the repository is away" });
  expect((await records()).at(-1)).toMatchObject({
    kind: "person.group-managed",
    body: { before: { repository: REPOSITORY }, after: { repository: null, reason: "the repository is away" } },
  });
  await as("admin").policy.publish({ group, source, message: "by hand", basedOn: 2 });
});

test("a rollout that a person took back is not begun again by the next run of the pipeline", {
  timeout: RUNS_MS_MAX,
}, async () => {
  write("floor.yaml", "log: { linesPerSecond: 40 }\n");
  write("rollouts/floor.yaml", "waves: [{ all: true }]\n");
  const begun = await policy(tokens.write, "apply", "policies", "--yes", "--message", "fewer", "--json");
  const { done } = JSON.parse(begun.out) as { done: { rollout: string }[] };
  const tx = await pool.connect();
  await tx.query("BEGIN");
  const asked = {
    id: done[0]!.rollout,
    command: "abort",
    reason: "phones rang",
    version: undefined,
    by: "nora",
    now: new Date(),
  } as const;
  await commandRollout(tx, asked);
  await tx.query("COMMIT");
  tx.release();
  const next = await plan();
  expect(next).toMatchObject({
    code: 3,
    steps: [{ refused: [expect.stringMatching(/was taken back: phones rang; .*Change the file, or say --again/)] }],
  });
  expect(await plan("--again")).toMatchObject({ code: 0, steps: [{ how: "roll out", refused: [] }] });
});

test("a group whose approvers must sign is put before them by the pipeline, once, and nothing is in force before", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const vault = await seedGroup(pool, "vault", consoleKey.publicKey);
  const approver = generateKeyPairSync("ed25519").publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  await pool.query(
    "INSERT INTO group_key (group_id, key_id, public_key, role, name) VALUES ($1, 'a', $2, 'approver', 'ann')",
    [vault, approver.toString("base64")],
  );
  await pool.query('UPDATE "group" SET threshold = 2 WHERE id = $1', [vault]);
  write("vault.yaml", "log: { linesPerSecond: 60 }\n");
  expect((await plan()).steps[0]?.notes).toContainEqual(expect.stringMatching(/2 keys must sign: apply asks for that/));
  const asked = await policy(tokens.write, "apply", "policies", "--yes", "--message", "as agreed");
  expect(asked, asked.err).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^vault: r1 waits for 1 of its approvers to sign it \([0-9a-f-]{36}\)/),
  });
  expect((await state()).find(({ name }) => name === "vault")).toMatchObject({ newest: null, rollouts: 0 });
  expect(await plan("--detailed-exitcode")).toMatchObject({
    code: 0,
    steps: [{ act: "none", words: expect.stringMatching(/^it waits for its approvers/) }],
  });
  expect((await policy(tokens.write, "apply", "policies", "--yes", "--message", "again")).out).toMatch(
    /^Nothing to do/,
  );
});

test("a pipeline that dies between any two statements of an apply leaves nothing half done", {
  timeout: RUNS_MS_MAX,
}, async () => {
  write("floor.yaml", "log: { linesPerSecond: 31 }\n");
  write("annex.yaml", "{}\n");
  const { applyFolder, planFolder } = await import("../src/policy/repository.ts");
  const folder = {
    repository: null,
    again: false,
    files: ["annex", "floor"].map((group) => ({
      file: `${group}.yaml`,
      group,
      source: readFileSync(join(at, "policies", `${group}.yaml`), "utf8"),
    })),
  };
  const { digest } = await planFolder(pool, folder);
  const whole = async () => [
    await state(),
    (await records()).length,
    (await pool.query("SELECT digest FROM publication ORDER BY 1")).rows,
  ];
  const before = await whole();
  let killAt = 0;
  for (let isDone = false; !isDone; ) {
    const parts = { pool: dying(pool, ++killAt), recordConsole, consoleKey };
    const asked = { ...folder, expect: digest, message: "over and over" };
    isDone = await applyFolder(parts, { id: "nora", email: "nora@example.org" }, {}, asked).then(
      () => true,
      async (error: Error) => {
        expect(error.message).toBe("the connection is gone");
        expect(await whole()).toEqual(before);
        return false;
      },
    );
  }
  expect(killAt).toBeGreaterThan(20);
  expect((await state()).map(({ name }) => name)).toContain("annex");
});

async function policyTextOf(name: string): Promise<string | undefined> {
  const { wanted } = await as("admin").policy.group({ id: (await idOf(name)) as never });
  return wanted?.source;
}

async function idOf(name: string): Promise<string> {
  return (await pool.query<{ id: string }>('SELECT id FROM "group" WHERE name = $1', [name])).rows[0]!.id;
}
