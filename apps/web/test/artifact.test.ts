/** Artifacts from `sallyport artifact …` over the console's route into pieces, and out of the listener to whoever shows a
 *  workstation's certificate. */
import "reflect-metadata";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import * as x509 from "@peculiar/x509";
import { Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { respondArtifact } from "../src/artifact/respond.ts";
import { beginArtifact, listMissing } from "../src/artifact/store.ts";
import { Slots } from "../src/export/slots.ts";
import { openAuthority, readRequest } from "../src/listener/authority.ts";
import { startListener } from "../src/listener/listener.ts";
import type { Actor } from "../src/person/actor.ts";
import { makeToken, type Scope } from "../src/person/api-token.ts";
import { hash, readSigner } from "../src/trail/crypto.ts";
import { readConsoleKey } from "../src/trail/key.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { RUNS_MS_MAX, runSallyport } from "./command-line.ts";
import { Machine } from "./machine.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedPartition } from "./seed.ts";
import { ensureKeys } from "./up.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-artifact-"));
const key = (name: string) => readFileSync(join(folder, "keys", name));
const rules = (sid: number) => `alert udp any any -> any any (msg:"a"; sid:${sid};)\n`;
const sum = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

let postgres: TestPostgres;
let pool: pg.Pool;
let server: Server;
let url: string;
let group: string;
let listener: Awaited<ReturnType<typeof startListener>>;
let authority: Awaited<ReturnType<typeof openAuthority>>;
let tokens: { read: string; write: string; viewer: string };
let actor: Actor | undefined;

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  await ensureKeys(folder);
  const consoleKey = readConsoleKey(join(folder, "keys", "console.key"));
  group = await seedGroup(pool, "floor", consoleKey.publicKey);
  const person = async (id: string, role: string, scopes: Scope[]) => {
    await pool.query(
      "INSERT INTO person (id, name, email, role) VALUES ($1, $1, $1 || '@example.org', $2::role) ON CONFLICT DO NOTHING",
      [id, role],
    );
    return (await makeToken(pool, { person: id, name: "t", scopes, days: 1 })).token;
  };
  tokens = {
    read: await person("nora", "admin", ["artifact:read"]),
    write: await person("nora", "admin", ["artifact:read", "artifact:write"]),
    viewer: await person("vic", "viewer", ["artifact:read", "artifact:write"]),
  };
  const parts = { pool, recordConsole: consoleRecorder(consoleKey), artifactSlots: new Slots(1) };
  server = createServer(async (incoming, outgoing) => {
    const asked = new Request(new URL(incoming.url ?? "/", url), {
      method: incoming.method ?? "GET",
      headers: { ...(incoming.headers as Record<string, string>), "x-forwarded-for": "192.0.2.9" },
      ...(incoming.method === "POST" && { body: Readable.toWeb(incoming) as ReadableStream, duplex: "half" }),
    } as RequestInit);
    const path = new URL(asked.url).pathname.split("/api/artifact")[1]!.split("/").filter(Boolean);
    const response = await respondArtifact(parts, async () => actor, asked, path);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  authority = await openAuthority(key("ca.crt").toString(), key("ca.key").toString());
  const log = pino({ level: "silent" });
  listener = await startListener(
    { pool, signer: readSigner(key("console.key")), authority, mqttUrl: "mqtts://x:1", now: () => new Date(), log },
    { key: key("listener.key"), cert: Buffer.concat([key("listener.crt"), key("ca.crt")]) },
    "127.0.0.1",
    0,
  );
});
afterAll(async () => {
  await listener?.stop();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
  await pool?.end();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const sallyport = (token: string, ...args: string[]) =>
  runSallyport({ token, environment: { SALLYPORT_URL: url } }, "artifact", ...args);
const file = (name: string, bytes: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const acts = async () =>
  (
    await pool.query<{ kind: string; content: Buffer }>(
      "SELECT kind, content FROM record WHERE received > now() - interval '1 hour' AND kind LIKE 'person.artifact%' ORDER BY index",
    )
  ).rows.map(({ kind, content }) => ({ kind, ...JSON.parse(content.toString()) }));

type Got = { status: number; bytes: Buffer; headers: Record<string, unknown> };
type Certificate = { key: string; cert: string };
function fetchFrom(path: string, certificate?: Certificate, range?: string): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        ...{ host: "127.0.0.1", port: listener.port, path, ca: key("ca.crt"), agent: false, ...certificate },
        headers: range ? { range } : {},
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks), headers: response.headers }),
        );
      },
    );
    asked.on("error", reject).end();
  });
}

