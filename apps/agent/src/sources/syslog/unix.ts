/** Unix sockets, stream and datagram (as /dev/log is) → guest.log. Everything on one socket is one sender's. */
import { createServer } from "node:net";
import type { ReceiveDatagrams } from "../../dom0/datagrams.ts";
import type { Dom0 } from "../../dom0/dom0.ts";
import type { GuestMap } from "../guest.ts";
import { splitter } from "../lines.ts";
import type { Source } from "../source.ts";
import { connections } from "./connections.ts";
import { DATAGRAMS_BYTES_MAX, type Datagram, pump } from "./datagram.ts";
import type { Frames } from "./frames.ts";
import { listening } from "./listening.ts";
import { lossCounter } from "./loss.ts";
import { mailbox } from "./mailbox.ts";
import type { Origin } from "./record.ts";

export type SocketOptions = {
  path: string;
  guests: GuestMap;
  now: () => number;
  clearSocket: Dom0["clearSocket"];
};

export function syslogStream({ path, guests, now, clearSocket }: SocketOptions): Source {
  return {
    name: `syslog/stream/${path}`,
    async run(outlet, signal) {
      const frames = () => cLines(() => outlet.settings().log.lineBytesMax);
      const accept = connections({ via: "unix", outlet, now, frames, whose: guests.bySocket });
      const server = createServer((socket) => accept(socket, origin(path, guests), "hostless"));
      await clearSocket(path);
      await listening(server, { path, outlet, connections: accept }, signal);
    },
  };
}

/** The C library ends each message with NUL on a stream; others write lines. What is empty between is no message. */
function cLines(lineBytesMax: () => number): Frames {
  const split = splitter({ lineBytesMax, endings: [0, 10] });
  return {
    *push(chunk) {
      for (const piece of split.push(chunk)) if (piece.bytes.length > 0 || piece.part) yield piece;
    },
    rest: () => {
      const last = split.rest();
      return last ? [last] : [];
    },
  };
}

export function syslogDatagram(options: SocketOptions & { receive: ReceiveDatagrams }): Source {
  const { path, guests, now, clearSocket, receive } = options;
  return {
    name: `syslog/datagram/${path}`,
    async run(outlet, signal) {
      const box = mailbox<Datagram>(DATAGRAMS_BYTES_MAX);
      const lost = lossCounter("unix", now);
      const from = origin(path, guests);
      await clearSocket(path);
      const over = new AbortController();
      const stop = AbortSignal.any([signal, over.signal]);
      const receiving = receive(path, {
        signal: stop,
        bound: () => outlet.state({ state: "running", at: path }),
        datagram: (bytes) => {
          if (!box.put({ bytes, origin: from }, bytes.length)) lost.add(from.guest, from.from, bytes.length);
        },
      }).finally(() => over.abort());
      receiving.catch(() => {}); // awaited below
      try {
        await pump({ box, lost, expected: "hostless", outlet, now }, stop);
      } finally {
        over.abort();
        await receiving;
      }
    },
  };
}

const origin = (path: string, guests: GuestMap): Origin => ({ via: "unix", from: path, guest: guests.bySocket(path) });
