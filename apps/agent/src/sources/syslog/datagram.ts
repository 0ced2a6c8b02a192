/** Datagrams → guest.log, in parcels, at the spool's pace. One datagram is one line, however long. */
import { randomUUID } from "node:crypto";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { splitter } from "../lines.ts";
import { emitAll } from "../parcel.ts";
import { type Outlet, PARCEL_OBSERVATIONS_MAX } from "../source.ts";
import type { Expected } from "./claims.ts";
import type { LossCounter } from "./loss.ts";
import type { Mailbox } from "./mailbox.ts";
import { lineReader, type Origin } from "./record.ts";

/** Datagrams waiting for the spool; its limit per guest comes after. */
export const DATAGRAMS_BYTES_MAX = 8 * 1024 * 1024;
export const LOSS_EVERY_MS = 10_000;

export type Datagram = { bytes: Buffer; origin: Origin };

/** One line ending at the end is the sender's habit; others inside stay in the line. */
export function readDatagram({ bytes, origin }: Datagram, expected: Expected, lineBytesMax: number, now: number) {
  const line = bytes.at(-1) === 10 ? bytes.subarray(0, -1) : bytes;
  const readLine = lineReader(origin, expected);
  if (line.length <= lineBytesMax) return [readLine({ bytes: line }, now)];
  const of = randomUUID();
  const split = splitter({ lineBytesMax: () => lineBytesMax, endings: [] });
  const pieces = [...split.push(line)];
  const rest = split.rest();
  return [...pieces, ...(rest ? [rest] : [])].map(
    (piece): Observation => readLine({ bytes: piece.bytes, ...(piece.part && { part: { of, ...piece.part } }) }, now),
  );
}

type Pump = {
  box: Mailbox<Datagram>;
  lost: LossCounter;
  expected: Expected;
  outlet: Outlet;
  now: () => number;
};

/** Until the signal aborts, and then what is still in the box. */
export async function pump({ box, lost, expected, outlet, now }: Pump, signal: AbortSignal): Promise<void> {
  let looked = now();
  const flush = async () => {
    const lineBytesMax = outlet.settings().log.lineBytesMax;
    const datagrams = box.take(PARCEL_OBSERVATIONS_MAX);
    await emitAll(outlet, observe(datagrams, lineBytesMax));
    return datagrams.length > 0;
  };
  function* observe(datagrams: Datagram[], lineBytesMax: number) {
    for (const one of datagrams) yield* readDatagram(one, expected, lineBytesMax, now());
  }
  const count = async () => {
    looked = now();
    await emitAll(outlet, lost.take());
  };
  while (!signal.aborted) {
    await box.wait(LOSS_EVERY_MS, signal);
    await flush();
    if (Math.abs(now() - looked) >= LOSS_EVERY_MS) await count();
  }
  try {
    while (await flush());
    await count();
  } catch {} // the spool was closed first: there is nobody left to tell
}
