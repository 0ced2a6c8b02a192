/** A trail out of a real Postgres, by the command line, checked with no console. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { respondExport } from "../src/export/respond.ts";
import { makeToken, revokeToken, type Scope } from "../src/person/api-token.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { type Seen, seedGroup, seedPartition, seedTrail, seedWorkstation } from "./seed.ts";

const BIN = fileURLToPath(new URL("../../../packages/cli/bin/sallyport.mjs", import.meta.url));
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
      void respondExport({ pool, recordConsole }, new Request(`http://x${incoming.url}`, { headers }), name).then(
        (answer) => {
          outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
          Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]).pipe(outgoing);
        },
      );
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

  function sallyport(args: string[], secret = ""): Promise<{ code: number; out: string; err: string }> {
    return new Promise((resolve) => {
      const env = { ...process.env, SALLYPORT_TOKEN: secret, SALLYPORT_URL: url };
      execFile(process.execPath, [BIN, ...args], { env }, (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
    });
  }
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
