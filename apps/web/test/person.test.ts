/** Signing in, losing the way in, and being let in again, over better-auth's own handler and a real Postgres. */
import "reflect-metadata";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { countAttempt, forgetAttempt } from "../src/person/attempt.ts";
import { makeAuth } from "../src/person/auth.ts";
import { prune } from "../src/person/prune.ts";
import type { Role } from "../src/person/role.ts";
import { join as useLink } from "../src/person/store.ts";
import { readConsoleKey } from "../src/trail/key.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { inTransaction } from "../src/transaction.ts";
import type { Context } from "../src/trpc/context.ts";
import { appRouter } from "../src/trpc/router.ts";
import { runSallyport } from "./command-line.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedPartition } from "./seed.ts";
import { ensureKeys } from "./up.ts";

const OLD = "an old and long password";
const NEW = "a new and longer password";
const URL_ = "http://console.test";
const stateFolder = mkdtempSync(join(tmpdir(), "sallyport-person-"));
let postgres: TestPostgres;
let pool: pg.Pool;
let auth: ReturnType<typeof makeAuth>;
let recordConsole: ReturnType<typeof consoleRecorder>;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  await ensureKeys(stateFolder);
  recordConsole = consoleRecorder(readConsoleKey(join(stateFolder, "keys", "console.key")));
  auth = makeAuth({ pool, secret: "s".repeat(40), url: URL_, recordConsole });
  const hash = await (await auth.$context).password.hash(OLD);
  for (const role of ["owner", "admin", "viewer"] as const)
    for (const id of [role, `${role}-2`]) {
      await pool.query(
        "INSERT INTO person (id, name, email, role, two_factor_enabled) VALUES ($1, $1, $2, $3::role, true)",
        [id, `${id}@example.org`, role],
      );
      await pool.query(
        "INSERT INTO person_account (id, person_id, account_id, provider_id, password) VALUES ($1, $1, $1, 'credential', $2)",
        [id, hash],
      );
      await pool.query(
        "INSERT INTO person_two_factor (id, person_id, secret, backup_codes) VALUES ($1, $1, 'x', 'x')",
        [id],
      );
      await pool.query(
        "INSERT INTO person_session (id, person_id, token, expires_at) VALUES ($1, $1, $1, now() + interval '1 hour')",
        [id],
      );
    }
});
beforeEach(() => pool.query("DELETE FROM person_rate_limit"));
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
  rmSync(stateFolder, { recursive: true, force: true });
});

function as(role: Role, id: string = role) {
  const actor = { id, email: `${id}@example.org`, name: id, role, session: "s", twoFactor: true };
  const wiring = { pool, recordConsole, auth } as unknown as Context["wiring"];
  const context: Context = { wiring, actor, still: async () => actor, origin: { address: "10.0.0.9" }, host: "x" };
  return appRouter.createCaller(context).person;
}

async function signIn(
  id: string,
  password: string,
  address = "10.0.0.9",
): Promise<{ status: number; twoFactor: boolean }> {
  const response = await auth.handler(
    new Request(`${URL_}/api/auth/sign-in/email`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: URL_, "x-forwarded-for": address },
      body: JSON.stringify({ email: `${id}@example.org`, password }),
    }),
  );
  const body = (await response.json()) as { twoFactorRedirect?: boolean };
  return { status: response.status, twoFactor: body.twoFactorRedirect === true };
}

const sessions = async (id: string) =>
  (await pool.query("SELECT 1 FROM person_session WHERE person_id = $1", [id])).rowCount;
const comeBack = (code: string) => as("auditor").join({ code, name: "x", email: "x@example.org", password: NEW });
const records = async (subject: string) => {
  const { rows } = await pool.query<{ kind: string; text: string; body: Record<string, unknown> }>(
    `SELECT kind, text, convert_from(content, 'UTF8')::jsonb -> 'body' AS body FROM record
      WHERE convert_from(content, 'UTF8')::jsonb #>> '{body,subject}' = $1 ORDER BY index`,
    [subject],
  );
  return rows;
};

test("a reset takes password, factor and sessions; the link gives a new password once; both are on the trail", async () => {
  expect(await signIn("viewer", OLD)).toEqual({ status: 200, twoFactor: true });
  for (let at = 0; at < 30; at++) await countAttempt(pool, "viewer@example.org", "10.0.0.9");
  const { code } = await as("admin").resetSignIn({ id: "viewer" });
  expect(await sessions("viewer")).toBe(0);
  expect((await signIn("viewer", OLD)).status).toBe(401); // and not 429: who is let in again begins anew
  expect((await pool.query("SELECT 1 FROM person_verification WHERE value = 'viewer'")).rowCount).toBe(0);
  expect(await as("auditor").invite({ code })).toMatchObject({ resets: true, name: "viewer", role: "viewer" });
  expect(await comeBack(code)).toEqual({ email: "viewer@example.org" });
  expect(await signIn("viewer", NEW)).toEqual({ status: 200, twoFactor: false });
  await expect(comeBack(code)).rejects.toThrow(/does not work/);
  expect(await records("viewer")).toMatchObject([
    {
      kind: "person.sign-in-reset",
      text: "admin@example.org reset the sign-in of viewer@example.org",
      body: {
        actor: { id: "admin" },
        address: "10.0.0.9",
        before: { password: true, twoFactor: true, sessions: 1 },
        after: { password: false, twoFactor: false, sessions: 0 },
      },
    },
    { kind: "person.password-set", body: { after: { password: true } } },
  ]);
});

