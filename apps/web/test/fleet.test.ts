/** What is counted in SQL is what the pure rules say of each workstation, one by one. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import { POLICY_VERSION, Policy, SECTIONS } from "@sallyport/shared/policy/policy.ts";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { countFleet, countInForce, listNeedy } from "../src/workstation/fleet.ts";
import { SORTS, type SortWord } from "../src/workstation/sort.ts";
import { bounds, isolationKey, LATE_MS, SILENT_MS, status } from "../src/workstation/status.ts";
import {
  type Asked,
  findNames,
  listWorkstations,
  namesOf,
  type Place,
  type WorkstationRow,
} from "../src/workstation/store.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup } from "./seed.ts";

const NOW = new Date("2026-11-24T12:00:00.000Z");
const FLEET = 450;
/** Of the first revision and of the second: whoever has the first still in force is waited for longer. */
const HEALTH_SECONDS = [7_200, 900] as const;
const EDGES = [
  ...[LATE_MS, SILENT_MS],
  ...HEALTH_SECONDS.flatMap((seconds) => [bounds(seconds).lateMs, bounds(seconds).silentMs]),
];
const hash = (text: string) => createHash("sha256").update(text).digest("hex");
/** The same fleet at each run. */
const pick = <T>(from: readonly T[], what: string, at: number): T =>
  from[createHash("sha256").update(`${what} ${at}`).digest()[0]! % from.length]!;

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  const published = await seedGroup(pool, "published", new Uint8Array(32));
  const bare = await seedGroup(pool, "bare", new Uint8Array(32));
  for (const order of [1, 2]) {
    await pool.query("INSERT INTO revision (digest, canonical, source, author, message) VALUES ($1, $2, '', '', '')", [
      hash(`r${order}`),
      canonicalText(Policy.parse({ agent: { healthSeconds: HEALTH_SECONDS[order - 1] } })),
    ]);
    await pool.query(
      `INSERT INTO publication (group_id, "order", digest, statement, published_by) VALUES ($1, $2, $3, '{}', '')`,
      [published, order, hash(`r${order}`)],
    );
  }
  for (let at = 0; at < FLEET; at++) {
    const id = randomUUID();
    const age = pick([null, 0, ...EDGES.flatMap((ms) => [ms, ms + 1])], "age", at);
    await pool.query(
      `INSERT INTO workstation (id, shard, name, hostname, group_id, trail_key, agent_version, state, last_receipt_at, skew_ms)
       VALUES ($1::uuid, substr($1::text, 1, 2), $2, '', $3, $4, '', $5, $6, $7)`,
      [
        id,
        `w${String(at).padStart(4, "0")}`,
        pick([published, published, bare], "group", at),
        randomBytes(32),
        pick(["enrolled", "enrolled", "enrolled", "quarantined", "revoked"], "state", at),
        age === null ? null : new Date(NOW.getTime() - age),
        pick([null, 0, 120, -7_300, -2_147_483_648], "skew", at),
      ],
    );
    if (pick([true, true, true, false], "reported", at))
      await pool.query("INSERT INTO reported (workstation_id, at, received_at, document) VALUES ($1, $2, $2, $3)", [
        id,
        NOW,
        JSON.stringify(report(id, at)),
      ]);
  }
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

function report(id: string, at: number) {
  // the last: none that was published, and none that a database's int holds
  const order = pick([1, 2, 2, 2, Number.MAX_SAFE_INTEGER], "order", at);
  const outcome = pick(["applied", "applied", "audit", "not-applied", "failed"], "outcome", at);
  const isolation = pick(["iommu", "direct-map", "emulated", "none", undefined] as const, "isolation", at);
  const sections = Object.fromEntries(SECTIONS.map((name, of) => [name, { outcome: of === 2 ? outcome : "applied" }]));
  if (pick([true, false, false], "missing", at)) delete sections.disk;
  return {
    workstation: id,
    session: randomUUID(),
    at: NOW.toISOString(),
    agentVersion: String(POLICY_VERSION),
    hostname: "h",
    group: randomUUID(),
    trail: { id: randomUUID(), size: 1, root: hash("") },
    spool: { records: pick([0, 0, 412, Number.MAX_SAFE_INTEGER], "spool", at), bytes: 0, bytesMax: 1 },
    policy: pick([true, true, true, false], "policy", at)
      ? { digest: hash(order > 2 ? "r2" : `r${order}`), order, taken: NOW.toISOString(), old: false }
      : null,
    sections,
    sources: {},
    guests: [],
    ...(isolation && {
      layout: {
        hypervisor: isolation === "none" ? pick(["xen", "none"], "hypervisor", at) : "xen",
        isolation,
        regions: [],
        devices: [],
      },
    }),
  };
}

