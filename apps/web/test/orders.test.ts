/** Lists that are sorted by the server: page by page, in each order, each row once. */
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { listWaiting } from "../src/approval/store.ts";
import { listCommands } from "../src/command/store.ts";
import { SORTS as DENY_SORTS } from "../src/deny/sort.ts";
import { type DenyRow, listDenies, pageOfDenies } from "../src/deny/store.ts";
import { listTokens } from "../src/enrol/store.ts";
import { listInvites, listPeople } from "../src/person/listed.ts";
import { ROLES } from "../src/person/role.ts";
import { SORTS as PERSON_SORTS, type SortWord as PersonSort } from "../src/person/sort.ts";
import { SORTS as REFUSED_SORTS } from "../src/quarantine/sort.ts";
import { listRefused } from "../src/quarantine/store.ts";
import { listRollouts, type RolloutListed } from "../src/rollout/listed.ts";
import { SORTS as ROLLOUT_SORTS } from "../src/rollout/sort.ts";
import { listEvents } from "../src/rollout/store.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedWorkstation } from "./seed.ts";

const PAGE = 3;
const NOW = new Date("2026-11-29T12:00:00.000Z");
const ago = (hours: number) => new Date(NOW.getTime() - hours * 3_600_000).toISOString();

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await pool.query(
    `INSERT INTO quarantine (topic, code, reason, size, bytes)
     SELECT 't', 'trail', 'why', n % 4 * 1000, '' FROM generate_series(1, 14) n`,
  );
  const groups = [
    await seedGroup(pool, "finance", new Uint8Array(32)),
    await seedGroup(pool, "lab", new Uint8Array(32)),
  ];
  const plan = { waves: [{ all: true }] };
  const state = { name: "done", wave: 0 };
  for (let n = 0; n < 11; n++)
    await pool.query(
      `INSERT INTO rollout (id, group_id, "order", digest, message, plan, state, report_seconds, started_at, started_by, ended_at)
       VALUES ($1, $2, $3, $4, 'm', $5, $6, 60, $7, 'nora', $8)`,
      [
        ...[randomUUID(), groups[n % 2], n, "0".repeat(64), JSON.stringify(plan), JSON.stringify(state)],
        ...[ago(100 - Math.floor(n / 2)), n === 3 || n === 6 ? null : ago(1)],
      ],
    );
  for (let n = 0; n < 17; n++)
    await pool.query(
      `INSERT INTO deny (id, audience, what, words, reason, until, added_by, added_at, added_order, lifted_at, lifted_by)
       VALUES ($1, $2, '{"kind":"sha256"}', $3, 'r', $4, 'nora', $5, 1, $6, $7)`,
      [
        ...[
          String(n).padStart(12, "0"),
          n % 4 === 0 ? `group/${groups[n % 8 === 0 ? 0 : 1]}` : "fleet",
          `file ${n % 5}`,
        ],
        ...[
          ago(n % 3 === 0 ? 5 : -5 - (n % 6)),
          ago(50 + (n % 7)),
          n % 5 === 0 ? ago(n) : null,
          n % 5 === 0 ? "ada" : null,
        ],
      ],
    );
  for (const [at, name] of ["Ünal", "ada", "Zoe", "Bo", "bo", "Ute", "Uwe", "Edda"].entries()) {
    await pool.query("INSERT INTO person (id, name, email, role, disabled_at) VALUES ($1, $2, $3, $4::role, $5)", [
      `p${at}`,
      name,
      `${8 - at}@example.org`,
      ROLES[at % 4],
      at === 1 ? ago(3) : null,
    ]);
    if (at % 3 === 0) continue;
    await pool.query(
      "INSERT INTO person_session (id, person_id, token, expires_at, updated_at) VALUES ($1, $1, $1, now(), $2)",
      [`p${at}`, ago(at % 2)],
    );
  }
  await pool.query(
    `INSERT INTO person_invite (id, code_hash, email, name, role, made_by, expires_at, created_at)
     SELECT 'i' || n, decode(lpad(n::text, 64, '0'), 'hex'), n || '@example.org', 'N', 'viewer', 'p3', now() + interval '1 d', now() - (n / 2) * interval '1 s'
       FROM generate_series(1, 8) n`,
  );
}, 120_000);
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

type Page<Row, Place> = { rows: Row[]; next: Place | null };

/** All pages, one after the other. */
async function paged<Row, Place>(read: (after: Place | undefined) => Promise<Page<Row, Place>>): Promise<Row[]> {
  const all: Row[] = [];
  let after: Place | undefined;
  do {
    const { rows, next } = await read(after);
    expect(rows.length).toBeLessThanOrEqual(PAGE);
    all.push(...rows);
    // as it comes back from a browser
    after = next === null ? undefined : JSON.parse(JSON.stringify(next));
  } while (after !== undefined);
  return all;
}

