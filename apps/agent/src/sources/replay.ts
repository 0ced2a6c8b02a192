/** A file that holds what a source would read → the observations it would spool. */
import { randomUUID } from "node:crypto";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { consoleDecoder, guestName } from "./console/source.ts";
import { EVE_LINE_BYTES_MAX } from "./eve/decode.ts";
import { decodeEvePiece } from "./eve/source.ts";
import type { Decode } from "./follow/reading.ts";
import { guestMap } from "./guest.ts";
import { splitter } from "./lines.ts";
import { unread } from "./syslog/connections.ts";
import { type Frame, frames } from "./syslog/frames.ts";
import { lineReader, type Origin } from "./syslog/record.ts";
import { ULOGD_LINE_BYTES_MAX } from "./ulogd/decode.ts";
import { decodeUlogdPiece } from "./ulogd/source.ts";

export const REPLAYED = ["syslog", "console", "eve", "ulogd", "snare"] as const;
export type Replayed = (typeof REPLAYED)[number];

/** Policy's default; there is no policy in a replay. */
const LINE_BYTES_MAX = 8_192;

type Reader = { push(chunk: Uint8Array): Iterable<Frame>; rest(): Frame[] };

/** In order, as the input comes. `file` is where a source would say it came from. */
export async function* replay(
  source: Replayed,
  file: string,
  input: AsyncIterable<Uint8Array>,
  now: () => number,
): AsyncGenerator<Observation> {
  const reader = readerOf(source);
  const decode = decoderOf(source, file);
  let of = "";
  const read = (frame: Frame): Observation[] => {
    if ("unread" in frame) {
      const lines = decode({ bytes: frame.bytes }, now());
      return lines.map((line) => (line.kind === "guest.log" ? unread(line, frame.unread) : line));
    }
    if (!frame.part) return decode({ bytes: frame.bytes }, now());
    if (frame.part.number === 1) of = randomUUID();
    return decode({ bytes: frame.bytes, part: { of, ...frame.part } }, now());
  };
  for await (const chunk of input) for (const frame of reader.push(chunk)) yield* read(frame);
  for (const frame of reader.rest()) yield* read(frame);
}

/** Syslog as a TCP connection would bring it, so that a capture of either framing can be read. */
function readerOf(source: Replayed): Reader {
  if (source === "syslog" || source === "snare") return frames(() => LINE_BYTES_MAX);
  const max = { eve: EVE_LINE_BYTES_MAX, ulogd: ULOGD_LINE_BYTES_MAX, console: LINE_BYTES_MAX }[source];
  const split = splitter({ lineBytesMax: () => max });
  return {
    push: (chunk) => split.push(chunk),
    rest: () => {
      const last = split.rest();
      return last ? [last] : [];
    },
  };
}

function decoderOf(source: Replayed, file: string): Decode {
  const guests = guestMap([]);
  if (source === "eve") return (piece, now) => decodeEvePiece(piece, file, now);
  if (source === "ulogd") return (piece, now) => decodeUlogdPiece(piece, file, now);
  const name = file.slice(file.lastIndexOf("/") + 1);
  if (source === "console") return consoleDecoder(file, guestName(name, "guest-*.log") ?? name, guests);
  const origin: Origin = { via: "file", from: file, guest: guests.bySocket(file) };
  const read = lineReader(origin, "any");
  return (piece, now) => [read(piece, now)];
}
