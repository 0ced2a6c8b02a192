/** Stream sockets → frames → parcels, many at once, each at the pace of the spool. */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { malformed } from "../malformed.ts";
import { emitAll } from "../parcel.ts";
import type { Outlet } from "../source.ts";
import type { Expected } from "./claims.ts";
import type { Frame, Frames } from "./frames.ts";
import { suppressed } from "./loss.ts";
import { lineReader, type Origin } from "./record.ts";

/** Each may hold one line in memory. */
export const CONNECTIONS_MAX = 512;
/** So that one sender cannot take all of them. */
export const CONNECTIONS_PER_SENDER_MAX = 64;

type Wiring = { outlet: Outlet; now: () => number; frames: () => Frames };
type Accept = ((socket: Socket, origin: Origin, expected: Expected) => void) & { end(): Promise<void> };

export function connections({ outlet, now, frames }: Wiring): Accept {
  const open = new Map<Socket, { sender: string; work: Promise<void> }>();

  const accept = (socket: Socket, origin: Origin, expected: Expected) => {
    socket.on("error", () => {}); // a reset ends the reading below; there is nothing else to say of it
    const same = [...open.values()].filter((one) => one.sender === origin.from).length;
    if (open.size >= CONNECTIONS_MAX || same >= CONNECTIONS_PER_SENDER_MAX) {
      socket.destroy();
      void emitAll(outlet, [turnedAway(origin, now())]).catch(() => {});
      return;
    }
    const work = read(socket, origin, expected)
      .catch(() => {})
      .finally(() => {
        socket.destroy();
        open.delete(socket);
      });
    open.set(socket, { sender: origin.from, work });
  };

  const read = async (socket: Socket, origin: Origin, expected: Expected) => {
    const reader = frames();
    const observe = frameReader(origin, expected, now);
    try {
      for await (const chunk of socket) await emitAll(outlet, reader.push(chunk as Buffer).map(observe));
    } catch (error) {
      if (!(error as NodeJS.ErrnoException).code) throw error; // not the socket's own
    }
    await emitAll(outlet, reader.rest().map(observe));
  };

  return Object.assign(accept, {
    async end() {
      for (const socket of open.keys()) socket.destroy();
      await Promise.all([...open.values()].map((one) => one.work));
    },
  });
}

/** Frames of one connection → observations. Parts of one long line share an id of their own. */
function frameReader(origin: Origin, expected: Expected, now: () => number): (frame: Frame) => Observation {
  const readLine = lineReader(origin, expected);
  let long = "";
  return (frame) => {
    if ("unread" in frame) {
      return malformed(
        { source: "syslog", from: origin.from, guest: origin.guest, reason: frame.unread, bytes: frame.bytes },
        now(),
      );
    }
    if (!frame.part) return readLine({ bytes: frame.bytes }, now());
    if (frame.part.number === 1) long = randomUUID();
    return readLine({ bytes: frame.bytes, part: { of: long, ...frame.part } }, now());
  };
}

function turnedAway({ via, from, guest }: Origin, now: number): Observation {
  return suppressed({ via, from, guest, lines: 1, bytes: 0, since: now, until: now, reason: "too-many-senders" });
}
