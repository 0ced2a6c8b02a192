/** What an admin does to a workstation, from the procedure to what the machine then meets: broker, listener, statements. */
import "reflect-metadata";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Desired, Membership, type Signers } from "@sallyport/shared/policy/statement.ts";
import { POLICY_TEMPLATE } from "@sallyport/shared/policy/template.ts";
import { verifyStatement } from "@sallyport/shared/policy/verify.ts";
import { keyId, signValue } from "@sallyport/shared/trail/signed.ts";
import mqtt, { type MqttClient } from "mqtt";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { policyDispatch } from "../src/dispatch/dispatch.ts";
import { signMembership } from "../src/dispatch/sign.ts";
import { type Authority, openAuthority, readRequest } from "../src/listener/authority.ts";
import { startListener } from "../src/listener/listener.ts";
import { keepRevokedFile } from "../src/listener/revoked.ts";
import type { Role } from "../src/person/role.ts";
import { hash, readSigner, verify } from "../src/trail/crypto.ts";
import { readConsoleKey } from "../src/trail/key.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import type { Context } from "../src/trpc/context.ts";
import { appRouter } from "../src/trpc/router.ts";
import { Machine } from "./machine.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition } from "./seed.ts";
import { ensureKeys, startBroker } from "./up.ts";

const WAIT = { timeout: 60_000, interval: 50 };
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const log = pino({ level: "silent" });

const stateFolder = mkdtempSync(join(tmpdir(), "sallyport-workstation-"));
const stopping = new AbortController();
const key = (name: string) => readFileSync(join(stateFolder, "keys", name));
let postgres: TestPostgres;
let pool: pg.Pool;
let broker: Awaited<ReturnType<typeof startBroker>>;
let listener: Awaited<ReturnType<typeof startListener>>;
let authority: Authority;
let consoleKey: ReturnType<typeof readConsoleKey>;
let revokedFile: Promise<void>;
let groups: { lab: string; floor: string };

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  await ensureKeys(stateFolder);
  consoleKey = readConsoleKey(join(stateFolder, "keys", "console.key"));
  authority = await openAuthority(key("ca.crt").toString(), key("ca.key").toString());
  broker = await startBroker({ stateFolder, host: "127.0.0.1", port: 0 });
  listener = await startListener(
    { pool, signer: readSigner(key("console.key")), authority, mqttUrl: "mqtts://x:1", now: () => new Date(), log },
    { key: key("listener.key"), cert: Buffer.concat([key("listener.crt"), key("ca.crt")]) },
    "127.0.0.1",
    0,
  );
  revokedFile = keepRevokedFile(pool, stateFolder, log, stopping.signal);
  groups = {
    lab: await seedGroup(pool, "laboratory", consoleKey.publicKey),
    floor: await seedGroup(pool, "floor", consoleKey.publicKey),
  };
});
afterAll(async () => {
  stopping.abort();
  await revokedFile;
  await listener?.stop();
  await broker?.stop();
  await pool?.end();
  await postgres?.stop();
  rmSync(stateFolder, { recursive: true, force: true });
});

function as(role: Role) {
  const actor = { id: role, email: `${role}@example.org`, name: role, role, session: "s", twoFactor: true };
  const wiring = { pool, consoleKey, recordConsole: consoleRecorder(consoleKey) } as unknown as Context["wiring"];
  const context: Context = { wiring, actor, still: async () => actor, origin: { address: "10.0.0.9" }, host: "x" };
  return appRouter.createCaller(context);
}

type Enrolled = { machine: Machine; name: string; csr: string; connect: () => Promise<MqttClient> };

async function enrol(name: string): Promise<Enrolled> {
  const machine = new Machine();
  const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ name: [], keys, signingAlgorithm: P256 });
  const csr = request.toString("pem");
  const read = await readRequest(csr);
  if (!read.ok) throw new Error(read.error);
  const issued = await authority.issue(read.value, machine.id, new Date());
  const tx = await pool.connect();
  await tx.query(
    `INSERT INTO workstation (id, shard, name, hostname, group_id, labels, trail_key, agent_version)
     VALUES ($1::uuid, substr($1::text, 1, 2), $2, $2, $3, '{old}', $4, 'test')`,
    [machine.id, name, groups.lab, machine.publicKey],
  );
  await tx.query("INSERT INTO certificate (serial, workstation_id, not_before, not_after) VALUES ($1, $2, $3, $4)", [
    issued.serial,
    machine.id,
    issued.notBefore,
    issued.notAfter,
  ]);
  await signMembership(tx, consoleKey, machine.id, groups.lab as GroupId, new Date());
  tx.release();
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const connect = () =>
    mqtt.connectAsync(`mqtts://localhost:${broker.port}`, {
      protocolVersion: 4,
      ca: authority.ca,
      cert: issued.pem,
      key: x509.PemConverter.encode(der, "PRIVATE KEY"),
      reconnectPeriod: 0,
    });
  return { machine, name, csr, connect };
}

