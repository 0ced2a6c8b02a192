/** One message → one HTTPS POST, to an address that was checked. A redirect is followed nowhere. */
import { type Agent, request } from "node:https";
import { isIP } from "node:net";
import { getCACertificates } from "node:tls";
import { checkedAddresses, toOneOf } from "./address.ts";
import type { Target } from "./destination.ts";
import { type Message, webhookBody } from "./message.ts";
import { retryAfterMs } from "./pace.ts";
import type { Outcome, SendDeps } from "./send.ts";
import { signed } from "./sign.ts";

type Webhook = Extract<Target, { kind: "webhook" }>;

const ANSWER_BYTES_MAX = 65_536;
/** For what follows the status, which is what counts. */
const ANSWER_MS_MAX = 1_000;

/** @throws what the network or TLS says */
export async function postOne(
  { may, resolve }: SendDeps,
  { url: text, secret, ca }: Webhook,
  message: Message,
  signal: AbortSignal,
  agent: Agent,
): Promise<Outcome> {
  const url = new URL(text);
  const name = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const way = { host: name, port: url.port || 443, ...toOneOf(await checkedAddresses(name, may, resolve)) };
  const body = webhookBody(message);
  const { status, retryAfter } = await new Promise<{ status: number; retryAfter: string | undefined }>(
    (settle, reject) => {
      const sent = request(
        {
          ...way,
          path: url.pathname + url.search,
          method: "POST",
          ...(isIP(name) === 0 && { servername: name }),
          ...(ca !== undefined && { ca: [...getCACertificates("default"), ca] }),
          headers: {
            host: url.host,
            "content-type": "application/json",
            "content-length": Buffer.byteLength(body),
            "user-agent": "sallyport",
            ...signed(secret, message.id, Math.floor(Date.now() / 1_000), body),
          },
          agent,
          signal,
        },
        (response) => {
          const { statusCode: status = 0, headers } = response;
          settle({ status, retryAfter: headers["retry-after"] });
          const late = setTimeout(() => response.destroy(), ANSWER_MS_MAX);
          let bytes = 0;
          response.on("data", (chunk: Buffer) => {
            bytes += chunk.length; // read so that the connection can be used again, and looked at by nobody
            if (bytes > ANSWER_BYTES_MAX) response.destroy();
          });
          response.on("error", () => undefined); // the status has come
          response.once("close", () => clearTimeout(late));
        },
      );
      sent.on("error", reject);
      sent.end(body);
    },
  );
  if (status >= 200 && status < 300) return { ok: true };
  const askedMs = retryAfterMs(retryAfter, Date.now());
  if (status >= 300 && status < 400)
    return { ok: false, reason: `It answered ${status}, a redirect to elsewhere, which is not followed.` };
  return { ok: false, reason: `It answered ${status}.`, refused: [400, 413, 415, 422].includes(status), askedMs };
}
