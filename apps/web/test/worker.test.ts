/** The worker as a process of its own, against a real broker with TLS and a real Postgres: enrolment, evidence, policy. */
import "reflect-metadata";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as x509 from "@peculiar/x509";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import { Desired } from "@sallyport/shared/policy/statement.ts";
import { openReceipt, type Receipt } from "@sallyport/shared/trail/receipt.ts";
import { signValue } from "@sallyport/shared/trail/signed.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import { type EnrolAnswer, EnrolAnswer as EnrolAnswerShape } from "@sallyport/shared/workstation/enrolment.ts";
import mqtt from "mqtt";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ensureFirstGroup } from "../../../packages/up/src/group.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { sealWith, targetOf } from "../src/destination/seal.ts";
import { hash, readSigner, verify } from "../src/trail/crypto.ts";
import { Machine } from "./machine.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";
import { receiveWebhooks } from "./receivers.ts";
import { entriesOf } from "./stored.ts";
import { ensureKeys, startBroker } from "./up.ts";

const WORKER = fileURLToPath(new URL("../src/worker.ts", import.meta.url));
const stateFolder = mkdtempSync(join(tmpdir(), "sallyport-worker-"));
let postgres: TestPostgres;
let pool: pg.Pool;
let broker: Awaited<ReturnType<typeof startBroker>>;
let group: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = new pg.Pool({ connectionString: postgres.url, max: 3 });
  pool.on("error", () => undefined); // the server is stopped under it at the end
  const keys = await ensureKeys(stateFolder);
  group = await ensureFirstGroup(postgres.url, readSigner(readFileSync(keys.console)));
  broker = await startBroker({ stateFolder, host: "127.0.0.1", port: 0 });
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await broker?.stop();
  await pool?.end();
  await postgres?.stop();
  rmSync(stateFolder, { recursive: true, force: true });
});

const key = (name: string) => readFileSync(join(stateFolder, "keys", name));

type Running = { child: ChildProcess; port: number; log: () => string };

async function startWorkerProcess(): Promise<Running> {
  const child = spawn(process.execPath, [WORKER], {
    env: {
      ...process.env,
      DATABASE_URL: postgres.url,
      MQTT_URL: `mqtts://localhost:${broker.port}`,
      SALLYPORT_STATE: stateFolder,
      SALLYPORT_LISTEN_PORT: "0",
      SALLYPORT_BIND: "127.0.0.1",
      SALLYPORT_URL: "https://console.example.org",
      SALLYPORT_ALERT_NETWORKS: "127.0.0.0/8",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let text = "";
  child.stdout!.on("data", (bytes) => (text += bytes));
  child.stderr!.on("data", (bytes) => (text += bytes));
  await vi.waitFor(() => expect(text).toContain("worker.ready"), { timeout: 120_000 });
  return { child, port: Number(/"listenPort":(\d+)/.exec(text)![1]), log: () => text };
}

type Said = { status: number; body: string };
function ask(port: number, method: string, path: string, body?: unknown): Promise<Said> {
  const ca = readFileSync(join(stateFolder, "keys", "ca.crt"));
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, ca, agent: false }, (response) => {
      let text = "";
      response
        .on("data", (bytes) => (text += bytes))
        .on("end", () => resolve({ status: response.statusCode!, body: text }));
    });
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body));
  });
}

async function token(uses = 1): Promise<string> {
  const secret = randomBytes(32).toString("base64url");
  await pool.query(
    "INSERT INTO enrol_token (hash, group_id, labels, uses, expires) VALUES ($1, $2, '{lab}', $3, now() + interval '1 hour')",
    [createHash("sha256").update(secret).digest(), group, uses],
  );
  return secret;
}

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
type Tls = { csr: string; key: string };
async function tlsRequest(curve: "P-256" | "P-384" = "P-256"): Promise<Tls> {
  const algorithm = { ...P256, namedCurve: curve };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ["me"] }],
    keys,
    signingAlgorithm: algorithm,
  });
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { csr: csr.toString("pem"), key: x509.PemConverter.encode(der, "PRIVATE KEY") };
}

const hex = (text: string) => createHash("sha256").update(text).digest("hex");

function enrolment(machine: Machine, secret: string, csr: string, proofSecret = secret) {
  const trailKey = toBase64(machine.publicKey);
  const proof = signValue(hash, machine, "sallyport/enrolment/1", {
    csr: hex(csr),
    secret: hex(proofSecret),
    trailKey,
  });
  return { secret, csr, trailKey, hostname: "lab-7", agentVersion: "0.1.0", proof };
}

