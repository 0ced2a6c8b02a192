/** The console's package repository as a machine reaches it: what the console answers, over TLS, by apt's own addresses. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { servePackage } from "../../../apps/web/src/enrol/packages.ts";
import type { CertifiedKey } from "../../up/src/keys.ts";

/** Of a state folder; `origin` has no slash at its end. */
export async function serveState(state: string, { key, cert }: CertifiedKey) {
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, async (request, response) => {
    const name = new URL(request.url ?? "", "https://localhost").pathname.slice("/packages/".length);
    const answer = await servePackage(state, decodeURIComponent(name));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    // who goes away in the middle has its reason
    await pipeline(Readable.fromWeb(answer.body as ReadableStream), response).catch(() => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { origin: `https://localhost:${(server.address() as AddressInfo).port}`, close };
}