async function everyone(sort?: SortWord, limit?: number): Promise<WorkstationRow[]> {
  const rows: WorkstationRow[] = [];
  let after: Place | undefined;
  do {
    const page = await listWorkstations(pool, NOW, { after, sort }, limit);
    rows.push(...page.rows);
    after = page.next ?? undefined;
  } while (after);
  return rows;
}

const tally = (words: string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const word of words.sort()) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
};
const counted = (groups: { word: string; count: number }[]) =>
  Object.fromEntries([...groups].sort((a, b) => (a.word < b.word ? -1 : 1)).map(({ word, count }) => [word, count]));

test("a fleet of more than a page is counted whole, as the rules for one would", async () => {
  const all = await everyone();
  expect(all).toHaveLength(FLEET);
  const rows = all.filter(({ state }) => state !== "revoked");
  const fleet = await countFleet(pool, NOW);
  expect(fleet.workstations).toBe(rows.length);
  expect(counted(fleet.status)).toEqual(tally(rows.map((row) => status(NOW.getTime(), row).word)));
  expect(counted(fleet.policy)).toEqual(
    tally(rows.map(({ desired, drift }) => (desired ? drift.state : "unpublished"))),
  );
  expect(counted(fleet.isolation)).toEqual(tally(rows.map(({ reported }) => isolationKey(reported?.layout))));
  for (const groups of [fleet.status, fleet.isolation, fleet.policy]) expect(groups.length).toBeGreaterThan(3);
});

test.each(SORTS)(
  "pages by %s hold every workstation once, in that order, however many are equal in it",
  async (sort) => {
    const keys = {
      name: ({ name }: WorkstationRow) => name,
      "last-record": ({ lastReceiptAt }: WorkstationRow) => lastReceiptAt ?? "",
      spool: ({ reported }: WorkstationRow) => reported?.spool.records ?? -1,
      skew: ({ skewMs }: WorkstationRow) => Math.abs(skewMs ?? 0),
    };
    const key = keys[sort.replace(/^-/, "") as keyof typeof keys];
    const rows = await everyone(sort, 70);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(FLEET);
    expect(rows).toHaveLength(FLEET);
    for (const [at, row] of rows.slice(1).entries()) {
      const [before, now] = [key(rows[at]!), key(row)];
      expect(sort.startsWith("-") ? before >= now : before <= now, `${before}, ${now}`).toBe(true);
    }
  },
);

test("behind each count is a list of just so many, and what is asked for together narrows it", async () => {
  const fleet = await countFleet(pool, NOW);
  const found = async (asked: Omit<Asked, "after">) => (await listWorkstations(pool, NOW, asked, FLEET)).rows;
  for (const { word, count } of fleet.status) {
    const rows = await found({ status: word });
    expect(rows).toHaveLength(count);
    expect(rows.every((row) => status(NOW.getTime(), row).word === word)).toBe(true);
  }
  for (const { word, count } of fleet.isolation) expect(await found({ isolation: word })).toHaveLength(count);
  for (const { word, count } of fleet.policy) expect(await found({ policy: word })).toHaveLength(count);
  const both = await found({ status: "silent", policy: "behind" });
  const silent = await found({ status: "silent" });
  expect(both.map(({ id }) => id)).toEqual(silent.filter(({ drift }) => drift.state === "behind").map(({ id }) => id));
  expect(both.length).toBeGreaterThan(0);
  const revoked = await found({ status: "revoked", isolation: "iommu" });
  expect(revoked.length).toBeGreaterThan(0);
  expect(revoked.every(({ state }) => state === "revoked")).toBe(true);
});

