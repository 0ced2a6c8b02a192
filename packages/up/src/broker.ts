/** The embedded broker: agents and workers ↔ MQTT over TLS, client certificates required. A process of its own, so that
 *  it can die alone; what it holds (retained messages, wills) is in memory and a cache by design. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { BATCH_BYTES_MAX } from "@sallyport/shared/wire/batch.ts";
import { Aedes, type Client } from "aedes";
import pino from "pino";
import { z } from "zod";
import { mayPublish, maySubscribe, WORKER } from "./acl.ts";
import { keyFiles } from "./keys.ts";
import { Refusals } from "./refusals.ts";

/** A batch and its topic. What claims to be longer is cut off before its bytes are kept. */
const PACKET_BYTES_MAX = BATCH_BYTES_MAX + 1024;
/** One machine's broker; a larger fleet has one of its own (docs/operations.md). */
const CONNECTIONS_MAX = 10_000;
const KEEPALIVE_SECONDS_MAX = 300;
/** CONNACK's return code 5. */
const NOT_AUTHORIZED = 5;
const REVOKED_LOOK_MS = 1_000;
/** Of each sender who is refused, the worker hears so often at most. */
const REFUSALS_EVERY_MS = 1_000;

export type BrokerOptions = { stateFolder: string; host: string; port: number };

type Peer = { name: string; serial: string };
const peers = new WeakMap<Client, Peer>();
const log = pino({ name: "broker", level: process.env.SALLYPORT_LOG_LEVEL ?? "info" });

/** Serials (upper-case hex) of revoked certificates, as the worker writes them; absent means none. */
const Revoked = z.array(z.string());

/** Reads the file again when it changed. A file that cannot be read refuses everybody but the worker: fail closed. */
export function revokedReader(file: string): (serial: string) => boolean {
  let seen = "";
  let serials: Set<string> | "unreadable" = new Set();
  return (serial) => {
    try {
      const stat = statSync(file, { throwIfNoEntry: false });
      const stamp = stat ? `${stat.mtimeMs} ${stat.size} ${stat.ino}` : "none";
      if (stamp !== seen) {
        serials = new Set(stat ? Revoked.parse(JSON.parse(readFileSync(file, "utf8"))).map(canonicalSerial) : []);
        seen = stamp;
      }
    } catch (error) {
      log.error({ file, error: (error as Error).message }, "revoked.unreadable");
      seen = "";
      serials = "unreadable";
    }
    return serials === "unreadable" || serials.has(canonicalSerial(serial));
  };
}

const canonicalSerial = (serial: string): string => serial.toUpperCase().replace(/^0+/, "");

