/** Groups and publications, from the procedure to the rows and the console's own trail. */
import "reflect-metadata";
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { POLICY_TEMPLATE } from "@sallyport/shared/policy/template.ts";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate, readMigrations } from "../../../prisma/migrate.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import type { Context } from "../src/trpc/context.ts";
import { appRouter } from "../src/trpc/router.ts";
import { dying } from "./dying.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition } from "./seed.ts";

const consoleKey = newSigner();
let postgres: TestPostgres;
let pool: pg.Pool;
beforeAll(async () => {
  postgres = await startPostgres();
  pool = openPool(postgres.url);
  await migrate(postgres.url);
  await seedPartition(pool);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

function as(name: string, db = pool) {
  const actor = { id: name, email: `${name}@example.org`, name, role: "admin", session: "s", twoFactor: true } as const;
  const wiring = { pool: db, consoleKey, recordConsole: consoleRecorder(consoleKey) } as unknown as Context["wiring"];
  const context: Context = { wiring, actor, still: async () => actor, origin: {}, host: "x" };
  return appRouter.createCaller(context).policy;
}

test("a revision published again says why, by whom and with which text this time; the first time keeps its own", async () => {
  const group = (await seedGroup(pool, "again", consoleKey.publicKey)) as GroupId;
  const other = POLICY_TEMPLATE.replace("healthSeconds: 300", "healthSeconds: 600");
  const noted = `# the night shift's words\n${POLICY_TEMPLATE}`;
  await as("ada").publish({ group, source: POLICY_TEMPLATE, message: "the first", basedOn: 0 });
  await as("ada").publish({ group, source: other, message: "fewer health records", basedOn: 1 });
  await as("bob").publish({ group, source: noted, message: "back: the fleet looked silent", basedOn: 2 });
  const { group: row, publications, wanted } = await as("ada").group({ id: group });
  expect(publications).toMatchObject([
    { order: 3, by: "bob", message: "back: the fleet looked silent" },
    { order: 2, by: "ada", message: "fewer health records" },
    { order: 1, by: "ada", message: "the first" },
  ]);
  expect(publications.some((each) => "source" in each)).toBe(false); // texts are asked for one at a time
  expect(wanted).toMatchObject({ order: 3, source: noted });
  expect(await as("ada").source({ id: group, order: 2 })).toBe(other);
  expect(await as("ada").source({ id: group, order: 1 })).toBe(POLICY_TEMPLATE);
  await expect(as("ada").source({ id: group, order: 4 })).rejects.toThrow("no revision 4");
  expect(publications[0]!.digest).toBe(publications[2]!.digest);
  expect(row.inForce).toMatchObject({ order: 3, message: "back: the fleet looked silent", by: "bob" });
  const { rows } = await pool.query<{ actor: string; message: string }>(
    `SELECT convert_from(content, 'UTF8')::jsonb #>> '{body,actor,id}' AS actor,
            convert_from(content, 'UTF8')::jsonb #>> '{body,after,message}' AS message
       FROM record WHERE kind = 'person.policy-published' ORDER BY index DESC LIMIT 1`,
  );
  expect(rows).toEqual([{ actor: "bob", message: "back: the fleet looked silent" }]);
});

test("however many revisions came after the one in force, that one is told, and all of them come page by page", async () => {
  const group = (await seedGroup(pool, "many", consoleKey.publicKey)) as GroupId;
  await as("ada").publish({ group, source: POLICY_TEMPLATE, message: "the one", basedOn: 0 });
  // each was on its way by a rollout that the next one superseded
  await pool.query(
    `WITH more AS (
       INSERT INTO publication (group_id, "order", digest, statement, published_by, message)
       SELECT group_id, n, digest, statement, 'bob', 'later' FROM publication, generate_series(2, 450) n WHERE group_id = $1
       RETURNING group_id, "order", digest)
     INSERT INTO rollout (id, group_id, "order", digest, message, plan, state, report_seconds, started_by, ended_at)
     SELECT gen_random_uuid(), group_id, "order", digest, 'later', $2, $3, 60, 'bob', now() FROM more`,
    [group, { waves: [{ all: true }] }, { name: "superseded", wave: 0, reason: "" }],
  );
  const orders: number[] = [];
  let cursor: number | undefined;
  do {
    const { rows, next } = await as("ada").publications({ id: group, cursor });
    orders.push(...rows.map(({ order }) => order));
    cursor = next ?? undefined;
  } while (cursor !== undefined);
  expect(orders).toEqual(Array.from({ length: 450 }, (_, at) => 450 - at));
  const { publications, isAll, wanted } = await as("ada").group({ id: group });
  expect([publications.length, isAll]).toEqual([200, false]);
  expect(wanted).toMatchObject({ order: 1, message: "the one", source: POLICY_TEMPLATE });
});

test("after a restore revisions go on far above what may have been published since the backup, once", async () => {
  const group = (await seedGroup(pool, "restored", consoleKey.publicKey)) as GroupId;
  const publish = (lines: number, basedOn: number) =>
    as("ada").publish({ group, source: `log: { linesPerSecond: ${lines} }\n`, message: "for a test", basedOn });
  await publish(1, 0);
  await pool.query(
    `INSERT INTO console_state (id, epoch, restored_at) VALUES (1, 1, now())
     ON CONFLICT (id) DO UPDATE SET restored_at = now()`,
  );
  await publish(2, 1);
  await publish(3, 1_002);
  const { publications } = await as("ada").group({ id: group });
  expect(publications.map(({ order }) => order)).toEqual([1_003, 1_002, 1]);
  // a group made since is none of those that were lost
  const later = (await seedGroup(pool, "made since", consoleKey.publicKey)) as GroupId;
  await as("ada").publish({ group: later, source: "{}", message: "for a test", basedOn: 0 });
  expect((await as("ada").group({ id: later })).publications).toMatchObject([{ order: 1 }]);
});

test("of two admins who publish at once one does, and the other is told which revision to look at; nothing of hers is there", async () => {
  const group = (await seedGroup(pool, "both", consoleKey.publicKey)) as GroupId;
  const source = (lines: number) => `log: { linesPerSecond: ${lines} }\n`;
  const both = await Promise.allSettled(
    ["ada", "bob"].map((who, at) => as(who).publish({ group, source: source(at + 1), message: "mine", basedOn: 0 })),
  );
  const refused = both.filter((each) => each.status === "rejected");
  expect(refused).toMatchObject([
    { reason: { code: "CONFLICT", message: expect.stringMatching(/^Revision 1 was published while you wrote/) } },
  ]);
  const { publications } = await as("ada").group({ id: group });
  expect(publications).toMatchObject([{ order: 1, by: both[0]!.status === "fulfilled" ? "ada" : "bob" }]);
  const loser = both[0]!.status === "fulfilled" ? "bob" : "ada";
  const { rows } = await pool.query("SELECT FROM record WHERE text LIKE $1", [`${loser}@% of both: mine`]);
  expect(rows).toEqual([]);
});

test("a publication that dies between any two statements leaves nothing half done, and the next one goes through", async () => {
  const group = (await seedGroup(pool, "dying", consoleKey.publicKey)) as GroupId;
  const everything = async () =>
    Promise.all(
      [
        "SELECT digest FROM revision ORDER BY 1",
        'SELECT group_id, "order" FROM publication ORDER BY 1, 2',
        "SELECT size FROM trail",
      ].map(async (sql) => (await pool.query(sql)).rows),
    );
  const before = await everything();
  let killAt = 0;
  for (let isDone = false; !isDone; ) {
    const asked = { group, source: "log: { burstLines: 77 }\n", message: "over and over", basedOn: 0 };
    isDone = await as("ada", dying(pool, ++killAt))
      .publish(asked)
      .then(
        () => true,
        async () => {
          expect(await everything()).toEqual(before);
          return false;
        },
      );
  }
  expect(killAt).toBeGreaterThan(8);
  expect((await as("ada").group({ id: group })).publications).toMatchObject([{ order: 1, message: "over and over" }]);
});

test("a group's name is one name however it is written, and holds nothing that cannot be seen", async () => {
  await as("ada").makeGroup({ name: "  Finance   floor " });
  expect((await as("ada").groups()).map(({ name }) => name)).toContain("Finance floor");
  for (const name of ["finance floor", "FINANCE\tFLOOR", "Ｆｉｎａｎｃｅ ｆｌｏｏｒ"])
    await expect(as("ada").makeGroup({ name })).rejects.toThrow(/one by that name already/);
  await expect(as("ada").makeGroup({ name: "Fin\u200bance floor" })).rejects.toThrow(/holds the character U\+200B/);
  await expect(as("ada").makeGroup({ name: "Fin\u0430nce floor" })).rejects.toThrow(/Use one alphabet/);
});

test("a database from before gets its publications' words from the revisions, and groups that read alike are told apart", async () => {
  const before = readMigrations().filter(({ name }) => name < "20261124150100");
  const { url, stop } = await startPostgres();
  const old = openPool(url);
  try {
    await migrate(url, before);
    for (const name of ["Lab", "lab", "LAB"]) await seedGroup(old, name, consoleKey.publicKey);
    const digest = "d".repeat(64);
    await old.query(
      "INSERT INTO revision (digest, canonical, source, author, message) VALUES ($1, '', 'text', 'a', 'why')",
      [digest],
    );
    await old.query(
      `INSERT INTO publication (group_id, "order", digest, statement, published_by) SELECT id, 1, $1, '{}', 'a' FROM "group"`,
      [digest],
    );
    await migrate(url);
    expect((await old.query("SELECT DISTINCT message, source FROM publication")).rows).toEqual([
      { message: "why", source: "text" },
    ]);
    const { rows } = await old.query<{ name: string }>('SELECT name FROM "group" ORDER BY created_at, id');
    expect(new Set(rows.map(({ name }) => name.toLowerCase())).size).toBe(3);
    expect(rows.filter(({ name }) => name.length === 3)).toHaveLength(1);
  } finally {
    await old.end();
    await stop();
  }
});
