/** Presence and reports against a real Postgres: what one workstation says takes nothing from another. */
import { randomUUID } from "node:crypto";
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { signValue } from "@sallyport/shared/trail/signed.ts";
import type pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import type { Refused } from "../src/ingest/judge.ts";
import { States } from "../src/ingest/state.ts";
import { hash } from "../src/trail/crypto.ts";
import { enrolled, Machine } from "./machine.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";

const WAIT = { timeout: 60_000, interval: 50 };
let postgres: TestPostgres;
let pool: pg.Pool;
let group: string;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  group = randomUUID();
  await pool.query('INSERT INTO "group" (id, name) VALUES ($1, $2)', [group, "states"]);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

/** `fault` is asked before each query and may throw in the database's place. */
function open(fault: (sql: string, values: unknown[]) => void = () => undefined) {
  const refused: Refused[] = [];
  const back: string[] = [];
  const query = async (sql: string, values: unknown[]) => {
    fault(sql, values);
    return pool.query(sql, values);
  };
  const states = new States({
    pool: { query } as unknown as pg.Pool,
    log: pino({ level: "silent" }),
    now: Date.now,
    back: async (some) => void back.push(...some),
    refuse: async (each) => void refused.push(each),
  });
  const stopping = new AbortController();
  const run = () => {
    const running = states.run(stopping.signal);
    return async () => {
      stopping.abort();
      await running;
    };
  };
  return { states, refused, back, run };
}

async function machines(count: number): Promise<Machine[]> {
  const some = Array.from({ length: count }, () => new Machine());
  for (const each of some) await enrolled(pool, each, group);
  return some;
}

const presence = (session: string, at: string, state = "online") =>
  Buffer.from(JSON.stringify({ session, state, at, agentVersion: "1" }));
const NOW = "2026-05-06T07:08:09.000Z";

function report(machine: Machine, at: string): Buffer {
  const value = {
    workstation: machine.id,
    session: machine.session,
    at,
    agentVersion: "1",
    hostname: "h",
    group,
    trail: { id: machine.trail, size: 0, root: toHex(hash(new Uint8Array())) },
    spool: { records: 0, bytes: 0, bytesMax: 1 },
    policy: null,
    sections: {},
    sources: {},
    guests: [],
  };
  return Buffer.from(JSON.stringify(signValue(hash, machine, "sallyport/reported/1", value)));
}

async function stateOf(workstation: WorkstationId): Promise<string | null> {
  const { rows } = await pool.query("SELECT presence_state FROM workstation WHERE id = $1", [workstation]);
  return rows[0].presence_state;
}
const untilOnline = (some: Machine[]) =>
  vi.waitFor(async () => {
    for (const { id } of some) expect(await stateOf(id)).toBe("online");
  }, WAIT);

test("a presence of the year 0000 is refused, and those beside it are stored", async () => {
  const [bad, ...good] = (await machines(4)) as [Machine, ...Machine[]];
  const { states, refused, back, run } = open();
  states.presence(bad.id, "t", presence(bad.session, "0000-01-01T00:00:00Z"));
  for (const { id, session } of good) states.presence(id, "t", presence(session, NOW));
  const stop = run();
  await untilOnline(good);
  await vi.waitFor(() => expect(back.sort()).toEqual(good.map(({ id }) => id).sort()), WAIT);
  expect(refused).toMatchObject([
    { code: "malformed", workstation: bad.id, reason: expect.stringContaining("before 1970") },
  ]);
  await stop();
});

test("a presence of nobody is refused and told, and those beside it are stored", async () => {
  const [one] = (await machines(1)) as [Machine];
  const nobody = new Machine();
  const { states, refused, back, run } = open();
  states.presence(nobody.id, "t", presence(nobody.session, NOW));
  states.presence(one.id, "t", presence(one.session, NOW));
  const stop = run();
  await untilOnline([one]);
  await vi.waitFor(() => expect(back).toEqual([one.id]), WAIT);
  expect(refused).toMatchObject([
    { code: "unknown", workstation: nobody.id, reason: "no such workstation is enrolled" },
  ]);
  await stop();
});

test("a row that the database alone finds wrong is refused alone", async () => {
  const [bad, ...good] = (await machines(4)) as [Machine, ...Machine[]];
  const { states, refused, back, run } = open((sql, values) => {
    if (sql.includes("presence_at") && (values[0] as string[]).includes(bad.id))
      throw Object.assign(new Error("timestamp out of range"), { code: "22008" });
  });
  for (const { id, session } of [bad, ...good]) states.presence(id, "t", presence(session, NOW));
  const stop = run();
  await untilOnline(good);
  await vi.waitFor(() => expect(back.sort()).toEqual(good.map(({ id }) => id).sort()), WAIT);
  expect(refused).toMatchObject([{ code: "store", workstation: bad.id, topic: "t" }]);
  expect(await stateOf(bad.id)).not.toBe("online");
  await stop();
});

