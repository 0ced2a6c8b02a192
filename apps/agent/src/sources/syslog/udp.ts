/** UDP (RFC 5426, one message a datagram) → guest.log. What a flood costs is bounded, and what it lost is counted. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { plainAddress } from "../guest.ts";
import type { Source } from "../source.ts";
import { DATAGRAMS_BYTES_MAX, type Datagram, pump } from "./datagram.ts";
import { lossCounter } from "./loss.ts";
import { mailbox } from "./mailbox.ts";
import type { Address, ListenOptions } from "./tcp.ts";

/** What the kernel may hold while this process is busy; it gives at most net.core.rmem_max. */
const KERNEL_BYTES = 4 * 1024 * 1024;

export type UdpOptions = ListenOptions & {
  /** How many datagrams the kernel has dropped at this port since it was opened; nothing where it does not say. */
  kernelDrops: (port: number) => Promise<number | undefined>;
};

export function syslogUdp({ address, guests, now, kernelDrops }: UdpOptions): Source {
  return {
    name: `syslog/udp/${address.host}:${address.port}`,
    async run(outlet, signal) {
      const box = mailbox<Datagram>(DATAGRAMS_BYTES_MAX);
      const lost = lossCounter("udp", now);
      const broken = new AbortController();
      const socket = createSocket(isIPv6(address.host) ? "udp6" : "udp4");
      socket.on("error", (error) => broken.abort(error));
      socket.on("message", (bytes: Buffer, sender: RemoteInfo) => {
        const from = plainAddress(sender.address);
        const guest = guests.byAddress(from);
        if (!box.put({ bytes, origin: { via: "udp", from, guest } }, bytes.length)) lost.add(guest, from, bytes.length);
      });
      try {
        const port = await bound(socket, address, AbortSignal.any([signal, broken.signal]));
        if (port === undefined) return;
        outlet.state({ state: "running", at: placeOf(socket) });
        const look = async () => lost.kernel(await kernelDrops(port), `port ${port}`);
        await pump({ box, lost, expected: "any", outlet, now, look }, AbortSignal.any([signal, broken.signal]));
      } finally {
        await new Promise<void>((resolve) => socket.close(() => resolve()));
      }
      if (!signal.aborted) throw broken.signal.reason;
    },
  };
}

/** The real port; nothing where the signal came first. @throws where the address cannot be had */
async function bound(socket: Socket, { host, port }: Address, signal: AbortSignal): Promise<number | undefined> {
  socket.bind({ address: host, port, exclusive: true });
  try {
    await once(socket, "listening", { signal });
  } catch (error) {
    if (signal.reason instanceof Error && signal.reason.name !== "AbortError") throw signal.reason;
    if (signal.aborted) return undefined;
    throw error;
  }
  try {
    socket.setRecvBufferSize(KERNEL_BYTES);
  } catch {} // the kernel's own size, then
  return socket.address().port;
}

function placeOf(socket: Socket): string {
  const { address, port } = socket.address();
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}