async function enrolMachine(port: number): Promise<{ machine: Machine; answer: EnrolAnswer; tls: Tls }> {
  const fresh = new Machine();
  const tls = await tlsRequest();
  const said = await ask(port, "POST", "/enrol", enrolment(fresh, await token(), tls.csr));
  expect(said.body).toContain("workstation");
  const answer = EnrolAnswerShape.parse(JSON.parse(said.body));
  const machine = Object.assign(fresh, { id: answer.workstation });
  return { machine, answer, tls };
}

function connect({ answer, tls }: { answer: EnrolAnswer; tls: Tls }) {
  return mqtt.connectAsync(`mqtts://localhost:${broker.port}`, {
    protocolVersion: 4,
    ca: answer.ca,
    cert: answer.certificate,
    key: tls.key,
    reconnectPeriod: 0,
  });
}

test("a machine enrols by token, sends evidence, gets receipts and its policy; a worker killed in mid-stream is taken over", async () => {
  await pool.query("INSERT INTO person_rate_limit (id, key, count, last_request) VALUES ('old', 'old', 1, 0)");
  const workers = [await startWorkerProcess(), await startWorkerProcess()];
  const counters = async () => (await pool.query("SELECT 1 FROM person_rate_limit")).rowCount;
  await vi.waitFor(async () => expect(await counters()).toBe(0), { timeout: 60_000 });
  const enrolled = await enrolMachine(workers[0]!.port);
  const { machine, answer } = enrolled;
  const agent = await connect(enrolled);
  const receipts: Receipt[] = [];
  let desired: Desired | undefined;
  agent.on("message", (at, bytes) => {
    if (at.endsWith("/desired")) desired = Desired.parse(JSON.parse(bytes.toString()));
    if (!at.endsWith("/receipt")) return;
    const read = openReceipt(verify, Buffer.from(answer.consoleKeys[0]!, "base64"), bytes.toString());
    if (read.ok) receipts.push(read.value);
  });
  await agent.subscribeAsync([topic(machine.id, "receipt"), topic(machine.id, "desired")], { qos: 1 });
  const presence = { session: machine.session, state: "online", at: new Date().toISOString(), agentVersion: "0.1.0" };
  await agent.publishAsync(topic(machine.id, "presence"), JSON.stringify(presence), { qos: 1, retain: true });
  await vi.waitFor(() => expect(desired?.statements.length).toBe(2), { timeout: 20_000 });
  machine.open();
  for (let at = 0; at < 999; at++) machine.say({ text: `line ${at}` });
  let killed = false;
  const end = Date.now() + 60_000;
  for (let from = 0; from < 1000 && Date.now() < end; ) {
    await agent.publishAsync(topic(machine.id, "batch"), Buffer.from(machine.batch(from, from + 50)), { qos: 1 });
    const sent = from + 50;
    await vi
      .waitFor(() => expect(receipts.at(-1)?.size ?? 0).toBeGreaterThanOrEqual(sent), { timeout: 1_000 })
      .catch(() => undefined);
    from = receipts.at(-1)?.size ?? 0; // go back to the last receipt
    if (from >= 500 && !killed) {
      killed = true;
      workers[0]!.child.kill("SIGKILL");
    }
  }
  expect(receipts.at(-1)).toMatchObject({ size: 1000, safe: 1000 });
  expect(await entriesOf(pool, machine.trail)).toEqual(machine.records.map(({ entry }) => entry));
  const { rows } = await pool.query("SELECT presence_state, last_receipt_at FROM workstation WHERE id = $1", [
    machine.id,
  ]);
  expect(rows[0].presence_state).toBe("online");
  expect(rows[0].last_receipt_at).not.toBeNull();
  const acts = await pool.query("SELECT text FROM record WHERE kind = 'console.enrolled'");
  expect(acts.rows[0].text).toContain(machine.id);
  await agent.endAsync(true);
  workers[1]!.child.kill("SIGTERM");
  await vi.waitFor(() => expect(workers[1]!.child.exitCode).toBe(0), { timeout: 15_000 });
});