test("of each group as many have its policy in force as its list says", async () => {
  for (const { group, workstations, inForce } of await countInForce(pool)) {
    const { rows } = await listWorkstations(pool, NOW, { group }, FLEET);
    const counted = rows.filter(({ state }) => state !== "revoked");
    expect(workstations).toBe(counted.length);
    expect(inForce).toBe(counted.filter(({ desired, drift }) => desired && drift.state === "none").length);
    expect(inForce > 0).toBe(counted.some(({ desired }) => desired !== null));
  }
});

test("a workstation is late or silent by the longer interval of what should be and what is in force", async () => {
  const said = (await everyone()).filter(({ state, lastReceiptAt }) => state === "enrolled" && lastReceiptAt !== null);
  const words = (seconds: number) =>
    said.filter((row) => row.healthSeconds === seconds).map((row) => status(NOW.getTime(), row).word);
  for (const seconds of HEALTH_SECONDS)
    expect(new Set(words(seconds))).toEqual(new Set(["reporting", "late", "silent"]));
  const age = (row: WorkstationRow) => NOW.getTime() - Date.parse(row.lastReceiptAt!);
  const patient = said.filter((row) => row.healthSeconds === 7_200 && age(row) <= bounds(7_200).lateMs);
  expect(patient.some((row) => age(row) > SILENT_MS)).toBe(true);
  expect(patient.every((row) => status(NOW.getTime(), row).word === "reporting")).toBe(true);
});

test("those to look at are the worst of all, not the first by name", async () => {
  const { rows, needy } = await listNeedy(pool, NOW);
  expect(needy).toBe(true);
  expect(rows).toHaveLength(8);
  expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(["quarantined"]));
  await pool.query("UPDATE workstation SET state = 'revoked' WHERE state = 'quarantined'");
  const next = (await listNeedy(pool, NOW)).rows.map((row) => status(NOW.getTime(), row).word);
  expect(new Set(next)).toEqual(new Set(["silent"]));
  await pool.query("UPDATE workstation SET last_receipt_at = $1", [NOW]);
  expect(new Set((await listNeedy(pool, NOW)).rows.map(({ drift }) => drift.state))).toEqual(new Set(["partial"]));
  const partial = (await everyone()).filter(({ drift }) => drift.state === "partial").map(({ id }) => id);
  await pool.query("DELETE FROM reported WHERE workstation_id = ANY($1)", [partial]);
  expect(new Set((await listNeedy(pool, NOW)).rows.map(({ drift }) => drift.state))).toEqual(new Set(["behind"]));
  await pool.query("DELETE FROM publication");
  expect(await listNeedy(pool, NOW)).toMatchObject({ needy: false, rows: { length: 8 } });
});

test("in a fleet of thousands a name is found by typing some of it, itself first, and an id has its name", async () => {
  const [{ group_id: group }] = (await pool.query("SELECT group_id FROM workstation LIMIT 1")).rows as [
    { group_id: string },
  ];
  const many = Array.from({ length: 10_000 }, (_, at) => `many ${String(at + 1).padStart(5, "0")}`);
  await pool.query(
    `INSERT INTO workstation (id, shard, name, hostname, group_id, trail_key, agent_version)
     SELECT id, substr(id::text, 1, 2), name, '', $1, '', ''
       FROM (SELECT gen_random_uuid() AS id, name FROM unnest($2::text[]) AS name) made`,
    [group, [...many, "zz late", "zz late 2", "a zz late", "100%_sure"]],
  );
  const found = await findNames(pool, "ZZ Late");
  expect(found.map(({ name }) => name)).toEqual(["zz late", "zz late 2", "a zz late"]);
  expect((await findNames(pool, "many 10000")).map(({ name }) => name)).toEqual(["many 10000"]);
  expect((await findNames(pool, "%_")).map(({ name }) => name)).toEqual(["100%_sure"]);
  expect(await findNames(pool, "many")).toHaveLength(20);
  expect(await namesOf(pool, [found[0]!.id])).toEqual([found[0]]);
});
