/** Agents ↔ HTTPS with our own certificate: enrolment, renewal, the list of revoked certificates, and artifacts for those
 *  who show a workstation's certificate. No browser comes here. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { fromUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { Logger } from "pino";
import { type Answer, json, refuse } from "./answer.ts";
import { artifactSender, isArtifact } from "./artifact.ts";
import { type EnrolDeps, enrol } from "./enrol.ts";
import { limiter } from "./limit.ts";
import { nonces, type RenewDeps, renew } from "./renew.ts";
import { listRevoked } from "./revoked.ts";

/** A request with its certificate request and proof is a tenth of this. */
const BODY_BYTES_MAX = 64 * 1024;
const CONNECTIONS_MAX = 1_000;
const REQUEST_MS_MAX = 15_000;
/** For one address: a site behind one gateway enrols some machines a minute; guessing tokens needs far more. */
const LIMITS = { burst: 60, perMinute: 60 };

export type ListenerDeps = EnrolDeps & RenewDeps & { log: Logger };
export type Tls = { key: Buffer; cert: Buffer };

export async function startListener(
  deps: ListenerDeps,
  tls: Tls,
  host: string | undefined,
  port: number,
): Promise<{ port: number; stop(): Promise<void> }> {
  const may = limiter(LIMITS);
  const sendArtifact = artifactSender(deps);
  const server = createServer(
    {
      ...tls,
      // asked for and not insisted on: who enrols or renews has none that holds
      ca: deps.authority.ca,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: "TLSv1.2",
      handshakeTimeout: 10_000,
      requestTimeout: REQUEST_MS_MAX,
      headersTimeout: 10_000,
      maxHeaderSize: 8_192,
    },
    (request, response) => {
      // a certificate stands before each artifact, so that a whole site may fetch from behind one address
      const fetches = request.method === "GET" && isArtifact(request.url ?? "");
      (fetches ? sendArtifact(request, response) : answerTo(deps, may, request)).then(
        (answer) => answer !== "sent" && send(response, answer),
        (error: Error) => {
          deps.log.error({ path: request.url, error: error.message }, "listener.failed");
          send(
            response,
            refuse(
              503,
              "unavailable",
              "The console cannot answer now: its database is away or busy. Try again in a minute.",
            ),
          );
        },
      );
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.on("tlsClientError", (error) => deps.log.debug({ error: error.message }, "listener.tls"));
  await listen(server, host, port);
  server.on("error", (error) => deps.log.error({ error: error.message }, "listener.error"));
  const address = server.address();
  return {
    port: address && typeof address === "object" ? address.port : port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const listen = (server: Server, host: string | undefined, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });

async function answerTo(
  deps: ListenerDeps,
  may: ReturnType<typeof limiter>,
  request: IncomingMessage,
): Promise<Answer> {
  const address = request.socket.remoteAddress ?? "";
  const path = (request.url ?? "").split("?")[0];
  const route = `${request.method} ${path}`;
  const now = deps.now();
  if (!may(address, now.getTime()))
    return refuse(429, "too-many", "Too many requests from this address. Wait a minute and try again.");
  switch (route) {
    case "POST /enrol": {
      const body = await readBody(request);
      if (!body.ok) return body.answer;
      const answer = await enrol(deps, body.value, address);
      deps.log.info({ address, status: answer.status }, "enrol.answered");
      return answer;
    }
    case "GET /renew/nonce":
      return json({ nonce: nonces(deps.signer).make(now.getTime()) });
    case "POST /renew": {
      const body = await readBody(request);
      if (!body.ok) return body.answer;
      const answer = await renew(deps, body.value);
      deps.log.info({ address, status: answer.status }, "renew.answered");
      return answer;
    }
    case "GET /crl": {
      const text = await deps.authority.crl(await listRevoked(deps.pool), now);
      return { status: 200, type: "application/x-pem-file", text: `${text}\n` };
    }
    default:
      return refuse(404, "not-found", "Agents enrol and renew here; people find the console at its own address.");
  }
}

async function readBody(
  request: IncomingMessage,
): Promise<{ ok: true; value: unknown } | { ok: false; answer: Answer }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX)
      return { ok: false, answer: refuse(413, "too-large", `A request is at most ${BODY_BYTES_MAX} bytes.`) };
    chunks.push(chunk);
  }
  try {
    return { ok: true, value: JSON.parse(fromUtf8(Buffer.concat(chunks))) };
  } catch {
    return { ok: false, answer: refuse(400, "malformed", "The request's body is no JSON.") };
  }
}

function send(response: ServerResponse, { status, type, text }: Answer): void {
  response.writeHead(status, {
    "content-type": type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}
