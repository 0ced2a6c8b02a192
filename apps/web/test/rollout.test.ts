/** Rollouts from the procedure to what each workstation should have, with a real database and as many workers as one likes. */
import "reflect-metadata";
import { randomUUID } from "node:crypto";
import { SECTIONS } from "@sallyport/shared/policy/policy.ts";
import { SignedStatement, Statement } from "@sallyport/shared/policy/statement.ts";
import type { Command } from "@sallyport/shared/rollout/command.ts";
import { Plan } from "@sallyport/shared/rollout/plan.ts";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { due } from "../src/dispatch/due.ts";
import type { Role } from "../src/person/role.ts";
import { Rollouts } from "../src/rollout/rollouts.ts";
import { type StepDeps, step } from "../src/rollout/step.ts";
import { getRollout } from "../src/rollout/store.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import type { Context } from "../src/trpc/context.ts";
import { appRouter } from "../src/trpc/router.ts";
import { dying } from "./dying.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedWorkstation } from "./seed.ts";

const WAIT = { timeout: 120_000, interval: 50 };
const log = pino({ level: "silent" });
const consoleKey = newSigner();
const recordConsole = consoleRecorder(consoleKey);
const SHARDS = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, "0"));
const WAVES = [
  { label: "canary", soakSeconds: 5 },
  { all: true as const, soakSeconds: 5 },
];