/** By each of them in turn; a number before it is from the largest. */
const sorted = <Row>(rows: readonly Row[], ...keys: [1 | -1, (row: Row) => string | number | boolean][]): Row[] =>
  [...rows].sort((one, other) => {
    for (const [sign, key] of keys) {
      const [left, right] = [key(one), key(other)];
      if (left !== right) return left < right ? -sign : sign;
    }
    return 0;
  });
const signOf = (sort: string): 1 | -1 => (sort.startsWith("-") ? -1 : 1);

test.each(REFUSED_SORTS)("refused messages by %s", async (sort) => {
  const rows = await paged((after: { id: number; size: number } | undefined) =>
    listRefused(pool, { sort, after }, PAGE),
  );
  const sign = signOf(sort);
  expect(rows).toHaveLength(14);
  expect(rows).toEqual(sorted(rows, [sign, ({ size }) => (sort.endsWith("size") ? size : 0)], [sign, ({ id }) => id]));
});

test("a page of refused messages goes on where the one before it ended, though its last one has been pruned", async () => {
  const first = await listRefused(pool, { sort: "size" }, PAGE);
  const all = await listRefused(pool, { sort: "size" });
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("DELETE FROM quarantine WHERE id = $1", [first.next!.id]);
    const second = await listRefused(client as unknown as pg.Pool, { sort: "size", after: first.next! }, PAGE);
    expect(second.rows).toEqual(all.rows.slice(PAGE, 2 * PAGE));
  } finally {
    await client.query("ROLLBACK");
    client.release();
  }
});

test.each([undefined, ...ROLLOUT_SORTS])("rollouts by %s", async (sort) => {
  type After = NonNullable<Awaited<ReturnType<typeof listRollouts>>["next"]>;
  const rows = await paged((after: After | undefined) => listRollouts(pool, { sort, after }, PAGE));
  const begun = (row: RolloutListed) => row.startedAt;
  const keys: Parameters<typeof sorted<RolloutListed>>[1][] =
    sort === undefined
      ? [
          [-1, ({ endedAt }) => endedAt === null],
          [-1, begun],
        ]
      : sort.endsWith("group")
        ? [
            [signOf(sort), ({ group }) => group.name],
            [-1, begun],
          ]
        : [[signOf(sort), begun]];
  expect(new Set(rows.map(({ id }) => id)).size).toBe(11);
  expect(rows.map(({ id }) => id)).toEqual(sorted(rows, ...keys).map(({ id }) => id));
});

test.each([undefined, ...DENY_SORTS])("what is blocked by %s, what stands first", async (sort) => {
  type After = NonNullable<Awaited<ReturnType<typeof pageOfDenies>>["next"]>;
  const rows = await paged((after: After | undefined) => pageOfDenies(pool, NOW, { sort, after }, PAGE));
  const ends = ({ ended, until }: DenyRow) => (ended?.how === "lifted" ? ended.at : until);
  const moment = (row: DenyRow) => (row.ended ? ends(row) : row.addedAt);
  const stands = [-1, ({ ended }: DenyRow) => ended === null] as const;
  const key = { ends, what: (row: DenyRow) => row.words, for: (row: DenyRow) => row.whose };
  const [by = ""] = sort?.match(/[a-z]+/) ?? [];
  expect(new Set(rows.map(({ id }) => id)).size).toBe(17);
  expect(rows.map(({ id }) => id)).toEqual(
    sorted(
      rows,
      [...stands],
      ...(sort ? [[signOf(sort), key[by as keyof typeof key]] as [1 | -1, typeof ends]] : []),
      [by === "ends" ? signOf(sort!) : -1, by === "ends" ? ({ id }) => id : moment],
      [-1, ({ id }) => id],
    ).map(({ id }) => id),
  );
});

test("whoever asks for no page gets all that stands, then what has ended", async () => {
  const { rows, next } = await listDenies(pool, NOW);
  expect({ rows, next }).toEqual(await pageOfDenies(pool, NOW));
  expect(rows.map(({ ended }) => ended === null)).toEqual(
    [...rows.map(({ ended }) => ended === null)].sort().reverse(),
  );
});

test.each<[PersonSort | undefined, string]>([
  [undefined, "Bo bo Edda Ünal Ute Uwe Zoe ada"],
  ["name", "ada Bo bo Edda Ünal Ute Uwe Zoe"],
  ["-name", "Zoe Uwe Ute Ünal Edda bo Bo ada"],
  ["email", "Edda Uwe Ute bo Bo Zoe ada Ünal"],
  ["-email", "Ünal ada Zoe Bo bo Ute Uwe Edda"],
  ["role", "bo Ünal ada Ute Uwe Zoe Bo Edda"],
  ["-role", "Bo Edda Uwe Zoe ada Ute bo Ünal"],
  ["seen", "Bo Ünal Uwe ada Edda Ute bo Zoe"],
  ["-seen", "bo Zoe ada Edda Ute Bo Ünal Uwe"],
])("people by %s: %s", async (sort, names) => {
  type After = NonNullable<Awaited<ReturnType<typeof listPeople>>["next"]>;
  const rows = await paged((after: After | undefined) => listPeople(pool, { sort, after }, PAGE));
  expect(rows.map(({ name }) => name).join(" ")).toBe(names);
});

