/** The first promise, over the real thing: agent, broker, two workers and Postgres are killed while evidence is made. */
import { createHash, createPublicKey, randomUUID, verify as verifyNode } from "node:crypto";
import { appendFileSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { toHex } from "@sallyport/shared/base/bytes.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { openCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { entryText, leafHash } from "@sallyport/shared/trail/entry.ts";
import { appendAll, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Stack, startStack } from "../../packages/up/src/start.ts";

const LINES = 6_000;
const LINES_AT_ONCE = 30;
/** All kills and their restarts, on a machine that other suites keep busy. */
const ARRIVE_MS = 180_000;
const PORTS = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };

const hash = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const verify = (key: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => {
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(key).toString("base64url") };
  return verifyNode(null, bytes, createPublicKey({ key: jwk, format: "jwk" }), signature);
};

const line = (at: number) =>
  `${JSON.stringify({ timestamp: "2026-11-24T08:46:00.000001+0000", flow_id: at, event_type: "dns", src_ip: "10.0.0.5", dest_ip: "10.0.0.1", proto: "UDP", dns: { type: "query", rrname: `n${at}.example` } })}\n`;

describe("a workstation whose agent, broker, workers and database are killed while it observes", () => {
  let folder: string;
  let stack: Stack;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-fleet-"));
    stack = await startStack({ stateFolder: folder, ports: PORTS, console: false, workers: 2 });
  });
  afterAll(async () => {
    await stack?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Fails while Postgres is away: then the caller asks again. */
  async function query<T extends object>(sql: string, values: unknown[] = []): Promise<T[]> {
    const client = new pg.Client({ connectionString: stack.databaseUrl });
    client.on("error", () => undefined);
    await client.connect();
    return client
      .query<T & pg.QueryResultRow>(sql, values)
      .then(({ rows }) => rows)
      .finally(() => client.end());
  }

  const stored = () =>
    query<{ flow: string }>(
      `SELECT convert_from(content, 'UTF8')::jsonb #>> '{body,event,dns,rrname}' AS flow FROM record
        WHERE kind = 'ids.event' ORDER BY trail, index`,
    );

  /** What each process said last: a stall on a far machine can be read. */
  const lastWords = () => [...stack.children].map(([name, child]) => `── ${name}\n${child.tail}`).join("\n");

  async function countReaches(count: number): Promise<void> {
    const end = Date.now() + ARRIVE_MS;
    for (let last = -1; ; ) {
      const got = await query<{ count: string }>("SELECT count(*) FROM record WHERE kind = 'ids.event'").then(
        ([row]) => Number(row?.count),
        () => last,
      );
      if (got >= count) return;
      last = got;
      if (Date.now() > end)
        throw new Error(`${got} of ${count} records are stored after ${ARRIVE_MS / 1000} s\n${lastWords()}`);
      await delay(100);
    }
  }

  it("has every line in the store, once, in order, under a checkpoint that verifies", async () => {
    const eve = stack.agent?.eveFile ?? "";
    const victims = ["agent", "worker", "broker", "agent", "postgres", "worker-2", "agent", "broker", "worker"];
    const round = Math.floor(LINES / (victims.length + 1));
    let written = 0;
    for (const [at, victim] of [...victims, undefined].entries()) {
      const upTo = victim === undefined ? LINES : (at + 1) * round;
      for (; written < upTo; written += LINES_AT_ONCE) {
        const some = Math.min(LINES_AT_ONCE, upTo - written);
        appendFileSync(eve, Array.from({ length: some }, (_, n) => line(written + n)).join(""));
        if (some < LINES_AT_ONCE) written -= LINES_AT_ONCE - some;
        await delay(5);
      }
      if (at === 4) renameSync(eve, `${eve}.1`);
      if (!victim) continue;
      // something of this round is under way when it dies
      await countReaches(Math.max(0, at * round - round));
      stack.children.get(victim)?.kill(victim === "postgres" ? "SIGQUIT" : "SIGKILL");
    }
    await countReaches(LINES);
    const flows = (await stored()).map(({ flow }) => flow);
    expect(flows).toEqual(Array.from({ length: LINES }, (_, at) => `n${at}.example`));
    await expectWhole();
  });

  /** Each trail's newest checkpoint is signed by the workstation over exactly what is stored. */
  async function expectWhole(): Promise<void> {
    const trails = await query<{ num: number; origin: string; public_key: Buffer; checkpoint: string; size: string }>(
      "SELECT num, origin, public_key, checkpoint, size FROM trail WHERE workstation_id IS NOT NULL",
    );
    expect(trails).toHaveLength(1);
    for (const trail of trails) {
      const rows = await query<{
        index: string;
        time: Date;
        kind: string;
        severity: number;
        guest: string | null;
        content_hash: Buffer;
        salt: Buffer;
        content: Buffer;
      }>("SELECT * FROM record WHERE trail = $1 ORDER BY index", [trail.num]);
      const leaves = rows.map((row) => {
        const content = toHex(row.content_hash);
        expect(toHex(hash(Buffer.concat([row.salt, row.content])))).toBe(content);
        const entry = {
          ...{ index: Number(row.index), time: row.time.toISOString(), kind: row.kind },
          ...{ severity: SEVERITIES[row.severity], content, ...(row.guest !== null && { guest: row.guest }) },
        };
        return leafHash(hash, entryText(entry as Parameters<typeof entryText>[0]));
      });
      const edge = appendAll(hash, EMPTY_EDGE, leaves);
      expect(edge.size).toBe(Number(trail.size));
      expect(openCheckpoint(hash, verify, trail.origin, trail.public_key, trail.checkpoint)).toEqual({
        ok: true,
        value: { origin: trail.origin, size: edge.size, root: root(hash, edge) },
      });
    }
    expect(await query("SELECT reason FROM quarantine")).toEqual([]);
  }

  it("refuses a batch under another's name, keeps the bytes, raises an alert, and goes on", async () => {
    const { connectAsync } = await import("mqtt");
    const { readFileSync } = await import("node:fs");
    const worker = stack.keys.worker;
    const client = await connectAsync(stack.mqttUrl, {
      protocolVersion: 4,
      clientId: `forger-${randomUUID()}`,
      ca: readFileSync(stack.keys.ca),
      cert: readFileSync(worker.cert),
      key: readFileSync(worker.key),
    });
    const id = stack.agent?.workstation ?? "";
    await client.publishAsync(`sallyport/1/${id.slice(0, 2)}/${id}/batch`, Buffer.from("not a batch"), { qos: 1 });
    await client.endAsync();
    const end = Date.now() + ARRIVE_MS;
    let kept: { reason: string }[] = [];
    while (kept.length === 0 && Date.now() < end) {
      kept = await query<{ reason: string }>("SELECT reason FROM quarantine");
      await delay(100);
    }
    expect(kept).toHaveLength(1);
    expect(await query("SELECT 1 FROM alert WHERE workstation_id = $1", [id])).not.toEqual([]);
    appendFileSync(stack.agent?.eveFile ?? "", line(LINES));
    await countReaches(LINES + 1);
  });
});