async function enrolled(): Promise<{ id: string; certificate: Certificate }> {
  const machine = new Machine();
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({ name: [], keys, signingAlgorithm: algorithm });
  const read = await readRequest(csr.toString("pem"));
  if (!read.ok) throw new Error(read.error);
  const issued = await authority.issue(read.value, machine.id, new Date());
  await pool.query(
    `INSERT INTO workstation (id, shard, name, hostname, group_id, labels, trail_key, agent_version)
     VALUES ($1::uuid, substr($1::text, 1, 2), 'ws', 'ws', $2, '{}', $3, 'test')`,
    [machine.id, group, machine.publicKey],
  );
  await pool.query("INSERT INTO certificate (serial, workstation_id, not_before, not_after) VALUES ($1, $2, $3, $4)", [
    ...[issued.serial, machine.id, issued.notBefore, issued.notAfter],
  ]);
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    id: machine.id,
    certificate: { key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`, cert: issued.pem },
  };
}

test("a file goes in by the command line and is on the trail; the same bytes again are no second one", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const added = await sallyport(tokens.write, "add", file("site.rules", rules(1)));
  expect(added.err).toBe("");
  expect(added.out).toContain(`ids:\n  rules: ${sum(rules(1))}`);
  expect((await sallyport(tokens.write, "add", file("again.rules", rules(1)))).out).toMatch(
    /^Already there: site\.rules/,
  );
  const listed = JSON.parse((await sallyport(tokens.read, "list", "--json")).out);
  expect(listed).toMatchObject([
    {
      sha256: sum(rules(1)),
      kind: "suricata-rules",
      name: "site.rules",
      facts: { rules: 1 },
      addedBy: "nora@example.org",
      groups: [],
    },
  ]);
  expect(await acts()).toMatchObject([
    {
      kind: "person.artifact-added",
      text: expect.stringContaining("nora@example.org added the artifact site.rules"),
      body: {
        actor: { id: "nora", token: expect.any(String) },
        address: "192.0.2.9",
        subject: `artifact/${sum(rules(1))}`,
        after: { name: "site.rules", sha256: sum(rules(1)), facts: { rules: 1 } },
      },
    },
  ]);
});

test("who may not add, and what is none, is refused in words and leaves nothing behind", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const good = file("other.rules", rules(2));
  expect(await sallyport(tokens.read, "add", good)).toMatchObject({
    code: 1,
    err: expect.stringContaining('no scope "artifact:write"'),
  });
  expect(await sallyport(tokens.viewer, "add", good)).toMatchObject({
    code: 1,
    err: expect.stringContaining("As viewer you may not"),
  });
  expect(await sallyport(tokens.write, "add", file("bad.rules", "<html>\n"))).toMatchObject({
    code: 3,
    err: expect.stringContaining("This is no rule set. Line 1 begins with no action"),
  });
  expect(await sallyport(tokens.write, "add", file("x.docx", "a"))).toMatchObject({
    code: 1,
    err: expect.stringContaining("neither a rule set"),
  });
  expect(await sallyport(tokens.write, "add", join(folder, "gone.rules"))).toMatchObject({
    code: 1,
    err: expect.stringContaining("cannot be read"),
  });
  const { rows } = await pool.query("SELECT name FROM artifact WHERE name <> 'site.rules'");
  expect(rows).toEqual([]);
});

test("a page's upload goes by its session, and only from our own pages", { timeout: RUNS_MS_MAX }, async () => {
  const send = (headers: Record<string, string>, body: string, name = "page.hdb") =>
    fetch(`${url}/api/artifact?kind=clamav-definitions&name=${name}`, { method: "POST", headers, body });
  const definition = `${"a".repeat(32)}:68:Site.One\n`;
  expect((await send({ "sec-fetch-site": "same-origin" }, definition)).status).toBe(401);
  actor = { id: "nora", email: "nora@example.org", name: "nora", role: "admin", session: "s", twoFactor: true };
  expect((await send({ "sec-fetch-site": "cross-site" }, definition)).status).toBe(403);
  const taken = await send({ "sec-fetch-site": "same-origin" }, definition);
  expect(await taken.json()).toMatchObject({ known: false, sha256: sum(definition), facts: { signatures: 1 } });
  actor = undefined;
});

test("an upload that breaks off in the middle is no artifact, and what it left goes", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const body = new ReadableStream({
    start: (at) => at.enqueue(randomBytes(3 * 1024 * 1024)),
    pull: (at) => at.error(new Error("cable")),
  });
  const headers = { authorization: `Bearer ${tokens.write}`, "content-length": String(9 * 1024 * 1024) };
  const parts = { pool, recordConsole: async () => undefined, artifactSlots: new Slots(1) };
  const sent = new Request(`${url}/api/artifact?kind=clamav-definitions&name=cut.cvd`, {
    ...{ method: "POST", headers, body, duplex: "half" },
  } as RequestInit);
  expect((await respondArtifact(parts, async () => undefined, sent, [])).ok).toBe(false);
  expect((await pool.query("SELECT 1 FROM artifact WHERE name = 'cut.cvd'")).rowCount).toBe(0);
  // and one whose process was killed
  const asked = { kind: "clamav-definitions", by: "nora", bytesMax: 10 } as const;
  const left = await beginArtifact(pool, { ...asked, name: "left.hdb" });
  await pool.query("UPDATE artifact SET added_at = now() - interval '2 days' WHERE id = $1", [left]);
  await beginArtifact(pool, { ...asked, name: "next.hdb" });
  expect((await pool.query("SELECT name FROM artifact WHERE sha256 IS NULL")).rows).toEqual([{ name: "next.hdb" }]);
});

test("a workstation fetches what it is named, from where it broke off; nobody else does", {
  timeout: RUNS_MS_MAX,
}, async () => {
  const { id, certificate } = await enrolled();
  const body = randomBytes(2_600_000);
  const head = Buffer.alloc(512, " ");
  head.write(`ClamAV-VDB:23 Nov 2026 08-25 +0000:27500:12:90:${createHash("md5").update(body).digest("hex")}:x:b:1`);
  const whole = Buffer.concat([head, body]);
  const added = JSON.parse((await sallyport(tokens.write, "add", "--json", file("daily.cvd", whole))).out);
  expect(added).toMatchObject({ sha256: sum(whole), bytes: whole.length, facts: { version: "27500" } });
  const path = `/artifact/${added.sha256}`;

  const got = await fetchFrom(path, certificate);
  expect(got.status).toBe(200);
  expect(sum(got.bytes)).toBe(added.sha256);
  const rest = await fetchFrom(path, certificate, "bytes=1500000-");
  expect(rest).toMatchObject({
    status: 206,
    headers: { "content-range": `bytes 1500000-${whole.length - 1}/${whole.length}` },
  });
  expect(rest.bytes.equals(whole.subarray(1_500_000))).toBe(true);
  expect((await fetchFrom(path, certificate, "bytes=99999999-")).status).toBe(416);
  expect((await fetchFrom(`/artifact/${"0".repeat(64)}`, certificate)).status).toBe(404);
  expect((await fetchFrom("/artifact/..%2f..", certificate)).status).toBe(404);

  expect((await fetchFrom(path)).bytes.toString()).toMatch(/for enrolled workstations/);
  const strangers = (await openAuthority(...(await strangeCa()))) as typeof authority;
  const strange = await certificateOf(strangers, id);
  expect((await fetchFrom(path, strange)).status).toBe(403);
  const consoles = { key: key("worker.key").toString(), cert: key("worker.crt").toString() };
  expect((await fetchFrom(path, consoles)).status).toBe(403);
  await pool.query("UPDATE workstation SET state = 'revoked' WHERE id = $1", [id]);
  expect((await fetchFrom(path, certificate)).status).toBe(403);
});

async function strangeCa(): Promise<[string, string]> {
  const other = mkdtempSync(join(folder, "other-"));
  await ensureKeys(other);
  return [readFileSync(join(other, "keys", "ca.crt"), "utf8"), readFileSync(join(other, "keys", "ca.key"), "utf8")];
}

async function certificateOf(by: typeof authority, id: string): Promise<Certificate> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({ name: [], keys, signingAlgorithm: algorithm });
  const read = await readRequest(csr.toString("pem"));
  if (!read.ok) throw new Error(read.error);
  const { pem } = await by.issue(read.value, id as never, new Date());
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`, cert: pem };
}

