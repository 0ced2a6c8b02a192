/** One open file being read from a place on → parcels, each with the place behind it. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay, setImmediate as othersFirst } from "node:timers/promises";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { OpenFile } from "../../dom0/dom0.ts";
import { type Piece, splitter } from "../lines.ts";
import { type Outlet, PARCEL_OBSERVATIONS_MAX } from "../source.ts";
import { BEFORE_BYTES, bytesBefore, type Place } from "./place.ts";

/** A read that comes back full makes the next one larger: a quiet file costs little memory, a busy one few syncs. */
const READ_BYTES_MIN = 16 * 1024;
const READ_BYTES_MAX = 512 * 1024;
/** A read may hold thousands of lines: after so many of them whatever else waits in this process has its turn. */
const PIECES_AT_ONCE = 512;
/** A file of which limits hold back most is read more slowly, so that counting it does not take the time of others. */
const HELD_PAUSE_MS = 40;

export type FollowedPiece = { bytes: Buffer; part?: { of: string; number: number; last: boolean } };
export type Decode = (piece: FollowedPiece, now: number) => Observation[];

export type ReadingOptions = {
  name: string;
  decode: Decode;
  lineBytesMax: () => number;
  now: () => number;
  outlet: Outlet;
};

export type Reading = {
  file(): OpenFile;
  place(): Place;
  /** `end`: nothing more now. `cut`: what was read is no longer there. */
  drain(signal: AbortSignal): Promise<{ stop: "end" | "cut"; moved: boolean }>;
  /** Goes on in a copy of the same bytes. */
  moveTo(file: OpenFile, device: string, inode: string): void;
  /** Whether the file holds the bytes that stand before our place. */
  continues(file: OpenFile): Promise<boolean>;
  /** The file is over: its unfinished last line becomes a record, and `next` the place. */
  finish(next: Place, more?: readonly Observation[]): Promise<void>;
};

export function reading(
  first: OpenFile,
  from: Place,
  { name, decode, lineBytesMax, now, outlet }: ReadingOptions,
): Reading {
  let file = first;
  let place = from;
  let at = from.offset;
  let before: Buffer = Buffer.from(from.before, "base64");
  const split = splitter({ lineBytesMax, parts: from.long?.parts ?? 0, start: from.offset });

  const continues = async (other: OpenFile) => before.equals(await other.read(at - before.length, before.length));

  /** Puts the id of its long line to a piece, and says what the place behind it knows of that line. */
  const read = (piece: Piece): { observations: Observation[]; long: Place["long"] } => {
    if (!piece.part) return { observations: decode({ bytes: piece.bytes }, now()), long: null };
    const of = place.long?.of ?? randomUUID();
    const observations = decode({ bytes: piece.bytes, part: { of, ...piece.part } }, now());
    return { observations, long: piece.part.last ? null : { of, parts: piece.part.number } };
  };

  /** `window` holds the file's bytes from `windowAt` on. */
  const emit = async (pieces: Iterable<Piece>, window: Buffer, windowAt: number) => {
    let waiting: Observation[] = [];
    let moved = false;
    let count = 0;
    let held = 0;
    const flush = async () => {
      held += (await outlet.emit({ observations: waiting, position: { name, value: place } })).suppressed;
      waiting = [];
    };
    for (const piece of pieces) {
      if (++count % PIECES_AT_ONCE === 0) await othersFirst();
      const { observations, long } = read(piece);
      if (observations.length === 0) held++;
      if (waiting.length + observations.length > PARCEL_OBSERVATIONS_MAX) await flush();
      waiting.push(...observations);
      moved = true;
      const end = piece.end - windowAt;
      const seen = window.toString("base64", Math.max(0, end - BEFORE_BYTES), end);
      place = { ...place, offset: piece.end, before: seen, long };
    }
    if (moved) await flush();
    if (held * 2 > count) await delay(HELD_PAUSE_MS);
  };

  return {
    file: () => file,
    place: () => place,
    continues,
    async drain(signal) {
      let size = READ_BYTES_MIN;
      for (let moved = false; ; moved = true) {
        const windowAt = at - before.length;
        const window = bufferOf(await file.read(windowAt, size));
        if (!window.subarray(0, before.length).equals(before)) return { stop: "cut", moved };
        const chunk = window.subarray(before.length);
        if (chunk.length === 0 || signal.aborted) return { stop: "end", moved };
        if (window.length === size) size = Math.min(size * 4, READ_BYTES_MAX);
        at += chunk.length;
        before = Buffer.from(bytesBefore(before, chunk, chunk.length));
        await emit(split.push(chunk), window, windowAt);
      }
    },
    moveTo(other, device, inode) {
      file = other;
      place = { ...place, device, inode };
    },
    async finish(next, more = []) {
      const rest = split.rest();
      const observations = [...(rest ? read(rest).observations : []), ...more];
      await outlet.emit({ observations, position: { name, value: next } });
    },
  };
}

const bufferOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