test("what one machine publishes as another reaches nothing, and stands in quarantine with an alert", async () => {
  const { port, child } = await startWorkerProcess();
  const [victim, forger] = [await enrolMachine(port), await enrolMachine(port)];
  const [one, two] = [victim.machine.id, forger.machine.id];
  victim.machine.open();
  const batch = Buffer.from(victim.machine.batch(0, 1));
  const agent = await connect(forger);
  agent.publish(topic(one, "batch"), batch, { qos: 1 });
  const refused = async () => {
    const { rows } = await pool.query("SELECT * FROM quarantine WHERE workstation_id = $1", [two]);
    expect(rows).toHaveLength(1);
    return rows[0];
  };
  const row = await vi.waitFor(refused, { timeout: 60_000 });
  expect(row).toMatchObject({ code: "topic", topic: topic(one, "batch"), size: batch.length });
  expect(row.reason).toContain(`workstation ${two} tried to publish as ${one}`);
  expect(row.bytes).toEqual(batch);
  const alerts = await pool.query("SELECT kind, reason FROM alert WHERE workstation_id = $1", [two]);
  expect(alerts.rows).toEqual([
    { kind: "ingest.refused", reason: expect.stringContaining(`tried to publish as ${one}`) },
  ]);
  const trails = await pool.query("SELECT 1 FROM trail WHERE workstation_id = $1", [one]);
  expect(trails.rowCount).toBe(0);
  agent.end(true);
  child.kill("SIGKILL");
});

test("what is refused lies in quarantine once, with how often it came, if the broker delivers it again", async () => {
  const { port, child } = await startWorkerProcess();
  const sender = await enrolMachine(port);
  const { id } = sender.machine;
  const agent = await connect(sender);
  const kept = async (text: string) => {
    const { rows } = await pool.query("SELECT code, again FROM quarantine WHERE workstation_id = $1 AND bytes = $2", [
      id,
      Buffer.from(text),
    ]);
    return rows;
  };
  // until the one killed before is known to be gone, nobody reads them
  const isRead = async () => {
    await agent.publishAsync(topic(id, "batch"), "is anybody there", { qos: 1 });
    expect(await kept("is anybody there")).toHaveLength(1);
  };
  await vi.waitFor(isRead, { timeout: 60_000, interval: 200 });
  // the later ones as a client sends them that has heard nothing of the first
  for (const dup of [false, true, true]) await agent.publishAsync(topic(id, "batch"), "no batch", { qos: 1, dup });
  await vi.waitFor(async () => expect(await kept("no batch")).toEqual([{ code: "malformed", again: 2 }]), {
    timeout: 60_000,
  });
  agent.end(true);
  child.kill("SIGKILL");
});

test("an alert that is raised is sent at once, with the secret that the console sealed", async () => {
  const tls = { key: key("listener.key"), cert: key("listener.crt") };
  const receiver = await receiveWebhooks(tls);
  const { child, log } = await startWorkerProcess();
  const id = randomUUID();
  const target = targetOf({ kind: "webhook", url: receiver.url, ca: key("ca.crt").toString().trim() });
  await pool.query(
    "INSERT INTO destination (id, name, kind, shown, sealed, severity, added_by) VALUES ($1, 'chat', 'webhook', '', $2, 3, 'ada')",
    [id, sealWith(key("session.secret").toString().trim()).seal(id, target)],
  );
  await vi.waitFor(() => expect(log()).toContain("broker.connected"), { timeout: 60_000 });
  await pool.query(
    `WITH raised AS (INSERT INTO alert (key, kind, severity, title, reason) VALUES ('k', 'usb.scan', 4, 'a stick', 'infected'))
     SELECT pg_notify('alert', '')`,
  );
  await vi.waitFor(() => expect(receiver.posted).toHaveLength(1), { timeout: 60_000 });
  expect(JSON.parse(receiver.posted[0]!.body).text).toMatch(
    /^\[error\] a stick: infected\nhttps:\/\/console\.example\.org\/alerts\?open=\d+$/,
  );
  await vi.waitFor(async () => expect((await pool.query("SELECT 1 FROM delivery")).rowCount).toBe(0), {
    timeout: 60_000,
  });
  child.kill("SIGTERM");
  await vi.waitFor(() => expect(child.exitCode).toBe(0), { timeout: 15_000 });
  await receiver.stop();
});