test("each order of people is one of those above, and those who are invited come page by page as well", async () => {
  expect(PERSON_SORTS).toHaveLength(8);
  type After = NonNullable<Awaited<ReturnType<typeof listInvites>>["next"]>;
  const rows = await paged((after: After | undefined) => listInvites(pool, after, PAGE));
  expect(rows.map(({ id }) => id)).toEqual(["i1", "i3", "i2", "i5", "i4", "i7", "i6", "i8"]);
});

test("tokens that still work, the newest first", async () => {
  await pool.query(
    `INSERT INTO enrol_token (hash, group_id, labels, note, uses, used, expires, created_at, revoked_at)
     SELECT sha256(n::text::bytea), (SELECT id FROM "group" WHERE name = 'lab'), '{}', n, 2, CASE n WHEN 4 THEN 2 ELSE 1 END,
            now() + CASE n WHEN 5 THEN -1 ELSE 1 END * interval '1 h', now() - (n / 2) * interval '1 s',
            CASE n WHEN 6 THEN now() END
       FROM generate_series(1, 12) n`,
  );
  type After = NonNullable<Awaited<ReturnType<typeof listTokens>>["next"]>;
  const rows = await paged((after: After | undefined) => listTokens(pool, after, PAGE));
  const made = rows.map(({ createdAt, id }) => `${createdAt} ${id}`);
  expect(made).toEqual([...made].sort().reverse());
  expect(rows.map(({ note }) => Number(note)).sort((a, b) => a - b)).toEqual([1, 2, 3, 7, 8, 9, 10, 11, 12]);
});

test("what waits for signatures, the oldest first, of all groups and of one", async () => {
  await pool.query(
    `INSERT INTO proposal (id, group_id, kind, text, message, subject, act, asked_by, asked_at, expires, state)
     SELECT gen_random_uuid(), g.id, 'policy', g.name || ' ' || n, '', '', '{}', 'nora', now() - (n / 2) * interval '1 s',
            now() + CASE n WHEN 5 THEN -1 ELSE 1 END * interval '1 h', CASE n WHEN 6 THEN 'done' ELSE 'waiting' END
       FROM generate_series(1, 12) n, "group" g`,
  );
  const { rows: groups } = await pool.query<{ id: string }>(`SELECT id FROM "group" WHERE name = 'lab'`);
  type After = NonNullable<Awaited<ReturnType<typeof listWaiting>>["next"]>;
  for (const [group, count] of [
    [undefined, 20],
    [groups[0]!.id, 10],
  ] as const) {
    const rows = await paged((after: After | undefined) => listWaiting(pool, { group, after }, PAGE));
    const asked = rows.map(({ askedAt, id }) => `${askedAt} ${id}`);
    expect(asked).toEqual([...asked].sort());
    expect(new Set(rows.map(({ text }) => text)).size).toBe(count);
    expect(rows.every((row) => group === undefined || row.group.id === group)).toBe(true);
  }
});

/** From 11 to 1. */
const DOWN = Array.from({ length: 11 }, (_, at) => String(11 - at));

test("what happened to a rollout, and what a workstation was told, the newest first", async () => {
  const { rows: rollouts } = await pool.query<{ id: string; group: string }>(
    'SELECT id, group_id AS "group" FROM rollout ORDER BY id LIMIT 2',
  );
  const station = await seedWorkstation(pool, { name: "w", group: rollouts[0]!.group });
  const other = await seedWorkstation(pool, { name: "v", group: rollouts[0]!.group });
  for (const { id } of rollouts)
    await pool.query(
      "INSERT INTO rollout_event (rollout_id, at, act, text) SELECT $1, now(), 'pause', n FROM generate_series(1, 11) n",
      [id],
    );
  for (const id of [station, other])
    await pool.query(
      `INSERT INTO command (id, workstation_id, "order", verb, arguments, statement, digest, asked_by, asked_at, reason,
                            not_after, standing, state)
       SELECT gen_random_uuid(), $1, n, 'diagnostics', '{}', '{}', '', 'nora', now(), n, now(), 'sent', '{}'
         FROM generate_series(1, 11) n`,
      [id],
    );
  const events = await paged((after: string | undefined) => listEvents(pool, rollouts[0]!.id, after, PAGE));
  const commands = await paged((after: number | undefined) => listCommands(pool, station, after, PAGE));
  expect(events.map(({ text }) => text)).toEqual(DOWN);
  expect(commands.map(({ reason }) => reason)).toEqual(DOWN);
});
