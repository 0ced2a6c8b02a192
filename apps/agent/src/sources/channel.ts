/** A Xen channel → guest.log. The guest has it as /dev/hvcN; in dom0 it is a Unix socket that the guest's device model
 *  listens on (`channel=` in xl.cfg(5)), so it needs no network, and whoever speaks on it is that guest. The socket comes
 *  and goes with the guest. What is not read yet stays with the guest: its own writing waits, nobody else's. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { GuestMap } from "./guest.ts";
import { splitter } from "./lines.ts";
import type { Source } from "./source.ts";
import { connections } from "./syslog/connections.ts";
import type { Frames } from "./syslog/frames.ts";

const RETRY_MS = 2_000;

export type ChannelOptions = { path: string; guests: GuestMap; now: () => number; retryMs?: number };

export function channel({ path, guests, now, retryMs = RETRY_MS }: ChannelOptions): Source {
  return {
    name: `channel/${path}`,
    async run(outlet, signal) {
      const frames = (): Frames => linesOf(() => outlet.settings().log.lineBytesMax);
      const accept = connections({ via: "channel", outlet, now, frames, whose: guests.bySocket });
      const stop = AbortSignal.any([signal, accept.broken]);
      const origin = { via: "channel" as const, from: path, guest: guests.bySocket(path) };
      try {
        while (!stop.aborted) {
          const socket = await connected(path, stop);
          if (typeof socket === "string") {
            outlet.state({ state: "absent", reason: socket });
          } else {
            outlet.state({ state: "running", at: path });
            accept(socket, origin, "hostless");
            await once(socket, "close", { signal: stop }).catch(() => {});
          }
          await delay(retryMs, undefined, { signal: stop }).catch(() => {});
        }
      } finally {
        await accept.end();
      }
      if (!signal.aborted) throw accept.broken.reason;
    },
  };
}

/** What is empty between two endings is no line. */
function linesOf(lineBytesMax: () => number): Frames {
  const split = splitter({ lineBytesMax, endings: [10, 13] });
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

/** The socket, or why there is none. */
async function connected(path: string, signal: AbortSignal): Promise<Socket | string> {
  const socket = connect({ path });
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED") return `no guest's channel listens on ${path}`;
    return `${path} cannot be joined: ${(error as Error).message}`;
  }
}