test("nobody resets somebody of a higher role, nor themselves; who could not, changed nothing", async () => {
  await expect(as("admin").resetSignIn({ id: "owner" })).rejects.toThrow(/may not manage owners/);
  for (const role of ["viewer", "responder", "auditor"] as const)
    await expect(as(role).resetSignIn({ id: "viewer-2" })).rejects.toThrow(/you may not/);
  await expect(as("owner").resetSignIn({ id: "owner" })).rejects.toThrow(/your own sign-in/);
  await expect(as("admin").resetSignIn({ id: "nobody" })).rejects.toThrow(/no such person/);
  for (const id of ["owner", "viewer-2"]) {
    expect(await sessions(id)).toBe(1);
    expect((await signIn(id, OLD)).status).toBe(200);
    expect(await records(id)).toEqual([]);
  }
  const { code } = await as("owner").resetSignIn({ id: "owner-2" });
  expect(await comeBack(code)).toEqual({ email: "owner-2@example.org" });
});

test("a link that ran out, one that a newer took the place of, and one from before a promotion let nobody in", async () => {
  const first = await as("admin").resetSignIn({ id: "admin-2" });
  const second = await as("admin").resetSignIn({ id: "admin-2" });
  await expect(comeBack(first.code)).rejects.toThrow(/does not work/);
  await as("owner").setRole({ id: "admin-2", role: "owner" });
  await expect(comeBack(second.code)).rejects.toThrow(/does not work/);
  const third = await as("owner").resetSignIn({ id: "admin-2" });
  await pool.query("UPDATE person_invite SET expires_at = now() - interval '1 second' WHERE used_at IS NULL");
  expect(await as("auditor").invite({ code: third.code })).toBeNull();
  await expect(comeBack(third.code)).rejects.toThrow(/does not work/);
});

test("a link lets nobody in once whoever made it may not make it any more, and no admin takes an owner's away", async () => {
  await pool.query("UPDATE person SET role = 'admin' WHERE id = 'admin-2'");
  const made = async (maker: "owner" | "admin", id: string, role: Role) => {
    const email = `${role}-of-${id}@example.org`;
    return (await as(maker, id).add({ email, name: "x", role })).code;
  };
  const [owners, admins, viewers] = [
    await made("owner", "owner-2", "owner"),
    await made("admin", "admin-2", "admin"),
    await made("owner", "owner-2", "viewer"),
  ];
  const { code: reset } = await as("admin", "admin-2").resetSignIn({ id: "viewer-2" });
  const listed = async () => (await as("owner").invites({})).rows.map(({ email }) => email).sort();
  const [asOwner] = (await as("admin").invites({})).rows.filter(({ role }) => role === "owner");
  await expect(as("admin").uninvite({ id: asOwner!.id })).rejects.toThrow(/may not manage owners/);
  await expect(as("admin").add({ email: "owner-of-owner-2@example.org", name: "x", role: "viewer" })).rejects.toThrow(
    /may not manage owners/,
  );
  await as("owner").setRole({ id: "owner-2", role: "admin" });
  await as("owner").setDisabled({ id: "admin-2", disabled: true });
  for (const code of [owners, admins, reset]) await expect(comeBack(code)).rejects.toThrow(/does not work/);
  expect(await listed()).toEqual(["viewer-of-owner-2@example.org"]);
  expect(await comeBack(viewers)).toEqual({ email: "viewer-of-owner-2@example.org" });
  expect(await records("admin-2")).toContainEqual(
    expect.objectContaining({
      text: "owner@example.org switched admin-2@example.org off; 2 links that they had made lead nowhere",
    }),
  );
  await as("owner").setDisabled({ id: "admin-2", disabled: false });
  await as("owner").setRole({ id: "owner-2", role: "owner" });
});

test("an invitation that ran out is nobody's to withdraw: whoever may add people invites that address anew", async () => {
  const asked = { email: "late@example.org", name: "x" };
  const owners = await as("owner").add({ ...asked, role: "owner" });
  await pool.query(
    "UPDATE person_invite SET expires_at = now() - interval '1 second' WHERE email = 'late@example.org'",
  );
  const { code } = await as("admin").add({ ...asked, role: "viewer" });
  await expect(comeBack(owners.code)).rejects.toThrow(/does not work/);
  expect(await as("auditor").invite({ code })).toMatchObject({ role: "viewer" });
});

