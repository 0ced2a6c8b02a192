/** TCP (RFC 6587, both framings) → guest.log. A sender is read only as fast as the spool takes its lines. */
import { createServer, type Socket } from "node:net";
import type { GuestMap } from "../guest.ts";
import { plainAddress } from "../guest.ts";
import type { Source } from "../source.ts";
import { connections } from "./connections.ts";
import { frames } from "./frames.ts";
import { listening } from "./listening.ts";

export type Address = { host: string; port: number };
export type ListenOptions = { address: Address; guests: GuestMap; now: () => number };

export function syslogTcp({ address, guests, now }: ListenOptions): Source {
  return {
    name: `syslog/tcp/${address.host}:${address.port}`,
    async run(outlet, signal) {
      const accept = connections({
        via: "tcp",
        outlet,
        now,
        frames: () => frames(() => outlet.settings().log.lineBytesMax),
      });
      const server = createServer({ keepAlive: true, noDelay: true }, (socket: Socket) => {
        const from = plainAddress(socket.remoteAddress ?? "unknown");
        accept(socket, { via: "tcp", from, guest: guests.byAddress(from) }, "any");
      });
      await listening(server, { ...address, outlet, connections: accept }, signal);
    },
  };
}
