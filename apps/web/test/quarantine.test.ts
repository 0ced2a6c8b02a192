/** What was refused, page by page, and its bytes for those who may have them. */
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { readStore } from "../src/overview/store.ts";
import type { Actor } from "../src/person/actor.ts";
import type { Role } from "../src/person/role.ts";
import { respondKept } from "../src/quarantine/respond.ts";
import { getRefused, listRefused, listSenders } from "../src/quarantine/store.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedWorkstation } from "./seed.ts";

const STRANGER = randomUUID();
let postgres: TestPostgres;
let pool: pg.Pool;
let workstation: string;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  const group = await seedGroup(pool, "lab", new Uint8Array(32));
  workstation = await seedWorkstation(pool, { name: "lab-07", group });
  await seedWorkstation(pool, { name: "quiet", group });
  for (const [sender, word, code, size] of [
    [workstation, "batch", "trail", 70_000],
    [workstation, "presence", "malformed", 3],
    [STRANGER, "reported", "unknown", 3],
    [null, "odd", "malformed", 3],
  ] as const)
    await pool.query(
      "INSERT INTO quarantine (workstation_id, topic, code, reason, size, bytes) VALUES ($1, $2, $3, 'why', $4, $5)",
      [sender, sender ? `sallyport/1/${sender.slice(0, 2)}/${sender}/${word}` : word, code, size, Buffer.from("abc")],
    );
});
/** What the overview says of a flood that is added and taken away again. */
async function toldOfFlood(): Promise<number> {
  const { rows } = await pool.query<{ id: string }>(
    `INSERT INTO quarantine (topic, code, reason, size, bytes, more)
     VALUES ('t', 'malformed', 'and 40 more', 9000, '', 40) RETURNING id`,
  );
  const { quarantined } = await readStore(pool);
  await pool.query("DELETE FROM quarantine WHERE id = $1", [rows[0]?.id]);
  return quarantined;
}
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});

test("pages go newest first without a row twice, and say whose topic it was, what it was and how much was kept", async () => {
  const first = await listRefused(pool, {}, 3);
  const second = await listRefused(pool, { after: first.next ?? undefined }, 3);
  expect(second.next).toBeNull();
  expect([...first.rows, ...second.rows]).toMatchObject([
    { workstation: null, what: "message" },
    { workstation: { id: STRANGER, name: null }, what: "report" },
    { workstation: { name: "lab-07" }, what: "presence" },
    { workstation: { name: "lab-07" }, what: "batch", size: 70_000, kept: 3 },
  ]);
  for (const row of [...first.rows, ...second.rows]) expect(await getRefused(pool, row.id)).toEqual(row);
  await expect(getRefused(pool, 2 ** 40)).rejects.toThrow("There is no such message in quarantine");
});

test("they are filtered by workstation and by code, and only enrolled ones of which something is kept are offered", async () => {
  const found = async (asked: Parameters<typeof listRefused>[1]) =>
    (await listRefused(pool, asked)).rows.map(({ code, what }) => `${code} ${what}`);
  expect(await found({ workstation })).toEqual(["malformed presence", "trail batch"]);
  expect(await found({ code: "malformed" })).toEqual(["malformed message", "malformed presence"]);
  expect(await found({ workstation, code: "trail" })).toEqual(["trail batch"]);
  expect(await listSenders(pool)).toEqual([{ id: workstation, name: "lab-07" }]);
});

test("messages of a flood that were not kept are counted with the others, and those that came again", async () => {
  expect(await toldOfFlood()).toBe(44);
  await pool.query("UPDATE quarantine SET again = 2 WHERE code = 'unknown'");
  expect((await readStore(pool)).quarantined).toBe(6);
  expect((await listRefused(pool, { code: "unknown" })).rows).toMatchObject([{ again: 2 }]);
  await pool.query("UPDATE quarantine SET again = 0");
});

test("an admin takes the bytes as a file, which is recorded; everybody else is refused, which is not", async () => {
  const id = (await listRefused(pool, { code: "trail" })).rows[0]?.id ?? 0;
  const recorded: string[] = [];
  const parts = { pool, recordConsole: async (_: unknown, { text }: { text: string }) => recorded.push(text) };
  const take = (role: Role | undefined, asked = String(id)) => {
    const actor: Actor | undefined = role && {
      ...{ id: "p", email: "ada@example.org", name: "Ada", role, session: "s", twoFactor: true },
    };
    return respondKept(parts, actor, new Request("http://localhost/"), asked);
  };
  for (const role of ["viewer", "responder", "auditor"] as const) expect((await take(role)).status, role).toBe(403);
  expect((await take(undefined)).status).toBe(401);
  for (const nowhere of ["0", "-1", "x", "1e3", "99999999999999999999", "999999"])
    expect((await take("admin", nowhere)).status, nowhere).toBe(404);
  expect(recorded).toEqual([]);
  const answer = await take("admin");
  expect(await answer.text()).toBe("abc");
  expect(answer.headers.get("content-disposition")).toBe(`attachment; filename="refused-${id}.bin"`);
  expect(recorded).toEqual([expect.stringContaining(`took the bytes of refused message ${id} (trail, sallyport/1/`)]);
});
