/** The test console's broker: TLS, client certificates, each workstation's own topics. It loses what it is told to, and its
 *  network goes away and comes back. */
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type Channel, readTopic } from "@sallyport/shared/wire/topics.ts";
import { Aedes, type Client } from "aedes";
import type { KeyFiles } from "../../../../packages/up/src/keys.ts";

export type BrokerParts = {
  keys: KeyFiles;
  ca: string;
  knows: (workstation: WorkstationId) => boolean;
  /** A batch is acknowledged, and gone. */
  losesBatch: () => boolean;
  maySubscribe: (channel: Channel) => boolean;
  heard: (workstation: WorkstationId, channel: Channel, bytes: Buffer) => void;
};

export async function startBroker({ keys, ca, knows, losesBatch, maySubscribe, heard }: BrokerParts) {
  const broker = await Aedes.createBroker({
    preConnect: (client, _packet, done) => done(null, knows(nameOf(client))),
    authorizePublish(client, packet, done) {
      const read = readTopic(packet.topic);
      if (!read.ok || read.value.workstation !== nameOf(client!)) return done(new Error("not yours"));
      if (read.value.channel === "batch" && losesBatch()) packet.topic = "lost";
      done(null);
    },
    authorizeSubscribe(client, subscription, done) {
      const read = readTopic(subscription.topic);
      const may = read.ok && read.value.workstation === nameOf(client) && maySubscribe(read.value.channel);
      done(null, may ? subscription : null);
    },
  });
  broker.subscribe(
    "sallyport/1/#",
    (packet, done) => {
      done();
      const read = readTopic(packet.topic);
      const bytes = packet.payload as Buffer;
      if (read.ok && bytes.length > 0) heard(read.value.workstation, read.value.channel, bytes);
    },
    () => {},
  );

  const sockets = new Set<TLSSocket>();
  const tls = {
    key: readFileSync(keys.broker.key),
    cert: readFileSync(keys.broker.cert),
    ca,
    requestCert: true,
    rejectUnauthorized: true,
  };
  const listen = (port: number): Promise<Server> => {
    const server = createServer(tls, (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket)).on("error", () => {});
      broker.handle(socket);
    });
    return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
  };
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;

  return {
    url: `mqtts://127.0.0.1:${port}`,
    publish(topic: string, payload: string, retain: boolean): void {
      broker.publish({ cmd: "publish", topic, payload: Buffer.from(payload), qos: 1, retain, dup: false }, () => {});
    },
    /** The network goes away in mid-stream, and comes back on the same port. */
    async cut(): Promise<() => Promise<void>> {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
      return async () => {
        server = await listen(port);
      };
    },
    async stop(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      server.close();
      await new Promise<void>((resolve) => broker.close(() => resolve()));
    },
  };
}

const nameOf = (client: Client): WorkstationId => {
  const subject = (client.conn as TLSSocket).getPeerCertificate()?.subject?.CN;
  return (typeof subject === "string" ? subject : "") as WorkstationId;
};
