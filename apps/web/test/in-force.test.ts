/** What was in force on a workstation at a moment: its own word, and the console's rows of who approved it. */
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { signMembership } from "../src/dispatch/sign.ts";
import { respondInForce } from "../src/in-force/respond.ts";
import { inForceAt, listApplied } from "../src/in-force/store.ts";
import { storeApplied } from "../src/ingest/applied.ts";
import { makeToken, type Scope } from "../src/person/api-token.ts";
import { publish } from "../src/policy/publish.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition, seedTrail, seedWorkstation } from "./seed.ts";

const key = newSigner();
const START_MS = Date.parse("2026-11-24T08:00:00Z");
const HOUR_MS = 3_600_000;
const at = (hours: number) => new Date(START_MS + hours * HOUR_MS);

let postgres: TestPostgres;
let pool: pg.Pool;
let groups: { lab: GroupId; desks: GroupId };
beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  await pool.query("INSERT INTO person (id, name, email, role) VALUES ('ada', 'Ada', 'ada@example.org', 'admin')");
  groups = {
    lab: (await seedGroup(pool, "lab", key.publicKey)) as GroupId,
    desks: (await seedGroup(pool, "desks", key.publicKey)) as GroupId,
  };
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

async function within<T>(act: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
  const tx = await pool.connect();
  try {
    return await act(tx);
  } finally {
    tx.release();
  }
}

async function published(group: GroupId, lines: number, basedOn: number, message: string) {
  const source = `log:\n  linesPerSecond: ${lines}\n`;
  const read = readPolicy(source);
  if (!read.ok) throw new Error(JSON.stringify(read.faults));
  const asked = { group, source, policy: read.policy, message, basedOn, author: "ada", now: at(0) };
  return within((tx) => publish(tx, key, asked));
}

async function station(name: string, group: GroupId) {
  const workstation = (await seedWorkstation(pool, { name, group })) as WorkstationId;
  await within((tx) => signMembership(tx, key, workstation, group, at(0)));
  const trail = await seedTrail(pool, workstation, [
    { kind: "agent.health", severity: "info", text: "well", body: {}, agoMs: 0 },
  ]);
  let index = 0;
  const says = (hours: number, { order, digest }: { order: number; digest: string }, outcome = "applied") =>
    within((tx) =>
      storeApplied(
        tx,
        { workstation, trail, index: ++index, timeMs: at(hours).getTime() },
        { order, digest: digest as never, outcomes: { log: { outcome: outcome as never, reason: "as found" } } },
        Date.now() + index,
      ),
    );
  return { workstation, says };
}

test("each moment has the newest that was said by then, until what followed, with who approved it", async () => {
  const first = await published(groups.lab, 100, 0, "the first");
  const second = await published(groups.lab, 200, 1, "more lines");
  const { workstation, says } = await station("lab-1", groups.lab);
  await says(1, first);
  await says(3, second);
  await says(4, second, "failed");

  expect(await inForceAt(pool, workstation, at(0.5))).toBeNull();
  expect(await inForceAt(pool, workstation, at(1))).toMatchObject({
    order: 1,
    digest: first.digest,
    time: at(1).toISOString(),
    until: at(3).toISOString(),
    approval: {
      group: { name: "lab" },
      message: "the first",
      by: "ada@example.org",
      signers: [{ role: "console" }],
      rollout: null,
    },
  });
  expect(await inForceAt(pool, workstation, at(2.9))).toMatchObject({ order: 1 });
  expect(await inForceAt(pool, workstation, at(3.5))).toMatchObject({
    order: 2,
    outcomes: { log: { outcome: "applied" } },
  });
  expect(await inForceAt(pool, workstation, at(99))).toMatchObject({
    until: null,
    outcomes: { log: { outcome: "failed" } },
  });

  const page = await listApplied(pool, workstation, undefined, 2);
  expect(page.rows.map(({ time }) => time)).toEqual([at(4), at(3)].map((time) => time.toISOString()));
  const rest = await listApplied(pool, workstation, page.next!, 2);
  expect(rest).toMatchObject({ rows: [{ order: 1 }], next: null });
});

test("what nobody published is not given another group's author, and a group it came from still counts", async () => {
  const lab = await published(groups.lab, 300, 2, "for the lab");
  const desks = await published(groups.desks, 400, 0, "for the desks");
  const { workstation, says } = await station("wanders", groups.lab);
  await says(1, lab);
  await says(2, desks); // before it was ever in that group
  expect(await inForceAt(pool, workstation, at(1))).toMatchObject({ approval: { message: "for the lab" } });
  expect(await inForceAt(pool, workstation, at(2))).toMatchObject({ order: 1, approval: null });

  await pool.query("UPDATE workstation SET group_id = $2 WHERE id = $1", [workstation, groups.desks]);
  await within((tx) => signMembership(tx, key, workstation, groups.desks, at(3)));
  await says(4, desks);
  expect(await inForceAt(pool, workstation, at(4))).toMatchObject({ approval: { message: "for the desks" } });
  expect(await inForceAt(pool, workstation, at(1))).toMatchObject({ approval: { message: "for the lab" } });
});

test("a pipeline asks by name and token, and is told what is wrong with what it asks", async () => {
  const first = await published(groups.lab, 500, 3, "by the API");
  const { says } = await station("api-1", groups.lab);
  await says(1, first);
  const token = async (scopes: Scope[]) => (await makeToken(pool, { person: "ada", name: "t", scopes, days: 1 })).token;
  const ask = async (search: string, bearer: string) => {
    const headers = { authorization: `Bearer ${bearer}` };
    const answer = await respondInForce(
      { pool, now: () => at(3).getTime() },
      new Request(`http://console/api/in-force?${search}`, { headers }),
    );
    return { status: answer.status, body: (await answer.json()) as { error?: string } };
  };
  const good = await token(["policy:read"]);
  const then = encodeURIComponent(at(2).toISOString());
  expect(await ask(`workstation=api-1&at=${then}`, good)).toMatchObject({
    status: 200,
    body: { workstation: { name: "api-1" }, at: at(2).toISOString(), found: { approval: { message: "by the API" } } },
  });
  expect(await ask("workstation=api-1&at=2026-11-24T10:00:00%2B02:00", good)).toMatchObject({
    status: 200,
    body: { at: at(0).toISOString(), found: null },
  });
  const wrong: [string, number, RegExp][] = [
    ["", 400, /Say which workstation/],
    ["workstation=nobody", 404, /no workstation nobody/],
    ["workstation=api-1&at=yesterday", 400, /is a moment as/],
    [`workstation=api-1&at=${encodeURIComponent(at(4).toISOString())}`, 400, /has not come yet/],
    ["workstation=a%00b", 400, /U\+0000|NUL/],
  ];
  for (const [search, status, words] of wrong)
    expect(await ask(search, good)).toMatchObject({ status, body: { error: expect.stringMatching(words) } });
  expect((await ask("workstation=api-1", await token(["export"]))).status).toBe(403);
  expect((await ask("workstation=api-1", "nothing")).status).toBe(401);
});