test("a link made by a request that began before its maker lost their role leads nowhere as well", async () => {
  const made = async (email: string, role: Role) =>
    (await as("owner", "owner-2").add({ email: `${email}@example.org`, name: "x", role })).code;
  const uses = (code: string) =>
    inTransaction(pool, (tx) => useLink(tx, { code, name: "x", email: "x@example.org", password: NEW }, "hash"));
  await as("owner").setRole({ id: "owner-2", role: "admin" });
  const [beyond, within] = [await made("beyond", "owner"), await made("within", "viewer")];
  expect(await as("auditor").invite({ code: beyond })).toBeNull();
  await expect(uses(beyond)).rejects.toThrow(/does not work/);
  expect(await as("auditor").invite({ code: within })).toMatchObject({ role: "viewer" });
  const invited = (await as("owner").invites({})).rows.map(({ email }) => email);
  expect(invited.filter((email) => /^(beyond|within)@/.test(email))).toEqual(["within@example.org"]);
  await as("owner").setDisabled({ id: "owner-2", disabled: true });
  const { code: reset } = await as("owner", "owner-2").resetSignIn({ id: "viewer-2" });
  expect(await as("auditor").invite({ code: reset })).toBeNull();
  const of = (await as("owner").list({})).rows.find(({ id }) => id === "viewer-2");
  expect(Date.parse(of!.resetUntil!)).toBeLessThan(Date.now());
  await expect(uses(reset)).rejects.toThrow(/does not work/);
  await as("owner").setDisabled({ id: "owner-2", disabled: false });
  await as("owner").setRole({ id: "owner-2", role: "owner" });
});

test("an owner with a shell on the console's machine gets back in by the command, switched off or not, and it is recorded", async () => {
  await pool.query("UPDATE person SET disabled_at = now() WHERE id = 'owner-2'");
  const here = ["--state", stateFolder, "--database", postgres.url, "--url", URL_, "--json"];
  const run = (email: string) => runSallyport({}, "people", "reset", email, ...here);
  const done = await run("Owner-2@example.org");
  expect(done).toMatchObject({ code: 0 });
  const { link } = JSON.parse(done.out) as { link: string };
  expect(link).toMatch(/^http:\/\/console\.test\/invite\?code=/);
  await comeBack(new URL(link).searchParams.get("code")!);
  expect(await signIn("owner-2", NEW)).toEqual({ status: 200, twoFactor: false });
  expect((await records("owner-2")).at(-2)).toMatchObject({
    kind: "person.sign-in-reset",
    text: expect.stringMatching(
      /^somebody with a shell .* reset the sign-in of owner-2@example.org and switched it on/,
    ),
    body: { actor: { id: "console-machine" }, before: { disabled: true }, after: { disabled: false } },
  });
  expect(await run("nobody@example.org")).toMatchObject({ code: 3, err: expect.stringMatching(/Nobody .* has/) });
});

test("tries from elsewhere keep nobody out who has signed in from where they are; right ones cost nothing", async () => {
  const email = "admin@example.org";
  await pool.query("DELETE FROM person_two_factor WHERE person_id = 'admin'");
  await pool.query("UPDATE person SET two_factor_enabled = false WHERE id = 'admin'");
  expect(await signIn("admin", OLD, "10.0.0.7")).toEqual({ status: 200, twoFactor: false });
  for (let at = 0; at < 30; at++) await countAttempt(pool, email, "192.0.2.66");
  expect((await signIn("admin", OLD, "192.0.2.66")).status).toBe(429); // that address alone
  expect((await signIn("admin", OLD, "10.0.0.8")).status).toBe(200);
  for (let at = 0; at < 110; at++) await countAttempt(pool, email, `192.0.2.${at}`);
  expect((await signIn("admin", OLD, "10.0.0.99")).status).toBe(429); // a new address, amid tries from everywhere
  expect((await signIn("admin", OLD, "10.0.0.7")).status).toBe(200);
  await pool.query("DELETE FROM person_rate_limit");
  for (let at = 0; at < 30; at++) {
    expect(await countAttempt(pool, email, "10.0.0.7")).toBe(true);
    await forgetAttempt(pool, email, "10.0.0.7");
  }
});

test("counters that no window holds any more go, however many; those that count stay", async () => {
  await pool.query(
    `INSERT INTO person_rate_limit (id, key, count, last_request)
     SELECT 'old ' || n, 'old ' || n, 1, (extract(epoch FROM now()) * 1000)::bigint - 3600000 FROM generate_series(1, 12000) n`,
  );
  await countAttempt(pool, "viewer@example.org", "10.0.0.9");
  await pool.query(
    `INSERT INTO person_verification (id, identifier, value, expires_at)
     VALUES ('v1', 'a', 'b', now() - interval '1 second'), ('v2', 'a', 'b', now() + interval '1 hour')`,
  );
  expect(await prune(pool, new AbortController().signal)).toBeGreaterThanOrEqual(12_001);
  expect((await pool.query("SELECT key FROM person_rate_limit ORDER BY key")).rows).toEqual([
    { key: "account:viewer@example.org" },
    { key: "account:viewer@example.org@10.0.0.9" },
  ]);
  expect((await pool.query("SELECT id FROM person_verification WHERE identifier = 'a'")).rows).toEqual([{ id: "v2" }]);
});
