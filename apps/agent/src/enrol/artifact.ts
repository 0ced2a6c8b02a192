/** The console's listener → an artifact's bytes, by this workstation's certificate, from where an earlier fetch broke off.
 *  Nothing here is believed: who asked checks the sum. */
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { ListenerError } from "@sallyport/shared/workstation/enrolment.ts";
import { ArtifactError, type FetchArtifact, type Fetching, RangeRefused } from "../artifact/artifacts.ts";
import type { Tls } from "./folder.ts";

/** Nothing for so long: the console is gone. */
const IDLE_MS_MAX = 30_000;
const REFUSAL_BYTES_MAX = 64 * 1024;

export type Credentials = () => Tls & { cas: string[] };

export const fetchArtifact =
  (listener: string, credentials: Credentials): FetchArtifact =>
  (sha256: Sha256, from: number, signal: AbortSignal): Promise<Fetching> => {
    const url = new URL(`artifact/${sha256}`, listener.endsWith("/") ? listener : `${listener}/`);
    const { key, certificate, cas } = credentials();
    const failed = (error: unknown) =>
      new ArtifactError(`the console at ${url.host} does not send it: ${whyNot(error)}`, { cause: error });
    return new Promise((resolve, reject) => {
      const asked = request(
        url,
        {
          ...{ ca: cas, key, cert: certificate, agent: false, timeout: IDLE_MS_MAX, signal },
          headers: from > 0 ? { range: `bytes=${from}-` } : {},
        },
        (answer) => {
          begun(answer, from).then(
            ({ from: at, total }) => resolve({ from: at, total, chunks: chunksOf(answer, failed) }),
            (error: unknown) => {
              asked.destroy();
              reject(error instanceof ArtifactError ? error : failed(error));
            },
          );
        },
      );
      asked.on("timeout", () => asked.destroy(new Error(`nothing came for ${IDLE_MS_MAX / 1000} s`)));
      asked.on("error", (error) => reject(failed(error)));
      asked.end();
    });
  };

/** @throws ArtifactError with the console's own sentence where it refuses */
async function begun(answer: IncomingMessage, asked: number): Promise<{ from: number; total: number }> {
  const length = answer.headers["content-length"];
  if (answer.statusCode === 206) {
    const range = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15})$/.exec(answer.headers["content-range"] ?? "");
    if (range && Number(range[1]) === asked) return { from: asked, total: Number(range[2]) };
    throw new ArtifactError("the console answers with another part of it than it was asked for");
  }
  if (answer.statusCode === 200) {
    if (length === undefined || !/^\d{1,15}$/.test(length))
      throw new ArtifactError("the console does not say how long it is");
    return { from: 0, total: Number(length) };
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > REFUSAL_BYTES_MAX) break;
    chunks.push(chunk);
  }
  let said: unknown;
  try {
    said = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {} // not our answer, then
  const refusal = ListenerError.safeParse(said);
  const Refused = answer.statusCode === 416 ? RangeRefused : ArtifactError;
  throw new Refused(
    refusal.success
      ? `the console refuses: ${refusal.data.error.replace(/\.$/, "")}`
      : `the console refuses with HTTP ${answer.statusCode}`,
  );
}

async function* chunksOf(
  answer: IncomingMessage,
  failed: (error: unknown) => ArtifactError,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    // a stream that ends early is told by how much is missing
    if ((error as NodeJS.ErrnoException).code === "ECONNRESET") return;
    throw failed(error);
  }
}
