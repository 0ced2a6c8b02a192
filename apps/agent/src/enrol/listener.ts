/** agent ↔ the console's listener, HTTPS. Only the pinned CA is believed; the system's trust plays no part. */
import { createHash, X509Certificate } from "node:crypto";
import { request } from "node:https";
import { connect, type DetailedPeerCertificate } from "node:tls";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { ListenerError } from "@sallyport/shared/workstation/enrolment.ts";
import { EnrolmentError } from "./folder.ts";

const TIMEOUT_MS = 20_000;
const ANSWER_BYTES_MAX = 1024 * 1024;
const CHAIN_MAX = 8;

const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, "$1");

/** Fetches the CA that the token names: looks at the certificates the listener shows, believing none, and takes the
 *  one with that fingerprint. @throws EnrolmentError */
export function findCa(listener: string, fingerprint: Sha256): Promise<string> {
  const url = new URL(listener);
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostOf(url),
      port: Number(url.port || 443),
      ...(/^[\d.]+$|:/.test(hostOf(url)) ? {} : { servername: hostOf(url) }),
      rejectUnauthorized: false,
      timeout: TIMEOUT_MS,
    });
    const end = (act: () => void) => {
      socket.destroy();
      act();
    };
    socket.once("secureConnect", () => {
      const ca = chainOf(socket.getPeerCertificate(true)).find((raw) => fingerprintOf(raw) === fingerprint);
      end(() =>
        ca
          ? resolve(new X509Certificate(ca).toString())
          : reject(
              new EnrolmentError(
                `${url.host} is not the console that made this token: it does not show the CA with the fingerprint ${fingerprint.slice(0, 16)}…. Somebody may stand in between, or the console's keys were made anew; make a new token.`,
              ),
            ),
      );
    });
    socket.once("timeout", () => end(() => reject(new EnrolmentError(`${url.host} does not answer.`))));
    socket.once("error", (error) =>
      end(() => reject(new EnrolmentError(`${url.host} cannot be reached: ${error.message}`, { cause: error }))),
    );
  });
}

const fingerprintOf = (der: Uint8Array): string => createHash("sha256").update(der).digest("hex");

function chainOf(leaf: DetailedPeerCertificate): Buffer[] {
  const chain: Buffer[] = [];
  for (
    let at: DetailedPeerCertificate | undefined = leaf;
    at?.raw && chain.length < CHAIN_MAX;
    at = at.issuerCertificate
  ) {
    if (chain.some((each) => each.equals(at!.raw))) break;
    chain.push(at.raw);
  }
  return chain;
}

/** @throws EnrolmentError with the listener's own sentence where it refuses */
export function askListener(listener: string, cas: string[], path: string, body?: unknown): Promise<unknown> {
  const url = new URL(path, listener.endsWith("/") ? listener : `${listener}/`);
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const failed = (why: string, cause?: unknown) => reject(new EnrolmentError(`${url.host}: ${why}`, { cause }));
    const asked = request(
      url,
      {
        method: text === undefined ? "GET" : "POST",
        ca: cas,
        agent: false,
        timeout: TIMEOUT_MS,
        headers:
          text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let length = 0;
        answer.on("data", (chunk: Buffer) => {
          length += chunk.length;
          if (length > ANSWER_BYTES_MAX) asked.destroy(new Error("the answer is too long"));
          else chunks.push(chunk);
        });
        answer.on("error", (error) => failed(error.message, error));
        answer.on("end", () => {
          let json: unknown;
          try {
            json = JSON.parse(Buffer.concat(chunks).toString("utf8"));
          } catch {
            return failed(`the answer is no JSON (HTTP ${answer.statusCode})`);
          }
          if (answer.statusCode === 200) return resolve(json);
          const refusal = ListenerError.safeParse(json);
          failed(refusal.success ? refusal.data.error : `refused with HTTP ${answer.statusCode}`);
        });
      },
    );
    asked.on("timeout", () => asked.destroy(new Error("no answer")));
    asked.on("error", (error) => failed(error.message, error));
    asked.end(text);
  });
}
