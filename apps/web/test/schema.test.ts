import { createHash, randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { diff, readModel } from "../../../prisma/engine.ts";
import { type Migration, migrate, readMigrations } from "../../../prisma/migrate.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

let postgres: TestPostgres;
const made: string[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => {
  for (const name of made) await ask(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await postgres?.stop();
});

async function ask(sql: string): Promise<void> {
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query(sql).finally(() => admin.end());
}

const migration = (name: string, sql: string): Migration => ({
  name,
  sql,
  checksum: createHash("sha256").update(sql).digest("hex"),
});

/** An empty database of its own, on whatever server the tests are given. */
async function fresh(what: string): Promise<string> {
  const name = `sallyport_test_${what}_${randomBytes(6).toString("hex")}`;
  await ask(`CREATE DATABASE ${name}`);
  made.push(name);
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  return url.href;
}

test("the migrations, applied to an empty database, make exactly what the model says", async () => {
  const url = await fresh("agree");
  expect((await migrate(url)).length).toBe(readMigrations().length);
  expect(await diff(url, readModel())).toBe("");
});

test("a model with a column that no migration makes is told apart from the database", async () => {
  const url = await fresh("differ");
  await migrate(url);
  const files = readModel().map(({ path, content }) => ({
    path,
    content: content.replace("model Person {", "model Person {\n  nickname String?\n"),
  }));
  expect(await diff(url, files)).toContain('ADD COLUMN     "nickname"');
});

test("a second run applies nothing, and two at once apply each migration once", async () => {
  const url = await fresh("twice");
  const both = await Promise.all([migrate(url), migrate(url)]);
  expect(both.flat()).toEqual(readMigrations().map(({ name }) => name));
  expect(await migrate(url)).toEqual([]);
});

test("a database that knows a migration this console does not is refused as newer", async () => {
  const url = await fresh("newer");
  const one = migration("1_one", "CREATE TABLE one ()");
  await migrate(url, [one, migration("2_two", "CREATE TABLE two ()")]);
  await expect(migrate(url, [one])).rejects.toThrow(/newer than this console.*2_two/);
});

test("a migration whose file was altered after it was applied is refused by name", async () => {
  const url = await fresh("altered");
  await migrate(url, [migration("1_one", "CREATE TABLE one ()")]);
  await expect(migrate(url, [migration("1_one", "CREATE TABLE other ()")])).rejects.toThrow(/1_one is not the one/);
});

test("a migration that fails leaves nothing behind, names itself, and can be applied once it is mended", async () => {
  const url = await fresh("failing");
  const broken = migration("1_one", "CREATE TABLE one (); SELECT no_such_function()");
  await expect(migrate(url, [broken])).rejects.toThrow(/1_one failed and nothing of it was kept.*no_such_function/);
  expect(await migrate(url, [migration("1_one", "CREATE TABLE one ()")])).toEqual(["1_one"]);
});
