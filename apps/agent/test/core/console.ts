/** A small true console: a broker with TLS and client certificates, a listener, and a store in memory that verifies
 *  everything and accepts by the shared rule. What it can do wrong it does only when a test asks it to. */
import {
  createPrivateKey,
  createPublicKey,
  hash as digest,
  randomBytes,
  randomUUID,
  sign,
  verify as verifySignature,
  X509Certificate,
} from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTls, type TLSSocket, type Server as TlsServer } from "node:tls";
import { zstdDecompressSync } from "node:zlib";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { fromBase64, fromHex, toBase64, toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, Sha256, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { type SignedStatement, type Signers, signStatement } from "@sallyport/shared/policy/statement.ts";
import { commitment } from "@sallyport/shared/record/content.ts";
import { Reported } from "@sallyport/shared/state/reported.ts";
import { accept } from "@sallyport/shared/trail/accept.ts";
import { openCheckpoint, origin } from "@sallyport/shared/trail/checkpoint.ts";
import { type Entry, leafHash } from "@sallyport/shared/trail/entry.ts";
import { type Receipt, signReceipt } from "@sallyport/shared/trail/receipt.ts";
import { isSignedBy, keyId, type Signed, type Signer } from "@sallyport/shared/trail/signed.ts";
import { appendAll, type Edge, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import { decodeBatch } from "@sallyport/shared/wire/batch.ts";
import { readTopic, topic } from "@sallyport/shared/wire/topics.ts";
import { EnrolRequest, printToken, RenewRequest } from "@sallyport/shared/workstation/enrolment.ts";
import { Aedes, type Client } from "aedes";
import { ensureKeys } from "../../../../packages/up/src/keys.ts";

export const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(digest("sha256", bytes, "buffer"));
const SPKI = Buffer.from("302a300506032b6570032100", "hex");
export const verify = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean =>
  verifySignature(
    null,
    bytes,
    createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: "der", type: "spki" }),
    signature,
  );

export type Stored = {
  entry: Entry;
  text: string;
  content: { text: string; body: Record<string, unknown> } | undefined;
};
export type Trail = { id: TrailId; edge: Edge; leaves: Uint8Array[]; records: Stored[]; closed: boolean };
type Known = { id: WorkstationId; trailKey: Uint8Array; certificate: string };

export type Console = Awaited<ReturnType<typeof startConsole>>;

export function signerOf(pem: string): Signer {
  const key = createPrivateKey(pem);
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
  return { publicKey: new Uint8Array(publicKey), sign: (bytes) => sign(null, bytes, key) };
}

