/** Stream sockets → frames → parcels, many at once, each at the pace of the spool. */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import type { GuestVia } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { oneLine } from "../bytes.ts";
import { emitAll } from "../parcel.ts";
import type { Outlet } from "../source.ts";
import type { Expected } from "./claims.ts";
import type { Frame, Frames } from "./frames.ts";
import { lossCounter } from "./loss.ts";
import { lineReader, type Origin } from "./record.ts";

/** Each may hold one line in memory. */
export const CONNECTIONS_MAX = 128;
/** So that one guest cannot take all of them, however many addresses it has. */
export const CONNECTIONS_PER_SENDER_MAX = 16;
/** Of all addresses together that are no known guest's: whoever makes them up leaves the rest to those that are named. */
export const CONNECTIONS_UNKNOWN_MAX = 64;
const REFUSED_EVERY_MS = 10_000;
/** Who says more than its limit is read more slowly, however many connections it has: counting what is held back must not
 *  take the time of those that are heard. A chunk is 64 KiB. */
const HELD_PAUSE_MS = 20;

type Wiring = {
  via: GuestVia;
  outlet: Outlet;
  now: () => number;
  frames: () => Frames;
  /** Whose connection it is: a guest's with all its addresses, or that of nobody known. */
  whose(from: string): GuestId | undefined;
};

type Sender = { origin: Origin; guest: GuestId | undefined };

export type Connections = ((socket: Socket, origin: Origin, expected: Expected) => void) & {
  /** Aborts with the reason once lines are not taken any more. */
  broken: AbortSignal;
  /** Ends all of them and waits for what they still had. */
  end(): Promise<void>;
};

export function connections({ via, outlet, now, frames, whose }: Wiring): Connections {
  const broken = new AbortController();
  const refused = lossCounter(via, now, "too-many-senders");
  let timer: NodeJS.Timeout | undefined;
  const open = new Map<Socket, { from: string; guest: GuestId | undefined; work: Promise<void> }>();
  /** Those of nobody known count as one sender's. */
  const openOf = (guest: GuestId | undefined) => [...open.values()].filter((one) => one.guest === guest);

  const accept = (socket: Socket, origin: Origin, expected: Expected) => {
    socket.on("error", () => {}); // a reset ends the reading below; there is nothing else to say of it
    const guest = whose(origin.from);
    const its = openOf(guest);
    const isFull = guest
      ? its.length >= CONNECTIONS_PER_SENDER_MAX
      : its.length >= CONNECTIONS_UNKNOWN_MAX ||
        its.filter(({ from }) => from === origin.from).length >= CONNECTIONS_PER_SENDER_MAX;
    if (isFull || open.size >= CONNECTIONS_MAX) {
      socket.destroy();
      refused.add(origin.guest, origin.from, 0);
      timer ??= setTimeout(() => void tellRefused().catch((error) => broken.abort(error)), REFUSED_EVERY_MS);
      return;
    }
    const work = read(socket, { origin, guest }, expected)
      .catch((error) => broken.abort(error))
      .finally(() => {
        socket.destroy();
        open.delete(socket);
      });
    open.set(socket, { from: origin.from, guest, work });
  };

  /** Counted and told at times: whoever hammers at the door must not fill the trail by that. */
  const tellRefused = async () => {
    clearTimeout(timer);
    timer = undefined;
    await emitAll(outlet, refused.take());
  };

  const read = async (socket: Socket, { origin, guest }: Sender, expected: Expected) => {
    const reader = frames();
    const observe = frameReader(origin, expected, now);
    let isHeld = false;
    function* observed(found: Iterable<Frame>): Iterable<Observation> {
      for (const frame of found) {
        if (isAdmitted(outlet, origin, frame)) yield observe(frame);
        else isHeld = true;
      }
    }
    let emitting = false;
    try {
      for await (const chunk of socket) {
        emitting = true;
        // what had to be read to be held back, its severity or its parts, costs more than what was not
        const suppressed = await emitAll(outlet, observed(reader.push(chunk as Buffer)));
        emitting = false;
        if (isHeld || suppressed > 0) await delay(HELD_PAUSE_MS * openOf(guest).length);
        isHeld = false;
      }
    } catch (error) {
      if (emitting) throw error; // else the connection's own: it is over
    }
    await emitAll(outlet, observed(reader.rest()));
  };

  return Object.assign(accept, {
    broken: broken.signal,
    async end() {
      for (const socket of open.keys()) socket.destroy();
      await Promise.all([...open.values()].map((one) => one.work));
      clearTimeout(timer);
      await tellRefused().catch(() => {}); // the spool was closed first: there is nobody left to tell
    },
  });
}

/** Parts of a long line are read all or none. */
const isAdmitted = ({ admits }: Outlet, origin: Origin, frame: Frame): boolean =>
  !admits || "unread" in frame || frame.part !== undefined || admits(origin, frame.bytes.length);

/** Frames of one connection → observations. Parts of one long line share an id of their own. */
function frameReader(origin: Origin, expected: Expected, now: () => number): (frame: Frame) => Observation {
  const readLine = lineReader(origin, expected);
  let long = "";
  return (frame) => {
    if ("unread" in frame) return unread(readLine({ bytes: frame.bytes }, now()), frame.unread);
    if (!frame.part) return readLine({ bytes: frame.bytes }, now());
    if (frame.part.number === 1) long = randomUUID();
    return readLine({ bytes: frame.bytes, part: { of: long, ...frame.part } }, now());
  };
}

/** What is left of a broken frame is still the guest's word, and falls under the guest's limits as such. */
export function unread(line: Observation<"guest.log">, why: string): Observation<"guest.log"> {
  return { ...line, severity: "warning", text: oneLine(`[${why}] ${line.text}`) };
}