test("a token is used once, expires, and refuses a request that is not signed by the keys it names", async () => {
  const { port, child } = await startWorkerProcess();
  const machine = new Machine();
  const tls = await tlsRequest();
  const secret = await token();
  const ok = await Promise.all([1, 2, 3].map(() => ask(port, "POST", "/enrol", enrolment(machine, secret, tls.csr))));
  expect(ok.map(({ status }) => status).sort()).toEqual([200, 403, 403]);
  const { csr: wide } = await tlsRequest("P-384");
  const cases: [unknown, number, RegExp][] = [
    [enrolment(machine, "x".repeat(43), tls.csr), 403, /used up, revoked or has expired/],
    [enrolment(machine, await token(), wide), 400, /not a P-256 key/],
    [enrolment(machine, await token(), tls.csr.replace(/[A-Za-z]{8}/, "AAAAAAAA")), 400, /PKCS #10|own key/],
    [enrolment(machine, await token(), tls.csr, "another"), 400, /not signed by the trail key/],
    ["{", 400, /no JSON/],
    ["x".repeat(70_000), 413, /at most/],
    [{}, 400, /cannot be read/],
  ];
  for (const [body, status, words] of cases) {
    const said = await ask(port, "POST", "/enrol", body);
    expect([said.status, JSON.parse(said.body).error]).toEqual([status, expect.stringMatching(words)]);
  }
  expect((await ask(port, "GET", "/")).status).toBe(404);

  // a machine that came in now would not hear of the approvers that are about to be
  const waiting = await token();
  const { rows } = await pool.query<{ id: string }>(
    `INSERT INTO proposal (id, group_id, kind, text, message, subject, act, asked_by, asked_at, expires)
     SELECT gen_random_uuid(), group_id, 'signers', 'x', 'x', 'x', '{}', 'x', now(), now() + interval '1 hour'
       FROM enrol_token LIMIT 1 RETURNING id`,
  );
  const held = await ask(port, "POST", "/enrol", enrolment(machine, waiting, tls.csr));
  expect([held.status, JSON.parse(held.body).error]).toEqual([
    409,
    expect.stringMatching(/approvers are about to change/),
  ]);
  // and once that has run out, the worker says so, and the token, which was not used, is good
  await pool.query("UPDATE proposal SET expires = now() WHERE id = $1", [rows[0]!.id]);
  expect((await ask(port, "POST", "/enrol", enrolment(machine, waiting, tls.csr))).status).toBe(200);
  child.kill("SIGKILL");
  const again = await startWorkerProcess();
  await vi.waitFor(
    async () => {
      const { rows: ended } = await pool.query("SELECT state FROM proposal WHERE id = $1", [rows[0]!.id]);
      expect(ended).toEqual([{ state: "expired" }]);
    },
    { timeout: 60_000 },
  );
  again.child.kill("SIGKILL");
});

test("a certificate is renewed by proof of the key, a nonce works once, and a revoked machine is refused and listed", async () => {
  const { port, child } = await startWorkerProcess();
  const { machine, answer } = await enrolMachine(port);
  const tls = await tlsRequest();
  const renewal = (nonce: string, key: Machine = machine) => {
    const proof = signValue(hash, key, "sallyport/renewal/1", { workstation: machine.id, csr: hex(tls.csr), nonce });
    return { workstation: machine.id, csr: tls.csr, proof };
  };
  const nonce = async (): Promise<string> => JSON.parse((await ask(port, "GET", "/renew/nonce")).body).nonce;
  const first = await nonce();
  const renewed = await ask(port, "POST", "/renew", renewal(first));
  expect(renewed.status).toBe(200);
  expect(new x509.X509Certificate(JSON.parse(renewed.body).certificate).subject).toBe(`CN=${machine.id}`);
  expect((await ask(port, "POST", "/renew", renewal(first))).body).toMatch(/used before/);
  expect(
    (await ask(port, "POST", "/renew", renewal("1.0000000000000000.00000000000000000000000000000000"))).status,
  ).toBe(409);
  expect((await ask(port, "POST", "/renew", renewal(await nonce(), new Machine()))).status).toBe(403);
  await pool.query("UPDATE workstation SET state = 'revoked' WHERE id = $1", [machine.id]);
  expect((await ask(port, "POST", "/renew", renewal(await nonce()))).body).toMatch(/revoked/);
  const crl = new x509.X509Crl((await ask(port, "GET", "/crl")).body);
  const serial = new x509.X509Certificate(answer.certificate).serialNumber;
  expect(crl.entries.map(({ serialNumber }) => serialNumber)).toContain(serial);
  await vi.waitFor(
    () => expect(JSON.parse(readFileSync(join(stateFolder, "revoked.json"), "utf8"))).toContain(serial.toUpperCase()),
    {
      timeout: 10_000,
    },
  );
  child.kill("SIGKILL");
});