function ask(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: listener.port, method, path, ca: authority.ca, agent: false };
    const sent = request(options, (response) => {
      let text = "";
      response.on("data", (bytes) => (text += bytes)).on("end", () => resolve({ status: response.statusCode!, text }));
    });
    sent.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function renew({ machine, csr }: Enrolled) {
  const { nonce } = JSON.parse((await ask("GET", "/renew/nonce")).text) as { nonce: string };
  const value = { workstation: machine.id, csr: createHash("sha256").update(csr).digest("hex"), nonce };
  const proof = signValue(hash, machine, "sallyport/renewal/1", value);
  return ask("POST", "/renew", { workstation: machine.id, csr, proof });
}

const acts = async (id: string) => {
  const { rows } = await pool.query<{ kind: string; text: string; body: Record<string, unknown> }>(
    `SELECT kind, text, convert_from(content, 'UTF8')::jsonb -> 'body' AS body FROM record r JOIN trail t ON t.num = r.trail
      WHERE t.workstation_id IS NULL AND convert_from(content, 'UTF8') LIKE $1 ORDER BY index`,
    [`%workstation/${id}%`],
  );
  return rows;
};

test("a revoked workstation is cut off and refused by the broker, renews nothing, and is on the list for other brokers", async () => {
  const enrolled = await enrol("lab-07");
  const { machine, name, connect } = enrolled;
  const agent = await connect();
  const cut = new Promise<void>((resolve) => agent.once("close", () => resolve()));
  expect((await renew(enrolled)).status).toBe(200);
  const asked = { id: machine.id, name, reason: "stolen from the front desk" };
  expect(await as("admin").workstation.revoke(asked)).toEqual({ certificates: 2 });
  await cut;
  await vi.waitFor(() => expect(connect().then((client) => client.end(true))).rejects.toThrow(/Not authorized/), WAIT);
  expect(await renew(enrolled)).toMatchObject({ status: 403, text: expect.stringMatching(/revoked: stolen/) });
  const crl = new x509.X509Crl((await ask("GET", "/crl")).text);
  const { rows } = await pool.query<{ serial: string }>("SELECT serial FROM certificate WHERE workstation_id = $1", [
    machine.id,
  ]);
  expect(crl.entries.map(({ serialNumber }) => serialNumber.toUpperCase())).toEqual(
    expect.arrayContaining(rows.map(({ serial }) => serial)),
  );
  expect(await acts(machine.id)).toMatchObject([
    {
      kind: "person.workstation-revoked",
      text: "admin@example.org revoked lab-07: stolen from the front desk",
      body: {
        actor: { id: "admin" },
        address: "10.0.0.9",
        before: { state: "enrolled" },
        after: { state: "revoked", certificates: rows.map(({ serial }) => serial).sort() },
      },
    },
  ]);
  await expect(as("admin").workstation.revoke(asked)).rejects.toThrow(/revoked already/);
  await expect(as("admin").workstation.move({ id: machine.id, name, group: groups.floor as GroupId })).rejects.toThrow(
    /revoked workstation cannot be moved/,
  );
  expect(await acts(machine.id)).toHaveLength(1);
});

test("a moved workstation gets a membership that it believes, then the new group's policy, by dispatch", async () => {
  const { machine, name } = await enrol("lab-08");
  await as("owner").policy.publish({
    group: groups.floor as GroupId,
    source: POLICY_TEMPLATE,
    message: "first",
    basedOn: 0,
  });
  const sent: Desired[] = [];
  const dispatch = policyDispatch({
    pool,
    log,
    shards: () => [machine.id.slice(0, 2)],
    publish: async (topic, text) => void (topic.includes(machine.id) && sent.push(Desired.parse(JSON.parse(text)))),
  });
  const running = new AbortController();
  const done = dispatch.run(running.signal);
  await vi.waitFor(() => expect(sent).toHaveLength(1), WAIT);
  const group = groups.floor as GroupId;
  const { order } = await as("admin").workstation.move({ id: machine.id, name, group });
  expect(order).toBeGreaterThan(1);
  dispatch.wake();
  await vi.waitFor(() => expect(sent).toHaveLength(2), WAIT);
  running.abort();
  await done;

  const publicKey = toBase64(consoleKey.publicKey);
  const signers: Signers = {
    threshold: 1,
    keys: [{ id: keyId(hash, consoleKey.publicKey), publicKey, role: "console" }],
  };
  const trust = { workstation: machine.id, group: groups.lab as GroupId, signers, now: Date.now() };
  const orders = { [`membership/workstation/${machine.id}`]: 1 };
  const [membership, policy] = sent[1]!.statements;
  const taken = verifyStatement(hash, verify, { ...trust, orders }, membership);
  if (!taken.ok) throw new Error(taken.error.reason);
  expect(Membership.parse(taken.value.carried)).toMatchObject({ group, groupName: "floor" });
  expect(verifyStatement(hash, verify, { ...trust, orders }, policy)).toMatchObject({ error: { code: "audience" } });
  expect(verifyStatement(hash, verify, { ...trust, group, orders }, policy).ok).toBe(true);
  expect(await acts(machine.id)).toMatchObject([
    { kind: "person.workstation-moved", body: { before: { group: groups.lab }, after: { group, order } } },
  ]);
});

