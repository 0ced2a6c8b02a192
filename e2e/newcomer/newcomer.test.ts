/** What a newcomer does, in a clean clone: up, the README's commands, Ctrl-C, up again. */
import { execFileSync, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, existsSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeToken } from "../../apps/web/src/person/api-token.ts";
import { shellBlocks } from "./readme.ts";
import { isStopped, plainEnv, readUp, startUp, type Up, until } from "./up.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** A real npm ci and a build, on a machine that other suites keep busy. */
const FIRST_UP_MS = 850_000;
const NEXT_UP_MS = 240_000;
const ARRIVES_MS = 60_000;
/** A stick is read, and refused at once where there is no scanner; with one, it is scanned. */
const SCANNED_MS = 180_000;

/** While working on these tests: this checkout's packages are linked instead of installed. Never in CI. */
const LINKED = process.env.NEWCOMER_LINKED === "true" && process.env.CI !== "true";

const README = shellBlocks(join(ROOT, "README.md"));
/** Run apart: the one that stays in the foreground, and the one that runs this test. */
const APART = ["npm run up", "npm test"];

describe("a newcomer in a clean clone", () => {
  let folder: string;
  let clone: string;
  let up: Up;
  let before: Map<string, string>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-newcomer-"));
    clone = join(folder, "sallyport");
    execFileSync("git", ["clone", "--quiet", ROOT, clone], { stdio: "pipe" });
    if (LINKED)
      for (const place of globSync("{.,{apps,packages}/*}/node_modules", { cwd: ROOT }))
        execFileSync("cp", ["-al", join(ROOT, place), join(clone, dirname(place))]);
    up = await startUp(clone, FIRST_UP_MS);
  });
  afterAll(async () => {
    await up?.ctrlC();
    rmSync(folder, { recursive: true, force: true });
  });

  async function query<T extends object>(sql: string, values: unknown[] = []): Promise<T[]> {
    const client = new pg.Client({ connectionString: readUp(clone).databaseUrl });
    await client.connect();
    return client
      .query<T & pg.QueryResultRow>(sql, values)
      .then(({ rows }) => rows)
      .finally(() => client.end());
  }

  const arrived = (text: string, kind: string) =>
    until(
      async () =>
        (await query("SELECT 1 FROM record WHERE kind = $1 AND text LIKE $2", [kind, `%${text}%`])).length > 0,
      ARRIVES_MS,
      text,
    );

  /** Every record by its place, with the hash of its content. */
  async function everything(): Promise<Map<string, string>> {
    const rows = await query<{ at: string; hash: string }>(
      `SELECT trail || '/' || "index" AS at, encode(content_hash, 'hex') AS hash FROM record`,
    );
    return new Map(rows.map(({ at, hash }) => [at, hash]));
  }

  it("sees progress, the console's address and how to make the first owner", async () => {
    expect(up.output()).toMatch(LINKED ? /Building/ : /Installing packages/);
    expect(up.output()).toMatch(/^Console {2}http:\/\/localhost:\d+$/m);
    const link = /^First owner {2}(http:\/\/localhost:\d+\/setup\?code=\S+)$/m.exec(up.output())?.[1];
    expect(link).toBe(readUp(clone).firstOwner);
    const page = await fetch(link!);
    expect(page.status).toBe(200);
    expect(await page.text()).toMatch(/owner/i);
  });

  it("is told the two commands by the README", () => {
    expect(README.map(({ text }) => text)).toEqual(expect.arrayContaining(APART));
  });

  it.each(README.filter(({ text }) => !APART.includes(text)))(
    "runs the README's command of line $line",
    async ({ text }) => {
      const env = { ...plainEnv(), SALLYPORT_TOKEN: await token(), SALLYPORT_URL: readUp(clone).console };
      const here = text.replaceAll("-P 5514", `-P ${readUp(clone).ports.syslog}`);
      const { status, stderr } = spawnSync("bash", ["-euo", "pipefail", "-c", here], {
        cwd: clone,
        env,
        encoding: "utf8",
      });
      const codes = text.includes("sallyport-agent scan") ? [0, 3, 4] : [0];
      expect(codes, stderr).toContain(status);
    },
  );

  let made: string | undefined;
  async function token(): Promise<string> {
    if (made) return made;
    const person = randomUUID();
    await query(
      "INSERT INTO person (id, name, email, role) VALUES ($1, 'A newcomer', 'newcomer@example.org', 'viewer')",
      [person],
    );
    const pool = new pg.Pool({ connectionString: readUp(clone).databaseUrl, max: 1 });
    made = (await makeToken(pool, { person, name: "trial", scopes: ["export"], days: 1 })).token;
    await pool.end();
    return made;
  }

  it("finds the line, the alert and the stick in the database", async () => {
    await arrived("hello from a guest", "guest.log");
    await arrived("GPL ATTACK_RESPONSE", "ids.alert");
    await until(
      async () => (await query("SELECT 1 FROM scan WHERE files > 0")).length > 0,
      SCANNED_MS,
      "the scan of the stick",
    );
  });

  it("stops everything with Ctrl-C", async () => {
    before = await everything();
    expect(before.size).toBeGreaterThan(3);
    const { pid } = readUp(clone);
    await up.ctrlC();
    await until(async () => /Stopping ….*Stopped\./s.test(up.output()), ARRIVES_MS, "the last word");
    await until(async () => !existsSync(`/proc/${pid}`), ARRIVES_MS, "the end of the process");
    expect(isStopped(clone)).toBe(true);
  });

  it("starts again with nothing lost", async () => {
    up = await startUp(clone, NEXT_UP_MS);
    expect(up.output()).not.toMatch(/Installing packages|Building/);
    const after = await everything();
    for (const [at, hash] of before) expect(after.get(at), at).toBe(hash);
    execFileSync("logger", [
      "-n",
      "127.0.0.1",
      "-P",
      String(readUp(clone).ports.syslog),
      "-d",
      "after the second start",
    ]);
    await arrived("after the second start", "guest.log");
    expect(await query("SELECT 1 FROM trail WHERE workstation_id IS NOT NULL")).toHaveLength(1);
  });

  it("starts again after a kill -9, and stops what that left running", async () => {
    await up.kill9();
    up = await startUp(clone, NEXT_UP_MS);
    expect(up.output()).toMatch(/An earlier run was killed/);
    const after = await everything();
    for (const [at, hash] of before) expect(after.get(at), at).toBe(hash);
    execFileSync("logger", ["-n", "127.0.0.1", "-P", String(readUp(clone).ports.syslog), "-d", "after the kill"]);
    await arrived("after the kill", "guest.log");
  });

  it("is refused a second one on the same state, in a sentence", async () => {
    const { status, stderr } = spawnSync("npm", ["run", "up"], { cwd: clone, env: plainEnv(), encoding: "utf8" });
    expect(stderr).toMatch(/already runs on this state folder/);
    expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(status).toBe(1);
  });

  it("restores a backup, and the console's epoch rises", async () => {
    const sent = await sentOnes();
    await up.ctrlC();
    const state = join(clone, ".sallyport");
    cpSync(join(state, "agent"), join(folder, "agent"), { recursive: true });
    rmSync(state, { recursive: true });
    cpSync(join(clone, "sallyport-backup"), state, { recursive: true });
    cpSync(join(folder, "agent"), join(state, "agent"), { recursive: true });
    up = await startUp(clone, NEXT_UP_MS);
    expect(up.output()).toMatch(/restored from a backup: its epoch is now [1-9]/);
    // what came after the backup is sent again by the agent, or named as lost
    execFileSync("logger", ["-n", "127.0.0.1", "-P", String(readUp(clone).ports.syslog), "-d", "after the restore"]);
    await arrived("after the restore", "guest.log");
    // each record that the console had of a workstation is there again, or named as lost by the console or the agent
    const isLeft = ({ id, index, hash }: Sent, now: Map<string, string>, named: Named[]) =>
      now.get(`${id}/${index}`) !== hash &&
      !named.some((range) => range.id === id && range.from <= index && index < range.to);
    let left: Sent[] = sent;
    await until(
      async () => {
        const named = await namedAsLost();
        const now = new Map((await sentOnes()).map(({ id, index, hash }) => [`${id}/${index}`, hash]));
        left = left.filter((one) => isLeft(one, now, named));
        return left.length === 0;
      },
      ARRIVES_MS,
      "every record that was sent, or a range that names it as lost",
    ).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(left.slice(0, 20))} of ${left.length}`);
    });
    const now = new Set((await sentOnes()).map(({ id, index }) => `${id}/${index}`));
    expect(sent.some(({ id, index }) => now.has(`${id}/${index}`))).toBe(true);
  });

  type Sent = { id: string; index: number; hash: string };
  type Named = { id: string; from: number; to: number };

  /** Of workstations; the console's own trail is not sent. */
  const sentOnes = () =>
    query<Sent>(
      `SELECT t.id, r."index"::int AS index, encode(r.content_hash, 'hex') AS hash
         FROM record r JOIN trail t ON t.num = r.trail WHERE t.workstation_id IS NOT NULL`,
    );

  /** Loss ranges that the console signed, and what the agent says that it gave up. */
  const namedAsLost = () =>
    query<Named>(
      `SELECT t.id, l."from"::int AS from, l."to"::int AS to FROM loss l JOIN trail t ON t.num = l.trail
       UNION ALL
       SELECT t.id, (g.body ->> 'from')::int, (g.body ->> 'to')::int
         FROM record r JOIN trail t ON t.num = r.trail,
              LATERAL (SELECT convert_from(r.content, 'UTF8')::jsonb -> 'body' AS body) g
        WHERE r.kind = 'agent.gap'`,
    );

  it("runs the tests with the one command", async () => {
    await up.ctrlC();
    // the whole of it is what runs this test; here it is one suite, from the same command
    const env = { ...plainEnv(), SALLYPORT_SUITES: "unit", CI: "" };
    const { status, stdout } = spawnSync("npm", ["test"], { cwd: clone, env, encoding: "utf8", maxBuffer: 1 << 26 });
    expect(stdout.trim().split("\n").at(-1)).toMatch(/^\d+ passed, 0 failed/);
    expect(status).toBe(0);
  });
});