let postgres: TestPostgres;
let pool: pg.Pool;
let group: string;
let now: number;
let stations: { canary: string; other: string; third: string };

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
});
beforeEach(async () => {
  await pool.query('TRUNCATE rollout, publication, revision, reported, alert, workstation, group_key, "group" CASCADE');
  group = await seedGroup(pool, "floor", consoleKey.publicKey);
  now = Date.now();
  stations = {
    canary: await seedWorkstation(pool, { name: "canary", group, labels: ["canary"] }),
    other: await seedWorkstation(pool, { name: "other", group }),
    third: await seedWorkstation(pool, { name: "third", group }),
  };
  await as().policy.publish({ group: group as never, source: source(1), message: "the first", basedOn: 0 });
  for (const id of Object.values(stations)) await report(id, 1);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

const source = (linger: number, more = ""): string => `log: { lingerMs: ${linger} }\n${more}`;
const wiring = () => ({ pool, recordConsole, consoleKey }) as unknown as Context["wiring"];
const as = (role: Role = "admin", email = "nora@example.com") => {
  const actor = { id: email, email, name: email, role, session: "s", twoFactor: true };
  return appRouter.createCaller({
    wiring: wiring(),
    actor,
    still: async () => actor,
    origin: { address: "192.0.2.7" },
    host: "localhost",
  } as Context);
};
const deps = (): StepDeps => ({ pool, recordConsole });

async function begin(linger: number, plan: object = {}, more: object = {}): Promise<string> {
  const id = randomUUID();
  const whole = Plan.parse({ waves: WAVES, ...plan });
  await as().rollout.start({
    id,
    group: group as never,
    source: source(linger),
    message: "longer",
    plan: whole,
    ...more,
  });
  return id;
}
/** One look, so many seconds after the one before. */
const look = (id: string, seconds = 6) => {
  now += seconds * 1000;
  return step(deps(), id, new Date(now));
};
const state = async (id: string) => (await getRollout(pool, id)).state;
const command = async (id: string, what: Command, reason = "because") => {
  const { version } = await getRollout(pool, id);
  return as().rollout.command({ id, command: what, reason, version });
};

/** The order each should have, as dispatch finds it. */
async function wanted(): Promise<Record<string, number | null>> {
  const targets = await due(pool, {
    shards: SHARDS,
    back: Object.values(stations) as never,
    after: "00000000-0000-0000-0000-000000000000",
    limit: 100,
  });
  const name = new Map(Object.entries(stations).map(([name, id]) => [id, name]));
  return Object.fromEntries(targets.map(({ id, policy }) => [name.get(id) ?? id, policy]));
}

/** What an agent would say of the publication it has in force. `ago`: seconds before the test's clock. */
async function report(id: string, order: number, more: { failed?: string; refused?: number; ago?: number } = {}) {
  const { rows } = await pool.query<{ digest: string }>('SELECT digest FROM publication WHERE "order" = $1', [order]);
  const sections = Object.fromEntries(SECTIONS.map((name) => [name, { outcome: "applied" }]));
  if (more.failed) sections[more.failed] = { outcome: "failed", reason: "it does not start" } as never;
  const document = {
    policy: { digest: rows[0]!.digest, order, taken: new Date(now).toISOString(), old: false },
    sections,
    ...(more.refused && {
      refused: { code: "signatures", reason: "too few", order: more.refused, at: new Date(now).toISOString() },
    }),
  };
  const at = new Date(now - (more.ago ?? 0) * 1000);
  await pool.query(
    `INSERT INTO reported (workstation_id, at, received_at, document) VALUES ($1, $2, $2, $3)
     ON CONFLICT (workstation_id) DO UPDATE SET at = $2, received_at = $2, document = $3`,
    [id, at, JSON.stringify(document)],
  );
  await pool.query("UPDATE workstation SET last_receipt_at = $2 WHERE id = $1", [id, at]);
}

const records = async () => {
  const { rows } = await pool.query<{ kind: string; text: string }>(
    "SELECT kind, text FROM record r JOIN trail t ON t.num = r.trail WHERE t.workstation_id IS NULL AND kind LIKE '%.rollout-%' ORDER BY r.trail, r.index",
  );
  return rows;
};

test("a revision goes to the canary, holds, goes to all, and is done by what was reported", async () => {
  const id = await begin(2);
  expect(await wanted()).toEqual({ canary: 1, other: 1, third: 1 });
  await look(id);
  expect(await wanted()).toEqual({ canary: 2, other: 1, third: 1 });
  await look(id);
  expect(await state(id)).toMatchObject({ name: "running", wave: 0 });
  await report(stations.canary, 2);
  await look(id);
  expect(await state(id)).toMatchObject({ name: "soaking", wave: 0 });
  expect((await getRollout(pool, id)).counts).toEqual({ done: 1, failed: 0, waiting: 2, unreachable: 0 });
  await look(id);
  expect(await state(id)).toMatchObject({ name: "running", wave: 1 });
  expect(await wanted()).toEqual({ canary: 2, other: 2, third: 2 });
  await report(stations.other, 2);
  await report(stations.third, 2);
  await look(id);
  await look(id);
  expect(await state(id)).toEqual({ name: "done", wave: 1 });
  expect(await look(id)).toBe("passed");
  const kept = await pool.query("SELECT fallback FROM rollout WHERE id = $1", [id]);
  expect(kept.rows[0].fallback).toBeNull();
  expect((await records()).map(({ kind }) => kind).slice(-6)).toEqual([
    "person.rollout-started",
    "console.rollout-started",
    "console.rollout-soaking",
    "console.rollout-wave",
    "console.rollout-soaking",
    "console.rollout-done",
  ]);
  // nobody reuses the order that was signed for an abort
  const { order } = await as().policy.publish({
    group: group as never,
    source: source(9),
    message: "later",
    basedOn: 2,
  });
  expect(order).toBe(4);
});

test("a guard that trips pauses with its reason; aborting brings those that were told back, and is on the trail", async () => {
  const id = await begin(2);
  await look(id);
  const sent = await pool.query<{ statement: unknown }>('SELECT statement FROM publication WHERE "order" = 2');
  const first = await pool.query<{ digest: string }>('SELECT digest FROM publication WHERE "order" = 1');
  const statement = Statement.parse(JSON.parse(SignedStatement.parse(sent.rows[0]!.statement).text));
  expect(statement.fallback).toBe(first.rows[0]!.digest);
  await report(stations.canary, 2, { failed: "ids" });
  await look(id);
  const held = await getRollout(pool, id);
  expect(held.state).toMatchObject({ name: "paused", guard: "failures" });
  expect(held.guards.find(({ isTripped }) => isTripped)?.words).toMatch(/1 of 1 failed/);
  expect(held.members[0]).toMatchObject({
    name: "canary",
    standing: { word: "failed", reason: "ids: it does not start" },
  });
  expect(held.events[0]?.text).toMatch(/1 of 1 workstations that were told could not make it true/);
  await look(id);
  expect(await wanted()).toEqual({ canary: 2, other: 1, third: 1 });

  const alerts = await pool.query("SELECT kind, title, reason, state FROM alert");
  expect(alerts.rows).toEqual([
    {
      kind: "console.rollout-paused",
      title: "The rollout of r2 to floor is paused",
      reason: held.events[0]?.text,
      state: "open",
    },
  ]);

  await command(id, "abort", "the detector does not start");
  expect(await state(id)).toMatchObject({ name: "aborting" });
  expect(await wanted()).toEqual({ canary: 3, other: 3, third: 3 });
  const back = await pool.query<{ digest: string }>('SELECT digest FROM publication WHERE "order" = 3');
  expect(back.rows[0]!.digest).toBe(first.rows[0]!.digest);
  await look(id);
  expect((await getRollout(pool, id)).counts).toEqual({ done: 0, failed: 0, waiting: 1, unreachable: 0 });
  await report(stations.canary, 3);
  await look(id);
  expect(await state(id)).toMatchObject({ name: "aborted", reason: "the detector does not start" });
  expect((await getRollout(pool, id)).counts).toEqual({ done: 1, failed: 0, waiting: 0, unreachable: 0 });
  const said = await records();
  expect(said.slice(-4).map(({ kind }) => kind)).toEqual([
    "console.rollout-started",
    "console.rollout-paused",
    "person.rollout-aborted",
    "console.rollout-aborted",
  ]);
  expect(said.at(-2)?.text).toBe("nora@example.com aborted the rollout of r2 to floor: the detector does not start");
});

test("refusals, silence and alerts above the usual each stop it in words", async () => {
  const refused = await begin(2);
  await look(refused);
  await report(stations.canary, 1, { refused: 2 });
  await look(refused);
  expect(await state(refused)).toMatchObject({ name: "paused", guard: "refusals" });

  const silent = await begin(3);
  await report(stations.canary, 1);
  await look(silent);
  await report(stations.canary, 1, { ago: 600 });
  await look(silent);
  expect(await state(silent)).toMatchObject({ name: "paused", guard: "silent" });
  expect((await getRollout(pool, silent)).counts.unreachable).toBe(1);

  const alarmed = await begin(4);
  await report(stations.canary, 1);
  await look(alarmed);
  for (let at = 0; at < 5; at++)
    await pool.query(
      "INSERT INTO alert (key, workstation_id, kind, severity, title, reason, raised_at) VALUES ($1, $2, 'ids.alert', 4, 't', 'r', $3)",
      [`a${at}`, stations.canary, new Date(now + 1000)],
    );
  await report(stations.canary, 1);
  await look(alarmed);
  expect(await state(alarmed)).toMatchObject({
    name: "paused",
    guard: "alerts",
    reason: expect.stringMatching(/^5 alerts/),
  });
});

test("one that joins late or comes back gets what its wave has", async () => {
  await report(stations.other, 1, { ago: 86_400 });
  const id = await begin(2);
  await look(id);
  const late = await seedWorkstation(pool, { name: "late", group, labels: ["canary"] });
  Object.assign(stations, { late });
  expect(await wanted()).toMatchObject({ late: 1 });
  await look(id);
  expect(await wanted()).toEqual({ canary: 2, other: 1, third: 1, late: 2 });
  await command(id, "promote");
  await report(stations.canary, 2);
  await look(id);
  await report(stations.third, 2);
  await look(id);
  expect((await getRollout(pool, id)).counts).toMatchObject({ done: 2, unreachable: 1 });
  expect(await state(id)).toMatchObject({ name: "soaking", wave: 1 });
  await look(id);
  expect((await state(id)).name).toBe("done");
  await pool.query("UPDATE workstation SET last_receipt_at = $2 WHERE id = $1", [stations.other, new Date(now)]);
  expect(await wanted()).toMatchObject({ other: 2 });
  const newcomer = await seedWorkstation(pool, { name: "newcomer", group });
  expect(await wanted()).toMatchObject({ [newcomer]: 2 });
});

test("a newer rollout or a publication supersedes the one under way, and says so", async () => {
  const first = await begin(2);
  await look(first);
  const second = await begin(3);
  expect(await state(first)).toMatchObject({ name: "superseded", reason: "a rollout of r4 began" });
  expect(await wanted()).toEqual({ canary: 2, other: 1, third: 1 });
  await look(second);
  expect(await wanted()).toEqual({ canary: 4, other: 1, third: 1 });
  await command(second, "abort");
  await report(stations.canary, 5);
  await look(second);
  expect((await state(second)).name).toBe("aborted");
  const third = await begin(6);
  await as().policy.publish({ group: group as never, source: source(7), message: "now", basedOn: 6 });
  expect(await state(third)).toMatchObject({ name: "superseded", reason: "r8 was published to the whole group" });
  const { rows } = await pool.query<{ text: string; before: unknown }>(
    `SELECT text, convert_from(content, 'UTF8')::jsonb #> '{body,before}' AS before
       FROM record WHERE kind = 'person.policy-published' ORDER BY index DESC LIMIT 1`,
  );
  expect(rows[0]).toMatchObject({
    text: expect.stringMatching(/published revision 8 of .*, which ends the rollout of r6: now$/),
    before: { superseded: { id: third, order: 6, state: "pending" } },
  });
  expect(await wanted()).toEqual({ canary: 8, other: 8, third: 8 });
});

test("a worker that dies between any two statements of a look leaves nothing half done, and the next one goes on", async () => {
  const id = await begin(2);
  let reached = 0;
  for (let killAt = 1; ; killAt++) {
    const before = await everything(id);
    const died = await step({ pool: dying(pool, killAt), recordConsole }, id, new Date(now + 6_000)).then(
      () => false,
      () => true,
    );
    if (!died) break;
    reached = killAt;
    expect(await everything(id)).toEqual(before);
  }
  expect(reached).toBeGreaterThan(8);
  expect(await wanted()).toMatchObject({ canary: 2, other: 1 });
  expect((await records()).filter(({ kind }) => kind === "console.rollout-started").length).toBeGreaterThan(0);
});

test("a person's abort that dies between any two statements leaves nothing half done", async () => {
  const id = await begin(2);
  await look(id);
  const { version } = await getRollout(pool, id);
  for (let killAt = 1; ; killAt++) {
    const before = await everything(id);
    const caller = appRouter.createCaller({
      wiring: { pool: dying(pool, killAt), recordConsole, consoleKey },
      actor: { id: "a", email: "a@example.com", name: "a", role: "admin", session: "s", twoFactor: true },
      origin: {},
      host: "localhost",
    } as unknown as Context);
    const died = await caller.rollout.command({ id, command: "abort", reason: "because", version }).then(
      () => false,
      () => true,
    );
    if (!died) break;
    expect(await everything(id)).toEqual(before);
  }
  expect(await state(id)).toMatchObject({ name: "aborting" });
  expect(await wanted()).toEqual({ canary: 3, other: 3, third: 3 });
});

test("several workers at once take each step once, and a new worker goes on where the old one stopped", async () => {
  const id = await begin(2, {
    waves: [
      { label: "canary", soakSeconds: 0 },
      { all: true, soakSeconds: 0 },
    ],
  });
  now = Date.now();
  await report(stations.canary, 1);
  const run = (count: number) => {
    const stopping = new AbortController();
    const loops = Array.from({ length: count }, () =>
      new Rollouts({ ...deps(), log, lookMs: 20 }).run(stopping.signal),
    );
    return async () => {
      stopping.abort();
      await Promise.all(loops);
    };
  };
  const stop = run(3);
  await vi.waitFor(async () => expect(await wanted()).toMatchObject({ canary: 2, other: 1 }), WAIT);
  await stop();
  now = Date.now();
  await report(stations.canary, 2);
  const stopAgain = run(3);
  await vi.waitFor(async () => expect(await wanted()).toMatchObject({ other: 2, third: 2 }), WAIT);
  now = Date.now();
  await report(stations.other, 2);
  await report(stations.third, 2);
  await vi.waitFor(async () => expect((await state(id)).name).toBe("done"), WAIT);
  await stopAgain();
  const { events, eventsAll } = await getRollout(pool, id);
  expect(events.map(({ act }) => act).reverse()).toEqual(["made", "start", "soak", "next-wave", "soak", "finish"]);
  expect(eventsAll).toBe(6);
});

test("a worker that was away for an hour, or a clock that jumped, calls nobody silent and skips no soak", async () => {
  const id = await begin(2, { waves: [{ label: "canary", soakSeconds: 1800 }, { all: true }] });
  await look(id);
  await report(stations.canary, 2);
  await look(id);
  await look(id, 3600);
  expect(await state(id)).toEqual({ name: "soaking", wave: 0, elapsedMs: 30_000, waived: {} });
  await look(id, -7200);
  await look(id, 10);
  expect(await state(id)).toEqual({ name: "soaking", wave: 0, elapsedMs: 40_000, waived: {} });
  for (let at = 0; at < 30; at++) await look(id, 10);
  expect(await state(id)).toMatchObject({ name: "paused", guard: "silent" });
});

test("a large wave is told at the plan's pace", async () => {
  for (let at = 0; at < 12; at++) await seedWorkstation(pool, { name: `w${at}`, group, labels: ["canary"] });
  const id = await begin(2, { perSecond: 2 });
  const told = async () =>
    Number((await pool.query("SELECT count(*) FROM rollout_told WHERE rollout_id = $1", [id])).rows[0].count);
  expect(await look(id)).toBe("telling");
  expect(await told()).toBe(2);
  await look(id, 2);
  expect(await told()).toBe(6);
  await look(id, 86_400);
  expect(await told()).toBe(13);
});

test("what makes no sense is refused in words and nothing is made", async () => {
  const empty = await seedGroup(pool, "empty", consoleKey.publicKey);
  const plan = Plan.parse({ waves: WAVES });
  const refused = (more: object, words: RegExp) =>
    expect(
      as().rollout.start({
        id: randomUUID(),
        group: group as never,
        source: source(2),
        message: "longer",
        plan,
        ...more,
      }),
    ).rejects.toThrow(words);
  await refused({ group: empty }, /No workstation is in empty/);
  await refused(
    { plan: Plan.parse({ waves: [{ label: "nobody" }, { all: true }] }) },
    /no workstation of floor has the label nobody/,
  );
  await refused({ plan: { ...plan, waves: [{ percent: 10, soakSeconds: 0 }] } }, /last wave must be all/);
  await refused(
    { plan: Plan.parse({ waves: WAVES, guards: { applied: { withinSeconds: 5 } } }) },
    /never be met in time/,
  );
  await refused({ source: source(1) }, /already; nothing to roll out/);
  await refused({ source: "usb: { mode: no }" }, /line 1, usb.mode/);
  await refused({ basedOn: 0 }, /Revision 1 was published while you wrote/);
  await refused({ message: "" }, /say in a few words/);
  await expect(
    as("responder").rollout.start({
      id: randomUUID(),
      group: group as never,
      source: source(2),
      message: "longer",
      plan,
    }),
  ).rejects.toThrow(/As responder you may not/);
  expect((await pool.query("SELECT FROM rollout")).rowCount).toBe(0);
  expect((await pool.query("SELECT FROM publication")).rowCount).toBe(1);
});

test("of two admins at once the second is told what moved, and nothing of hers is done", async () => {
  const both = await Promise.allSettled([begin(2, {}, { basedOn: 1 }), begin(3, {}, { basedOn: 1 })]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const begun = both.find((each) => each.status === "fulfilled")!;
  const id = (begun as PromiseFulfilledResult<string>).value;
  await look(id);
  const { version } = await getRollout(pool, id);
  await as().rollout.command({ id, command: "pause", reason: "lunch", version });
  await expect(
    as("admin", "second@example.com").rollout.command({ id, command: "promote", reason: "go on", version }),
  ).rejects.toThrow(/It moved while you looked: it is paused now \(nora@example.com, .*: lunch\).*Nothing was changed/);
  expect(await state(id)).toMatchObject({ name: "paused", wave: 0 });
});

test("a group's first policy has nothing to go back to, and an abort says so", async () => {
  const fresh = await seedGroup(pool, "fresh", consoleKey.publicKey);
  const one = await seedWorkstation(pool, { name: "one", group: fresh, labels: ["canary"] });
  const id = randomUUID();
  await as().rollout.start({
    id,
    group: fresh as never,
    source: source(1),
    message: "the first",
    plan: Plan.parse({ waves: WAVES }),
  });
  await look(id);
  expect((await pool.query("SELECT FROM rollout_told WHERE workstation_id = $1", [one])).rowCount).toBe(1);
  await command(id, "abort");
  expect(await state(id)).toMatchObject({ name: "aborted", reason: expect.stringMatching(/no policy before/) });
});

test("the waves that a preview counts are the waves", async () => {
  for (let at = 0; at < 20; at++) await seedWorkstation(pool, { name: `w${at}`, group });
  const id = randomUUID();
  const plan = Plan.parse({ waves: [{ label: "canary" }, { percent: 40 }, { all: true }] });
  const seen = await as().rollout.preview({ id, group: group as never, plan, source: source(2) });
  expect(seen.faults).toEqual([]);
  await begin(2, plan, { id });
  const { waves } = await getRollout(pool, id);
  const sizes = waves.map(({ counts }) => counts.done + counts.failed + counts.waiting + counts.unreachable);
  expect(seen.waves.map(({ workstations }) => workstations)).toEqual(sizes);
  expect(sizes.reduce((sum, each) => sum + each, 0)).toBe(23);
  const wrong = await as().rollout.preview({
    id,
    group: group as never,
    plan: { waves: [{ label: "x" }] },
    source: "",
  });
  expect(wrong.faults.join()).toMatch(/last wave must be all/);
  const soon = Plan.parse({ waves: WAVES, guards: { applied: { withinSeconds: 10 } } });
  const early = await as().rollout.preview({
    id,
    group: group as never,
    plan: soon,
    source: "agent: { reportSeconds: 5 }",
  });
  expect(early.faults.join()).toMatch(/report every 60 s .*never be met in time/);
});

/** Every row that a rollout touches. */
async function everything(id: string): Promise<unknown> {
  const of = async (sql: string, values: string[] = []) => (await pool.query(sql, values)).rows;
  return {
    rollout: await of("SELECT * FROM rollout WHERE id = $1", [id]),
    told: await of("SELECT * FROM rollout_told ORDER BY workstation_id"),
    events: await of("SELECT * FROM rollout_event ORDER BY id"),
    alerts: await of("SELECT key FROM alert ORDER BY key"),
    publications: await of('SELECT group_id, "order", digest FROM publication ORDER BY 1, 2'),
    trail: await of("SELECT size FROM trail WHERE workstation_id IS NULL"),
  };
}