test("a group that wants more signatures than the console's own is not left by the console alone", async () => {
  const { machine, name } = await enrol("lab-09");
  const strict = await seedGroup(pool, "two persons", consoleKey.publicKey);
  const foreign = await seedGroup(pool, "of other keys", new Uint8Array(32).fill(7));
  await pool.query('UPDATE "group" SET threshold = 2 WHERE id = $1', [strict]);
  await pool.query("UPDATE workstation SET group_id = $2 WHERE id = $1", [machine.id, strict]);
  const moving = (group: string) => as("owner").workstation.move({ id: machine.id, name, group: group as GroupId });
  await expect(moving(groups.floor)).rejects.toThrow(/needs 2 signatures/);
  await pool.query("UPDATE workstation SET group_id = $2 WHERE id = $1", [machine.id, groups.lab]);
  await expect(moving(foreign)).rejects.toThrow(/not among its signers/);
  await expect(moving(groups.lab)).rejects.toThrow(/in laboratory already/);
  expect(await acts(machine.id)).toEqual([]);
});

test("two moves at once end in one group, with an order each, and the rows agree with the newest statement", async () => {
  const { machine, name } = await enrol("lab-10");
  const other = await seedGroup(pool, "other", consoleKey.publicKey);
  const moving = [groups.floor, other].map((group) =>
    as("admin").workstation.move({ id: machine.id, name, group: group as GroupId }),
  );
  const orders = (await Promise.all(moving)).map(({ order }) => order).sort((a, b) => a - b);
  expect(new Set(orders).size).toBe(2);
  const { rows } = await pool.query<{ group_id: string; carried: string }>(
    `SELECT w.group_id, s.statement ->> 'carried' AS carried FROM workstation w
       JOIN workstation_statement s ON s.workstation_id = w.id AND s."order" = $2 WHERE w.id = $1`,
    [machine.id, orders[1]],
  );
  expect(JSON.parse(rows[0]!.carried).group).toBe(rows[0]!.group_id);
});

test("name and labels are changed and recorded with what they were; a name that changed meanwhile is a conflict", async () => {
  const { machine, name } = await enrol("lab-11");
  const { id } = machine;
  await as("admin").workstation.describe({ id, name, to: { name: "front desk", labels: ["canary", "floor:3"] } });
  expect((await pool.query("SELECT name, labels FROM workstation WHERE id = $1", [id])).rows).toEqual([
    { name: "front desk", labels: ["canary", "floor:3"] },
  ]);
  expect(await acts(id)).toMatchObject([
    {
      kind: "person.workstation-described",
      body: { before: { name, labels: ["old"] }, after: { name: "front desk" } },
    },
  ]);
  await expect(as("admin").workstation.revoke({ id, name, reason: "the wrong one" })).rejects.toThrow(
    /called front desk/,
  );
  const to = { name: "x\u202e", labels: ["UPPER"] };
  await expect(as("admin").workstation.describe({ id, name: "front desk", to })).rejects.toThrow(
    /holds the character U\+202E/,
  );
  await expect(
    as("admin").workstation.revoke({
      id: "00000000-0000-4000-8000-000000000000" as WorkstationId,
      name,
      reason: "none",
    }),
  ).rejects.toThrow(/no such workstation/);
});

test.each(["viewer", "responder", "auditor"] as const)("as %s nothing of it may be done", async (role) => {
  const { machine, name } = await enrol(`as-${role}`);
  const { id } = machine;
  const refused = new RegExp(`As ${role} you may not revoke, move and describe workstations`);
  const caller = as(role).workstation;
  await expect(caller.revoke({ id, name, reason: "because" })).rejects.toThrow(refused);
  await expect(caller.move({ id, name, group: groups.floor as GroupId })).rejects.toThrow(refused);
  await expect(caller.describe({ id, name, to: { name: "mine", labels: [] } })).rejects.toThrow(refused);
  expect((await pool.query("SELECT name, state, group_id FROM workstation WHERE id = $1", [id])).rows).toEqual([
    { name, state: "enrolled", group_id: groups.lab },
  ]);
});