export async function startConsole() {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-console-"));
  const keys = await ensureKeys(folder);
  const signer = signerOf(readFileSync(keys.console, "utf8"));
  const ca = readFileSync(keys.ca, "utf8");
  const group = randomUUID() as GroupId;
  const signers = {
    threshold: 1,
    keys: [{ id: keyId(sha256, signer.publicKey), publicKey: toBase64(signer.publicKey), role: "console" as const }],
  };

  const known = new Map<WorkstationId, Known>();
  const trails = new Map<TrailId, Trail>();
  const newest = new Map<WorkstationId, TrailId>();
  const reported = new Map<WorkstationId, Reported>();
  const desired = new Map<WorkstationId, { statements: SignedStatement[] }>();
  const refusals: string[] = [];
  const console = {
    folder,
    group,
    signer,
    trails,
    newest,
    reported,
    refusals,
    epoch: 0,
    /** Signs receipts. */
    receiptSigner: signer,
    /** What time receipts say it is. */
    clock: () => new Date(),
    /** Answered to whoever asks; while false nothing is stored and nothing is answered. */
    awake: true,
    /** How likely a batch that the broker acknowledged is lost behind it; where it is above 0 the first one always is. */
    loseShare: 0,
    /** The broker knows no overlays. */
    oldRules: false,
    lostBatches: 0,
    batches: 0,
    certificateSeconds: 3600,
    /** Safe lags behind size by this many records. */
    safeLag: 0,
    receipt,
    say,
    publishPolicy,
    sendDesired,
    /** All that it should have taken, in this order. */
    send: (workstation: WorkstationId, statements: SignedStatement[]) => {
      desired.set(workstation, { statements });
      sendDesired(workstation);
    },
    /** Not retained: an order that is not heard is sent again. */
    sendCommand: (workstation: WorkstationId, statement: SignedStatement) =>
      send(topic(workstation, "command"), JSON.stringify(statement), false),
    /** Who may sign for it from here on, and how many of them must. */
    sendMembership: (workstation: WorkstationId, keys: Signers["keys"], threshold: number) => {
      const statement = signStatement(
        sha256,
        [signer],
        { type: "membership", audience: { workstation }, order: 2, issued: new Date().toISOString() },
        { workstation, group, groupName: "all", signers: { threshold, keys } },
      );
      desired.set(workstation, { statements: [statement] });
      sendDesired(workstation);
    },
    token,
    cut,
    stop,
    records,
    statement: (more: Parameters<typeof signStatement>[2], carried: unknown, by: Signer = signer) =>
      signStatement(sha256, [by], more, carried),
  };

  const isLost = () => console.loseShare > 0 && (console.lostBatches === 0 || Math.random() < console.loseShare);

  // the broker
  const broker = await Aedes.createBroker({
    preConnect: (client, _packet, done) => done(null, known.has(nameOf(client) as WorkstationId)),
    authorizePublish(client, packet, done) {
      const read = readTopic(packet.topic);
      if (!read.ok || read.value.workstation !== nameOf(client!)) return done(new Error("not yours"));
      // acknowledged, and gone
      if (read.value.channel === "batch" && isLost()) {
        console.lostBatches++;
        packet.topic = "lost";
      }
      done(null);
    },
    authorizeSubscribe(client, subscription, done) {
      const read = readTopic(subscription.topic);
      const isOld = console.oldRules && read.ok && read.value.channel === "overlay";
      done(null, read.ok && read.value.workstation === nameOf(client) && !isOld ? subscription : null);
    },
  });
  const sockets = new Set<TLSSocket>();
  const tls = {
    key: readFileSync(keys.broker.key),
    cert: readFileSync(keys.broker.cert),
    ca,
    requestCert: true,
    rejectUnauthorized: true,
  };
  const listen = (port: number): Promise<TlsServer> => {
    const server = createTls(tls, (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket)).on("error", () => {});
      broker.handle(socket);
    });
    return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
  };
  let server = await listen(0);
  const mqttPort = (server.address() as AddressInfo).port;

  broker.subscribe(
    "sallyport/1/#",
    (packet, done) => {
      done();
      const read = readTopic(packet.topic);
      if (!read.ok || !console.awake) return;
      const { workstation, channel } = read.value;
      const bytes = packet.payload as Buffer;
      if (bytes.length === 0) return;
      if (channel === "batch") offer(workstation, bytes);
      else if (channel === "presence") present(workstation, JSON.parse(bytes.toString()));
      else if (channel === "reported") takeReport(workstation, JSON.parse(bytes.toString()));
    },
    () => {},
  );

  function offer(workstation: WorkstationId, bytes: Uint8Array): void {
    console.batches++;
    const batch = decodeBatch((packed, max) => zstdDecompressSync(packed, { maxOutputLength: max }), bytes);
    if (!batch.ok) return void refusals.push(batch.error);
    const { header, records: lines } = batch.value;
    let trail = trails.get(header.trail);
    const first = JSON.parse(lines[0]!.entry) as Entry;
    if (!trail && header.from === 0 && first.kind === "trail.opened") {
      const body = JSON.parse(lines[0]!.content!).body as { trail: TrailId; previous?: { trail: TrailId } };
      if (body.trail !== header.trail) return void refusals.push("the trail is not the one it says");
      trail = { id: header.trail, edge: EMPTY_EDGE, leaves: [], records: [], closed: false };
      trails.set(trail.id, trail);
      newest.set(workstation, trail.id);
      const previous = body.previous && trails.get(body.previous.trail);
      if (previous) previous.closed = true;
    }
    if (!trail) {
      say(workstation, { trail: header.trail, size: 0, root: rootOf(EMPTY_EDGE), safe: 0, answer: "ahead" });
      return;
    }
    const name = origin(workstation, trail.id);
    const checkpoint = openCheckpoint(sha256, verify, name, known.get(workstation)!.trailKey, header.checkpoint);
    if (!checkpoint.ok) return void refusals.push(checkpoint.error);
    for (const { entry, salt, content } of lines) {
      if (!salt || content === undefined) continue;
      if (toHex(commitment(sha256, salt, toUtf8(content))) !== (JSON.parse(entry) as Entry).content)
        return void refusals.push("a content is not what its entry commits to");
    }
    const leaves = lines.map(({ entry }) => leafHash(sha256, entry));
    const answer = accept(
      sha256,
      trail.edge,
      { from: header.from, leaves, checkpoint: checkpoint.value },
      trail.leaves.slice(header.from),
    );
    if (answer.answer === "fork") refusals.push(answer.reason);
    if (answer.answer === "new") {
      trail.edge = answer.edge;
      trail.leaves.push(...leaves.slice(answer.skip));
      trail.records.push(
        ...lines.slice(answer.skip).map(({ entry, content }) => ({
          entry: JSON.parse(entry) as Entry,
          text: entry,
          content: content === undefined ? undefined : JSON.parse(content),
        })),
      );
    }
    receipt(workstation, trail.id, answer.answer);
  }

  function present(workstation: WorkstationId, { state }: { state: string }): void {
    if (state !== "online") return;
    const trail = newest.get(workstation);
    if (trail) receipt(workstation, trail, "stand");
    sendDesired(workstation);
  }

  function takeReport(workstation: WorkstationId, signed: Signed): void {
    const ok = isSignedBy(verify, known.get(workstation)!.trailKey, "sallyport/reported/1", signed);
    if (!ok) return void refusals.push("a report that its trail's key did not sign");
    reported.set(workstation, Reported.parse(JSON.parse(signed.text)));
  }

  function receipt(workstation: WorkstationId, id: TrailId, answer: Receipt["answer"]): void {
    const { edge } = trails.get(id)!;
    const safe = Math.max(0, edge.size - console.safeLag);
    say(workstation, { trail: id, size: edge.size, root: rootOf(edge), safe, answer });
  }

  function say(
    workstation: WorkstationId,
    more: Omit<Receipt, "workstation" | "epoch" | "time"> & Partial<Receipt>,
    by: Signer = console.receiptSigner,
  ): void {
    const signed = signReceipt(sha256, by, {
      workstation,
      epoch: console.epoch,
      time: console.clock().toISOString(),
      ...more,
    });
    send(topic(workstation, "receipt"), JSON.stringify(signed), false);
  }

  function send(to: string, payload: string, retain: boolean): void {
    broker.publish({ cmd: "publish", topic: to, payload: Buffer.from(payload), qos: 1, retain, dup: false }, () => {});
  }

  const rootOf = (edge: Edge): Sha256 => toHex(root(sha256, edge)) as Sha256;

  let order = 0;
  function publishPolicy(
    workstation: WorkstationId,
    policy: unknown,
    more: { order?: number; group?: GroupId; by?: Signer } = {},
  ): string {
    const whole = Policy.parse(policy);
    const of = more.group ?? group;
    order = more.order ?? order + 1;
    const carried = { group: of, digest: policyDigest(sha256, whole), policy: whole };
    const statement = signStatement(
      sha256,
      [more.by ?? signer],
      { type: "policy", audience: { group: of }, order, issued: new Date().toISOString() },
      carried,
    );
    desired.set(workstation, { statements: [statement] });
    sendDesired(workstation);
    return carried.digest;
  }

  function sendDesired(workstation: WorkstationId): void {
    const wanted = desired.get(workstation);
    if (wanted) send(topic(workstation, "desired"), JSON.stringify(wanted), true);
  }

  // the listener
  const secrets = new Set<string>();
  const nonces = new Set<string>();
  const https = createHttps(
    { key: readFileSync(keys.listener.key), cert: readFileSync(keys.listener.cert) + ca },
    (request, answer) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", async () => {
        const reply = (status: number, body: unknown) =>
          answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
        try {
          if (request.url === "/renew/nonce") {
            const nonce = randomBytes(16).toString("hex");
            nonces.add(nonce);
            return reply(200, { nonce });
          }
          const body = JSON.parse(Buffer.concat(chunks).toString());
          if (request.url === "/enrol") return reply(200, await enrol(EnrolRequest.parse(body)));
          if (request.url === "/renew") return reply(200, await renew(RenewRequest.parse(body)));
          reply(404, { error: "There is no such page.", code: "not-found" });
        } catch (error) {
          reply(403, { error: (error as Error).message, code: "refused" });
        }
      });
    },
  );
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  const listener = `https://127.0.0.1:${(https.address() as AddressInfo).port}`;

  async function enrol(asked: EnrolRequest): Promise<unknown> {
    if (!secrets.delete(asked.secret)) throw new Error("This token was used already, or has run out. Make a new one.");
    const trailKey = fromBase64(asked.trailKey);
    const proof = JSON.parse(asked.proof.text);
    if (
      !isSignedBy(verify, trailKey, "sallyport/enrolment/1", asked.proof) ||
      proof.csr !== toHex(sha256(toUtf8(asked.csr)))
    ) {
      throw new Error("The proof does not hold.");
    }
    const id = randomUUID() as WorkstationId;
    const certificate = await certify(asked.csr, id);
    known.set(id, { id, trailKey, certificate });
    const membership = signStatement(
      sha256,
      [signer],
      { type: "membership", audience: { workstation: id }, order: 1, issued: new Date().toISOString() },
      { workstation: id, group, groupName: "all", signers },
    );
    desired.set(id, { statements: [membership] });
    const mqtt = `mqtts://127.0.0.1:${mqttPort}`;
    return { workstation: id, certificate, ca, mqtt, consoleKeys: [toBase64(signer.publicKey)], membership };
  }

  async function renew(asked: RenewRequest): Promise<unknown> {
    const of = known.get(asked.workstation);
    const proof = JSON.parse(asked.proof.text);
    if (!of || !nonces.delete(proof.nonce) || !isSignedBy(verify, of.trailKey, "sallyport/renewal/1", asked.proof)) {
      throw new Error("The proof does not hold.");
    }
    return { certificate: await certify(asked.csr, asked.workstation), ca };
  }

  async function certify(csr: string, id: WorkstationId): Promise<string> {
    const request = new x509.Pkcs10CertificateRequest(csr);
    if (!(await request.verify())) throw new Error("The request is not signed by its key.");
    const pkcs8 = createPrivateKey(readFileSync(keys.caKey)).export({ format: "der", type: "pkcs8" });
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const signingKey = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [id] }],
      issuer: new x509.X509Certificate(ca).subjectName.toJSON(),
      serialNumber: randomBytes(15).toString("hex").replace(/^./, "1"),
      notBefore: new Date(Date.now() - 1000),
      notAfter: new Date(Date.now() + console.certificateSeconds * 1000),
      publicKey: request.publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
    });
    return certificate.toString("pem");
  }

  function token(): string {
    const secret = randomBytes(32).toString("base64url");
    secrets.add(secret);
    return printToken({ url: listener, ca: toHex(sha256(new X509Certificate(ca).raw)) as Sha256, secret });
  }

  /** The network goes away in mid-stream, and comes back on the same port. */
  async function cut(): Promise<() => Promise<void>> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
    return async () => {
      server = await listen(mqttPort);
    };
  }

  async function stop(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    server.close();
    https.closeAllConnections();
    https.close();
    await new Promise<void>((resolve) => broker.close(() => resolve()));
  }

  /** All records of all trails of a workstation in the order of their trails. */
  function records(kind?: string): Stored[] {
    return [...trails.values()].flatMap((trail) => trail.records).filter(({ entry }) => !kind || entry.kind === kind);
  }

  return console;
}

const nameOf = (client: Client): string => {
  const subject = (client.conn as TLSSocket).getPeerCertificate()?.subject?.CN;
  return typeof subject === "string" ? subject : "";
};

export const emptyRoot = toHex(sha256(new Uint8Array(0))) as Sha256;
export { appendAll, fromHex };