test("what a group's policy names cannot be taken away", { timeout: RUNS_MS_MAX }, async () => {
  const policy = Policy.parse({
    ids: { rules: sum(rules(1)) },
    usb: { definitions: [{ name: "gone.hdb", sha256: "0".repeat(64) }] },
  });
  const digest = policyDigest(hash, policy);
  await pool.query(
    "INSERT INTO revision (digest, canonical, source, author, message) VALUES ($1, $2, '', 'nora', 'm')",
    [digest, JSON.stringify(policy)],
  );
  await pool.query(
    `INSERT INTO publication (group_id, "order", digest, statement, published_by) VALUES ($1, 1, $2, '{}', 'nora')`,
    [group, digest],
  );
  expect(await sallyport(tokens.write, "remove", sum(rules(1)))).toMatchObject({
    code: 3,
    err: expect.stringContaining("The policy of floor names it"),
  });
  expect(await listMissing(pool)).toEqual([
    { group: "floor", sha256: "0".repeat(64), what: "the definitions gone.hdb" },
  ]);
  await pool.query("DELETE FROM publication");
  expect(await sallyport(tokens.write, "remove", sum(rules(1)))).toMatchObject({
    code: 0,
    out: "Removed site.rules.\n",
  });
  expect((await acts()).at(-1)).toMatchObject({
    kind: "person.artifact-removed",
    body: { before: { name: "site.rules", sha256: sum(rules(1)) } },
  });
  expect((await sallyport(tokens.write, "remove", sum(rules(1)))).err).toContain("There is no such artifact");
  const pieces = await pool.query(
    "SELECT 1 FROM artifact_piece p LEFT JOIN artifact a ON a.id = p.artifact WHERE a.id IS NULL",
  );
  expect(pieces.rowCount).toBe(0);
});
