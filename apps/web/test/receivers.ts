/** What alerts are sent to, in tests: a real HTTPS server and a real syslog receiver, over TLS or TCP. */
import { createServer, type Server as HttpsServer } from "node:https";
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTls } from "node:tls";

export type Certified = { key: Buffer; cert: Buffer };
export type Posted = { headers: Record<string, string | string[] | undefined>; body: string; path: string };
/** `after`: it answers once that has come. `endless`: what it says after the status has no end. */
export type Answer = {
  status?: number;
  headers?: Record<string, string>;
  delayMs?: number;
  after?: Promise<void>;
  endless?: boolean;
};

const listening = async (server: Server, port: number, host = "127.0.0.1"): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return (server.address() as AddressInfo).port;
};

/** `answer` is asked for each message, in order of their coming. */
export async function receiveWebhooks(
  tls: Certified,
  answer: (posted: Posted, at: number) => Answer = () => ({}),
  port = 0,
  host = "127.0.0.1",
) {
  const posted: Posted[] = [];
  const server: HttpsServer = createServer(tls, async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const one = { headers: request.headers, body, path: request.url ?? "" };
    posted.push(one);
    const { status = 204, headers = {}, delayMs = 0, after, endless = false } = answer(one, posted.length - 1);
    if (delayMs > 0) await delay(delayMs, undefined, { ref: false });
    await after;
    response.writeHead(status, headers);
    if (endless) response.write("and ");
    else response.end();
  });
  const bound = await listening(server, port, host);
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { posted, port: bound, url: `https://localhost:${bound}/in?k=1`, stop };
}

/** Frames by their octets. `cut`: how the connection is torn after it was read, with nothing said. */
export async function receiveSyslog({
  tls,
  cut = () => false,
}: {
  tls?: Certified;
  cut?: (connection: number) => boolean;
}) {
  const lines: string[] = [];
  let connections = 0;
  const sockets = new Set<Socket>();
  const take = (socket: Socket) => {
    const torn = cut(connections++);
    sockets.add(socket);
    let bytes = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (;;) {
        const [, length] = /^(\d{1,5}) /.exec(bytes.subarray(0, 6).toString("latin1")) ?? [];
        if (length === undefined || bytes.length < length.length + 1 + Number(length)) break;
        lines.push(bytes.subarray(length.length + 1, length.length + 1 + Number(length)).toString());
        bytes = bytes.subarray(length.length + 1 + Number(length));
      }
      if (torn) socket.resetAndDestroy();
    });
  };
  const server = tls ? createTls(tls, take) : createTcp(take);
  server.on("tlsClientError", () => undefined);
  const port = await listening(server, 0);
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { lines, port, stop, connections: () => connections };
}
