/** TCP (RFC 6587, both framings) → guest.log. A sender is read only as fast as the spool takes its lines. */
import { createServer, type Socket } from "node:net";
import type { GuestMap, WhoseAddress } from "../guest.ts";
import { plainAddress } from "../guest.ts";
import type { Source } from "../source.ts";
import { connections } from "./connections.ts";
import { frames } from "./frames.ts";
import { listening } from "./listening.ts";

/** A guest that was killed sends no farewell: its connection is asked after so much silence, and given up within seconds
 *  of no answer, so that it does not hold one of its sender's places for hours. */
const SILENCE_MS_MAX = 60_000;

export type Address = { host: string; port: number };
export type ListenOptions = { address: Address; guests: GuestMap; now: () => number };

/** `whose` knows a guest by every address that is its own, also by a prefix of which it takes any. */
export function syslogTcp({ address, guests, now, whose }: ListenOptions & { whose: WhoseAddress }): Source {
  return {
    name: `syslog/tcp/${address.host}:${address.port}`,
    async run(outlet, signal) {
      const accept = connections({
        via: "tcp",
        outlet,
        now,
        whose,
        frames: () => frames(() => outlet.settings().log.lineBytesMax),
      });
      const server = createServer(
        { keepAlive: true, keepAliveInitialDelay: SILENCE_MS_MAX, noDelay: true },
        (socket: Socket) => {
          const from = plainAddress(socket.remoteAddress ?? "unknown");
          accept(socket, { via: "tcp", from, guest: guests.byAddress(from) }, "any");
        },
      );
      await listening(server, { ...address, outlet, connections: accept }, signal);
    },
  };
}
