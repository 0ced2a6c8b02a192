/** Rows → retained messages for a whole fleet: how many queries it takes, and what a broker that stops taking changes. */
import "reflect-metadata";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Desired } from "@sallyport/shared/policy/statement.ts";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { policyDispatch } from "../src/dispatch/dispatch.ts";
import { signMembership } from "../src/dispatch/sign.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedWorkstation } from "./seed.ts";

const WAIT = { timeout: 120_000, interval: 20 };
const log = pino({ level: "silent" });
const signer = newSigner();
const SHARDS = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, "0"));

let postgres: TestPostgres | undefined;
let pool: pg.Pool;
beforeEach(async () => {
  postgres ??= await startPostgres().then(async (started) => {
    await migrate(started.url);
    pool = openPool(started.url);
    return started;
  });
  await pool.query('TRUNCATE workstation, workstation_statement, dispatch, "group", group_key CASCADE');
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

async function seedFleet(count: number): Promise<WorkstationId[]> {
  const group = await seedGroup(pool, `fleet of ${count}`, signer.publicKey);
  const ids: WorkstationId[] = [];
  const tx = await pool.connect();
  for (let at = 0; at < count; at++) {
    const id = (await seedWorkstation(pool, { name: `w${at}`, group })) as WorkstationId;
    await signMembership(tx, signer, id, group as GroupId, new Date());
    ids.push(id);
  }
  tx.release();
  return ids;
}

/** One look after another, each told to begin; answers the queries it made and the workstations it told. */
function watched(publish: (workstation: string, desired: Desired) => void = () => undefined) {
  const queries: string[] = [];
  let told: string[] = [];
  const counted = new Proxy(pool, {
    get: (target, name) =>
      name === "query"
        ? (text: string, values: unknown[]) => {
            queries.push(text);
            return target.query(text, values);
          }
        : Reflect.get(target, name),
  });
  const dispatch = policyDispatch({
    pool: counted,
    log,
    shards: () => SHARDS,
    publish: async (topic, text) => {
      const workstation = topic.split("/")[3]!;
      publish(workstation, Desired.parse(JSON.parse(text)));
      told.push(workstation);
    },
  });
  const stopping = new AbortController();
  let done: Promise<void> | undefined;
  const looks = () => queries.filter((text) => text.includes("WITH due")).length;
  const look = async (begin: () => void) => {
    queries.length = 0;
    told = [];
    if (done) begin();
    else done = dispatch.run(stopping.signal);
    await vi.waitFor(() => expect(looks()).toBeGreaterThan(0), WAIT);
    // the next look begins only after this one has ended: a look that has nothing to do asks once
    const before = { queries: 0, told: [] as string[] };
    const ended = looks();
    dispatch.wake();
    await vi.waitFor(() => expect(looks()).toBeGreaterThan(ended), WAIT);
    before.queries = queries.length - (looks() - ended);
    before.told = [...told].sort();
    return before;
  };
  const stop = async () => {
    stopping.abort();
    await done;
  };
  return { dispatch, look, stop };
}

test("a look asks as often for two hundred workstations as for two, tells each once, and then has nothing to say", async () => {
  const asked: number[] = [];
  for (const count of [2, 200]) {
    await pool.query('TRUNCATE workstation, workstation_statement, dispatch, "group", group_key CASCADE');
    const ids = (await seedFleet(count)).sort();
    const { dispatch, look, stop } = watched();
    expect((await look(() => undefined)).told).toEqual(ids);
    const quiet = await look(() => dispatch.wake());
    expect(quiet.told).toEqual([]);
    asked.push(quiet.queries);
    const again = await look(() => dispatch.back(ids));
    expect(again.told).toEqual(ids);
    expect(again.queries).toBeLessThanOrEqual(1 + Math.ceil(count / 50)); // one to find them, one for each burst told
    await stop();
  }
  expect(asked).toEqual([1, 1]);
});

test("where the broker stops taking in the middle, what was sent stays noted and the rest follows, nobody twice", async () => {
  const ids = (await seedFleet(30)).sort();
  const told: string[] = [];
  let left = 11;
  const { stop, look } = watched((workstation) => {
    if (left-- === 0) throw new Error("the broker is gone");
    told.push(workstation);
  });
  const looking = look(() => undefined);
  await vi.waitFor(() => expect(told).toHaveLength(ids.length), WAIT);
  await looking;
  await stop();
  expect([...told].sort()).toEqual(ids);
});