export async function startBroker({ stateFolder, host, port }: BrokerOptions) {
  const files = keyFiles(stateFolder);
  const isRevoked = revokedReader(join(stateFolder, "revoked.json"));
  const refusals = new Refusals();
  const refused = (peer: Peer) => peer.name !== "worker" && isRevoked(peer.serial);
  const broker = await Aedes.createBroker({
    keepaliveLimit: KEEPALIVE_SECONDS_MAX,
    preConnect(client, packet, done) {
      const peer = peerOf(client.conn as TLSSocket);
      peers.set(client, peer);
      // a client id is only unique per certificate, so that nobody throws another out by taking its id
      packet.clientId = `${peer.name}/${packet.clientId}`;
      // nothing is queued for who is away: an agent sends again from its last receipt, a worker asks rows
      packet.clean = true;
      done(null, true);
    },
    authenticate(client, _username, _password, done) {
      const peer = peers.get(client);
      const may = peer !== undefined && !refused(peer);
      log.info({ client: client.id, serial: peer?.serial }, may ? "client.connected" : "client.revoked");
      if (may) return done(null, true);
      done(Object.assign(new Error("the certificate is revoked"), { returnCode: NOT_AUTHORIZED }), false);
    },
    authorizePublish(client, packet, done) {
      const peer = client && peers.get(client);
      if (peer && mayPublish(peer.name, packet.topic) && !refused(peer)) return done(null);
      log.warn({ client: client?.id, topic: packet.topic }, "publish.refused");
      if (peer && !mayPublish(peer.name, packet.topic)) refusals.note(peer.name, packet.topic, packet.payload);
      done(new Error(`${peer?.name ?? "nobody"} may not publish to ${packet.topic}`));
    },
    authorizeSubscribe(client, subscription, done) {
      const peer = peers.get(client);
      if (peer && maySubscribe(peer.name, subscription.topic)) return done(null, subscription);
      log.warn({ client: client.id, topic: subscription.topic }, "subscribe.refused");
      done(null, null); // answered with 0x80, the connection stays
    },
  });
  broker.on("clientDisconnect", (client) => log.info({ client: client.id }, "client.gone"));
  broker.on("clientError", (client, error) => log.warn({ client: client.id, error: error.message }, "client.error"));
  broker.on("connectionError", (_, error) => log.warn({ error: error.message }, "connection.error"));

  const server = createServer({
    key: readFileSync(files.broker.key),
    cert: readFileSync(files.broker.cert),
    ca: readFileSync(files.ca),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    handshakeTimeout: 10_000,
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.on("secureConnection", (socket) => {
    socket.setNoDelay(true);
    bound(broker.handle(socket));
  });
  server.on("tlsClientError", (error, socket) =>
    log.warn({ address: socket.remoteAddress, error: error.message }, "tls.refused"),
  );
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  server.on("error", (error) => log.error({ error: error.message }, "server.error"));

  const look = setInterval(() => {
    for (const client of Object.values(clientsOf(broker))) {
      const peer = peers.get(client);
      if (peer && refused(peer)) client.close();
    }
  }, REVOKED_LOOK_MS);
  const handOver = setInterval(() => {
    for (const { topic, text } of refusals.take((filter) => isRead(broker, filter))) {
      const packet = { cmd: "publish", topic, payload: text, qos: 1, retain: false, dup: false } as const;
      broker.publish(packet, (error) => {
        if (error) log.error({ topic, error: error.message }, "refusal.lost");
      });
    }
  }, REFUSALS_EVERY_MS);
  const address = server.address();
  log.info({ address }, "broker.listening");
  const stop = async () => {
    clearInterval(look);
    clearInterval(handOver);
    server.close();
    await new Promise<void>((resolve) => broker.close(resolve));
  };
  return { port: address && typeof address === "object" ? address.port : port, stop };
}

function peerOf(socket: TLSSocket): Peer {
  const certificate = socket.getPeerCertificate();
  const name = certificate?.subject?.CN;
  return { name: typeof name === "string" ? name : "", serial: certificate?.serialNumber ?? "" };
}

/** aedes has no bound on a packet's size: its parser would gather up to 256 MiB. Its length is known after the first
 *  bytes, so it is looked at after each piece. The members are not part of its types; test/broker.test.ts holds them. */
function bound(client: Client): void {
  const { _parser: parser } = client as unknown as { _parser: Parser };
  const parse = parser.parse.bind(parser);
  parser.parse = (bytes) => {
    const rest = parse(bytes);
    if (parser.packet.length > PACKET_BYTES_MAX)
      parser.emit("error", new Error(`a packet of ${parser.packet.length} bytes; at most ${PACKET_BYTES_MAX}`));
    return rest;
  };
}
type Parser = { parse(bytes: Buffer): number; packet: { length: number }; emit(event: "error", error: Error): void };

/** Whether a worker hears what is published under that filter. */
const isRead = (broker: Aedes, filter: string): boolean =>
  Object.values(clientsOf(broker)).some(
    (client) =>
      peers.get(client)?.name === WORKER &&
      filter in (client as unknown as { subscriptions: Record<string, unknown> }).subscriptions,
  );

const clientsOf = (broker: Aedes): Record<string, Client> =>
  (broker as unknown as { clients: Record<string, Client> }).clients;

/** `SALLYPORT_STATE=… SALLYPORT_MQTT_PORT=… node packages/up/src/broker.ts` */
if (import.meta.main) {
  const stateFolder = process.env.SALLYPORT_STATE;
  if (!stateFolder) throw new Error("SALLYPORT_STATE must name the state folder that holds keys/.");
  const port = Number(process.env.SALLYPORT_MQTT_PORT ?? 8883);
  const host = process.env.SALLYPORT_BIND ?? "127.0.0.1";
  try {
    const broker = await startBroker({ stateFolder, host, port });
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => void broker.stop().then(() => process.exit(0)));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const taken = `Port ${port} is in use by another program: set SALLYPORT_MQTT_PORT to a free one.`;
    process.stderr.write(`${code === "EADDRINUSE" ? taken : message}\n`);
    process.exit(1);
  }
}
