/** A trail out of a real Postgres, by the command line, checked with no console. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { respondExport } from "../src/export/respond.ts";
import { Slots } from "../src/export/slots.ts";
import type { RecordConsole } from "../src/person/act.ts";
import { makeToken, revokeToken, type Scope } from "../src/person/api-token.ts";
import { runSallyport } from "./command-line.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { type Seen, seedGroup, seedPartition, seedTrail, seedWorkstation } from "./seed.ts";

const SIZE = 300;

describe("exporting a trail", () => {
  let folder: string;
  let postgres: TestPostgres;
  let pool: pg.Pool;
  let server: Server;
  let url: string;
  let workstation: string;
  let trail: number;
  const recorded: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-export-"));
    postgres = await startPostgres();
    await migrate(postgres.url);
    pool = new pg.Pool({ connectionString: postgres.url, max: 6 });
    pool.on("error", () => undefined); // the server is stopped under it at the end
    await seedPartition(pool);
    const group = await seedGroup(pool, "default", new Uint8Array(32));
    workstation = await seedWorkstation(pool, { name: "front-desk", group });
    const seen = Array.from(
      { length: SIZE },
      (_, at): Seen => ({
        ...{ kind: "guest.log", severity: "info", text: `line ${at}`, body: { line: `line ${at}` }, agoMs: SIZE - at },
      }),
    );
    trail = await seedTrail(pool, workstation, seen);
    const recordConsole = async (_: unknown, { text }: { text: string }) => void recorded.push(text);
    server = createServer((incoming, outgoing) => {
      const headers = new Headers(incoming.headers as Record<string, string>);
      const name = decodeURIComponent(new URL(incoming.url!, "http://x").pathname.split("/").at(-1)!);
      void respondExport(
        { pool, recordConsole, exportSlots: new Slots(4) },
        new Request(`http://x${incoming.url}`, { headers }),
        name,
      ).then((answer) => {
        outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
        Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]).pipe(outgoing);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  });
  afterAll(async () => {
    server.close();
    await pool.end();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function token(
    role = "viewer",
    scopes: Scope[] = ["export"],
  ): Promise<{ person: string; id: string; token: string }> {
    const person = randomUUID();
    await pool.query("INSERT INTO person (id, name, email, role) VALUES ($1, 'P', $1 || '@example.org', $2::role)", [
      person,
      role,
    ]);
    return { person, ...(await makeToken(pool, { person, name: "test", scopes, days: 1 })) };
  }

  const sallyport = (args: string[], secret = "") =>
    runSallyport({ token: secret, environment: { SALLYPORT_URL: url } }, ...args);
  const exportTo = (out: string, secret: string, name = workstation) =>
    sallyport(["export", "--workstation", name, "--out", join(folder, out)], secret);

  it("writes a folder that is whole, and records who took it", async () => {
    expect(await exportTo("whole", (await token()).token)).toMatchObject({ code: 0, err: "" });
    const { code, out } = await sallyport(["verify", join(folder, "whole"), "--json"]);
    expect(JSON.parse(out)).toMatchObject({ whole: true, size: SIZE, contents: { present: SIZE, absent: 0 } });
    expect(code).toBe(0);
    expect(recorded.at(-1)).toContain(`exported ${SIZE} records`);
  });

  it("writes one pack, by the workstation's name", async () => {
    expect(await exportTo("whole.tar", (await token()).token, "front-desk")).toMatchObject({ code: 0 });
    expect(await sallyport(["verify", join(folder, "whole.tar")])).toMatchObject({ code: 0 });
  });

  it("gives an auditor the entries and no contents", async () => {
    await exportTo("audited", (await token("auditor")).token);
    const { out } = await sallyport(["verify", join(folder, "audited"), "--json"]);
    expect(JSON.parse(out)).toMatchObject({ whole: true, size: SIZE, contents: { present: 0, absent: SIZE } });
  });

  it("refuses no token, a wrong one, one without the scope, and a revoked one, each in a sentence", async () => {
    expect(await exportTo("no", "")).toMatchObject({ code: 1, err: expect.stringContaining("SALLYPORT_TOKEN") });
    expect(await exportTo("no", "sallyport_wrong")).toMatchObject({
      code: 1,
      err: expect.stringContaining("not known"),
    });
    const other = await token("viewer", ["policy:read"]);
    expect(await exportTo("no", other.token)).toMatchObject({ code: 1, err: expect.stringContaining("scope") });
    const revoked = await token();
    const tx = await pool.connect();
    await revokeToken(tx, revoked.person, revoked.id);
    tx.release();
    expect(await exportTo("no", revoked.token)).toMatchObject({ code: 1, err: expect.stringContaining("revoked") });
    expect(await exportTo("no", (await token()).token, "nobody")).toMatchObject({
      code: 1,
      err: expect.stringContaining("nobody"),
    });
  });

  describe("many at once", () => {
    /** As the console has it; a record waits for the trail's lock. */
    let parts: { pool: pg.Pool; recordConsole: RecordConsole; exportSlots: Slots };
    let secret: string;
    const ask = (more: { unreadMsMax?: number } = {}, signal?: AbortSignal) =>
      respondExport(
        { ...parts, ...more },
        new Request("http://x/api/export/x", {
          headers: { authorization: `Bearer ${secret}` },
          signal: signal ?? null,
        }),
        workstation,
      );
    const inTransaction = async (): Promise<number> => {
      const { rows } = await pool.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_stat_activity
          WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()
            AND backend_type = 'client backend'`,
      );
      return rows[0]!.n;
    };
    /** So many places are free again: taken, and given back. */
    const untilFree = (places: number) =>
      vi.waitFor(
        () => {
          const taken = Array.from({ length: places }, () => parts.exportSlots.take());
          for (const free of taken) free?.();
          expect(taken).not.toContain(undefined);
        },
        { timeout: 60_000, interval: 50 },
      );

    beforeAll(async () => {
      secret = (await token()).token;
      const recordConsole = async (tx: pg.PoolClient) => void (await tx.query("SELECT pg_advisory_xact_lock(1)"));
      const wide = new pg.Pool({ connectionString: postgres.url, max: 12, connectionTimeoutMillis: 60_000 });
      wide.on("error", () => undefined);
      parts = { pool: wide, recordConsole, exportSlots: new Slots(4) };
    });
    afterAll(() => parts.pool.end());

    it("answers thirty at once, more than there are connections, and the database answers afterwards", async () => {
      const answers = await Promise.all(
        Array.from({ length: 30 }, async () => {
          const answer = await ask();
          return { status: answer.status, again: answer.headers.get("retry-after"), bytes: await answer.bytes() };
        }),
      );
      const given = answers.filter(({ status }) => status === 200);
      const refused = answers.filter(({ status }) => status === 503);
      expect(given.length).toBeGreaterThan(0);
      expect(given.length + refused.length).toBe(30);
      for (const { bytes } of given) expect(bytes.length).toBe(given[0]!.bytes.length);
      for (const { again } of refused) expect(Number(again)).toBeGreaterThan(0);
      expect((await parts.pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    });

    it("ends those that nobody reads, and gives their places back", async () => {
      const unread = await Promise.all(Array.from({ length: 4 }, () => ask({ unreadMsMax: 1_000 })));
      expect(unread.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      await untilFree(4);
      for (const answer of unread) await expect(answer.bytes()).rejects.toThrow("Nothing was read");
      const next = await ask();
      expect(next.status).toBe(200);
      await next.bytes();
    });

    it("ends one whose client is gone", async () => {
      const gone = new AbortController();
      const answers = await Promise.all([ask({}, gone.signal), ask(), ask(), ask()]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect((await ask()).status).toBe(503);
      gone.abort();
      await untilFree(1);
      await expect(answers[0].bytes()).rejects.toThrow("gone");
      for (const answer of answers.slice(1)) await answer.bytes();
    });

    it("holds no connection and no transaction for a reader who takes a part and then nothing", async () => {
      const answer = await ask();
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
      let taken = (await reader.read()).value?.length ?? 0;
      await vi.waitFor(() => expect(parts.pool.idleCount).toBe(parts.pool.totalCount), {
        timeout: 60_000,
        interval: 20,
      });
      expect(await inTransaction()).toBe(0);
      // what is erased meanwhile is absent, and the pack is whole all the same
      await pool.query("UPDATE record SET content = NULL, salt = NULL WHERE trail = $1 AND index = 290", [trail]);
      for (let next = await reader.read(); !next.done; next = await reader.read()) taken += next.value.length;
      const later = (await (await ask()).bytes()).length;
      expect(taken).toBe(later);
    });

    it("has no workstation whose name holds U+0000", async () => {
      const answer = await respondExport(parts, new Request("http://x/"), "front\u0000desk");
      expect(answer.status).toBe(404);
    });
  });

  it("catches a database admin who changes one line", async () => {
    await pool.query(
      `UPDATE record SET content = convert_to(replace(convert_from(content, 'UTF8'), 'line 299', 'line 000'), 'UTF8') WHERE trail = $1 AND "index" = 299`,
      [trail],
    );
    await exportTo("changed", (await token()).token);
    const { code, out } = await sallyport(["verify", join(folder, "changed")]);
    expect(out).toContain("The content of record 299");
    expect(code).toBe(3);
  });

  it("catches a database admin who puts an older checkpoint back, by the one that was kept", async () => {
    const kept = join(folder, "whole", "checkpoint");
    const older = readFileSync(kept, "utf8");
    // without the workstation's key no valid checkpoint over fewer records can be made; with an old one, size and note go back
    const second = await seedTrail(pool, workstation, [
      { kind: "guest.log", severity: "info", text: "short", body: {}, agoMs: 1 },
    ]);
    const { rows } = await pool.query("SELECT checkpoint, public_key, origin FROM trail WHERE num = $1", [second]);
    expect(rows[0].checkpoint).not.toBe(older);
    await exportTo("other", (await token()).token);
    expect(await sallyport(["verify", join(folder, "other"), "--checkpoint", kept])).toMatchObject({ code: 3 });
  });
});