test("what a database that was away did not take is stored when it is there again, unless something newer waits", async () => {
  const some = await machines(3);
  const [first, renewed] = some as [Machine, Machine, Machine];
  const newer = randomUUID();
  let away = true;
  let failures = 0;
  const { states, refused, run } = open(() => {
    if (!away) return;
    failures++;
    if (failures === 1) states.presence(renewed.id, "t", presence(newer, NOW));
    if (failures === 1) states.presence(first.id, "t", presence(randomUUID(), NOW, "offline")); // late: an old will
    throw Object.assign(new Error("terminating connection"), { code: "57P01" });
  });
  for (const { id, session } of some) states.presence(id, "t", presence(session, NOW));
  for (const each of some) states.reported(each.id, "t", report(each, NOW), false);
  const stop = run();
  await vi.waitFor(() => expect(failures).toBeGreaterThan(1), WAIT);
  away = false;
  await untilOnline(some);
  const { rows } = await pool.query("SELECT presence_session FROM workstation WHERE id = $1", [renewed.id]);
  expect(rows[0].presence_session).toBe(newer);
  await vi.waitFor(async () => {
    const ids = some.map(({ id }) => id);
    const found = await pool.query("SELECT 1 FROM reported WHERE workstation_id = ANY ($1::uuid[])", [ids]);
    expect(found.rows).toHaveLength(some.length);
  }, WAIT);
  expect(refused).toEqual([]);
  await stop();
});

test("a report from before 1970 is refused, and the next workstation's is stored", async () => {
  const [bad, good] = (await machines(2)) as [Machine, Machine];
  const { states, refused, run } = open();
  states.reported(bad.id, "t", report(bad, "0000-01-01T00:00:00Z"), false);
  states.reported(good.id, "t", report(good, NOW), false);
  const stop = run();
  await vi.waitFor(async () => {
    const found = await pool.query("SELECT 1 FROM reported WHERE workstation_id = $1", [good.id]);
    expect(found.rows).toHaveLength(1);
    expect(refused).toMatchObject([
      { code: "malformed", workstation: bad.id, reason: expect.stringContaining("before 1970") },
    ]);
  }, WAIT);
  await stop();
});

test("an older report that a broker says again is not taken for what is so now; nor is a trail's that was closed", async () => {
  const [machine, behind] = (await machines(2)) as [Machine, Machine];
  const { states, run } = open();
  /** Reports are taken in turn: when this one is stored, what was said before it has been looked at. */
  const untilLookedAt = async (minute: number) => {
    states.reported(behind.id, "t", report(behind, at(minute)), false);
    await vi.waitFor(async () => {
      const { rows } = await pool.query("SELECT at FROM reported WHERE workstation_id = $1", [behind.id]);
      expect(rows[0]?.at.toISOString()).toBe(at(minute));
    }, WAIT);
  };
  const held = async () =>
    (
      await pool.query<{ at: Date; version: string }>(
        `SELECT r.at, w.agent_version AS version FROM reported r JOIN workstation w ON w.id = r.workstation_id
          WHERE w.id = $1`,
        [machine.id],
      )
    ).rows[0];
  const at = (minute: number) => `2026-05-06T07:0${minute}:00.000Z`;
  const say = (minute: number) => states.reported(machine.id, "t", report(machine, at(minute)), false);
  const until = (minute: number) =>
    vi.waitFor(async () => expect((await held())?.at.toISOString()).toBe(at(minute)), WAIT);
  const stop = run();
  say(3);
  await until(3);
  const trail = machine.trail;
  say(1);
  await untilLookedAt(1);
  expect((await held())?.at.toISOString()).toBe(at(3));
  const claims = { session: machine.session, state: "online", at: NOW, agentVersion: "a broker's word" };
  states.presence(machine.id, "t", Buffer.from(JSON.stringify(claims)));
  await untilOnline([machine]);
  say(4);
  await until(4);
  expect((await held())?.version).toBe("1");

  await pool.query(
    "INSERT INTO trail (id, workstation_id, origin, public_key, edge, state) VALUES ($1, $2, 'o', '', '', 'closed')",
    [trail, machine.id],
  );
  machine.trail = randomUUID() as never;
  say(5);
  await until(5);
  machine.trail = trail;
  say(6);
  await untilLookedAt(2);
  expect((await held())?.at.toISOString()).toBe(at(5));
  await stop();
});
