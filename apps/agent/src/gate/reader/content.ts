/** Content → md5, sha256, media type and the scanner's answer, all from one pass over the bytes. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Stream } from "./archives/member.ts";
import { isStream } from "./archives/member.ts";
import type { Answer, ScanStream } from "./clamd.ts";
import type { Order } from "./events.ts";
import { isPassedOver, NEUTRAL, START_BYTES } from "./passed-over.ts";
import { CHUNK_BYTES, Damaged, LimitReached, type Source } from "./source.ts";
import { asking } from "./tray.ts";

/** Asks clamd for one file, unless there is none, it is beyond its limits, or it has stopped answering. */
export type Ask = {
  /** `vouched`: the scanner has called what these bytes lie in clean, and looks into that. */
  begin(size: number | null, vouched?: boolean): Question;
};
export type Question = { write(chunk: Buffer): Promise<void>; finish(): Promise<Answer>; abandon(): void };

/** After so many time-outs or refusals in a row the scanner is taken for gone. */
const GONE_AFTER = 3;

export function asker(clamd: Order["clamd"], alive: boolean, fileMs: number): Ask {
  const ask = clamd && asking(clamd.socket, clamd.tray);
  let failures = 0;
  return {
    begin(size, vouched = false) {
      if (clamd === null || ask === null || !alive) return said({ answer: "unsaid", detail: "no scanner" });
      if (failures >= GONE_AFTER) return said({ answer: "gone", detail: "the scanner has stopped answering" });
      const tooLong: Answer = {
        answer: "limit",
        detail: `larger than the scanner's limit of ${clamd.fileBytes} bytes`,
      };
      if (size === 0) return said({ answer: "clean" });
      if (size !== null && size > clamd.fileBytes) return said(tooLong);
      const started = Date.now();
      const stream = vouched ? VOUCHED : ask(fileMs);
      let sent = 0;
      return {
        async write(chunk) {
          sent += chunk.length;
          if (sent > clamd.fileBytes) stream.abandon();
          else await stream.write(chunk);
        },
        async finish() {
          if (sent === 0 && size === null) {
            stream.abandon();
            return { answer: "clean" };
          }
          if (sent > clamd.fileBytes) return tooLong;
          const answer = await stream.finish();
          failures = answer.answer === "gone" ? failures + 1 : 0;
          if (answer.answer === "clean" && Date.now() - started >= clamd.scanMs) {
            return { answer: "limit", detail: "the scanner reached its limit of time" };
          }
          return answer;
        },
        abandon: () => stream.abandon(),
      };
    },
  };
}

const VOUCHED: ScanStream = { write: async () => {}, finish: async () => ({ answer: "clean" }), abandon() {} };
const said = (answer: Answer): Question => ({ write: async () => {}, finish: async () => answer, abandon() {} });

export type Seen = { size: number; md5: string; sha256: string; head: Buffer; answer: Answer };

/** Read into again and again: fresh memory for each chunk is most of what collecting garbage costs. */
const rooms: Buffer[] = [];

/** A chunk's bytes may be others once the next one is asked for. */
export async function* chunksOf(content: Source | Stream): AsyncGenerator<Buffer> {
  if (isStream(content)) return yield* content.chunks();
  const room = content.size <= CHUNK_BYTES / 4 ? undefined : (rooms.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES));
  try {
    for (let at = 0; at < content.size; at += CHUNK_BYTES)
      yield content.read(at, Math.min(CHUNK_BYTES, content.size - at), room);
  } finally {
    if (room) rooms.push(room);
  }
}

/** `each` sees every chunk before it is hashed, and may throw to end it.
 *  @throws Damaged, LimitReached */
export async function look(
  content: Source | Stream,
  size: number | null,
  ask: Ask,
  headBytes: number,
  each: (chunk: Buffer, head: Buffer) => Promise<void>,
  vouched = false,
): Promise<Seen> {
  const md5 = createHash("md5");
  const sha256 = createHash("sha256");
  const claimed = isStream(content) ? undefined : content.sum;
  let sum = 0;
  const total = isStream(content) ? size : content.size;
  const question = ask.begin(total, vouched);
  // of what the scanner would pass over it is asked twice
  let again: Question | null = null;
  let start: Buffer | null = Buffer.alloc(0);
  const decide = async (from: Buffer) => {
    start = null;
    if (!isPassedOver(from)) return;
    again = ask.begin(total === null ? null : total + NEUTRAL.length);
    await again.write(NEUTRAL);
    await again.write(from);
  };
  let head = Buffer.alloc(0);
  let bytes = 0;
  try {
    for await (const chunk of chunksOf(content)) {
      bytes += chunk.length;
      if (head.length < headBytes) {
        const more = chunk.subarray(0, headBytes - head.length);
        head = head.length === 0 ? Buffer.from(more) : Buffer.concat([head, more]);
      }
      await each(chunk, head);
      md5.update(chunk);
      sha256.update(chunk);
      if (claimed !== undefined) sum = crc32(chunk, sum);
      await question.write(chunk);
      if (start === null) await (again as Question | null)?.write(chunk);
      else if (start.length + chunk.length < START_BYTES) start = Buffer.concat([start, chunk]);
      else await decide(start.length === 0 ? chunk : Buffer.concat([start, chunk]));
    }
    if (start !== null) await decide(start);
    if (claimed !== undefined && sum !== claimed) throw new Damaged("does not match its checksum");
    const first = await question.finish();
    const second = again as Question | null;
    if (first.answer !== "clean") second?.abandon();
    const answer = second === null || first.answer !== "clean" ? first : await second.finish();
    return { size: bytes, md5: md5.digest("hex"), sha256: sha256.digest("hex"), head, answer };
  } catch (error) {
    question.abandon();
    (again as Question | null)?.abandon();
    throw error;
  }
}

export const isMediumsFault = (error: unknown): error is Error =>
  error instanceof Damaged || error instanceof LimitReached || error instanceof RangeError;
