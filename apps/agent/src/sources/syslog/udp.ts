/** UDP (RFC 5426, one message a datagram) → guest.log. A guest that floods fills its own buffer of the kernel's and no
 *  other's (dom0/udp.ts); nothing waits here but what is being written, so a flood costs bounded memory, and what it lost
 *  is counted for the guest that lost it. */
import { isIPv6 } from "node:net";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { ReceiveUdp } from "../../dom0/udp.ts";
import { plainAddress } from "../guest.ts";
import { emitAll } from "../parcel.ts";
import type { Source } from "../source.ts";
import { LOSS_EVERY_MS, readDatagram } from "./datagram.ts";
import { lossCounter } from "./loss.ts";
import type { Origin } from "./record.ts";
import type { ListenOptions } from "./tcp.ts";

/** Of what policy lets a guest say: the rest is counted by the kernel. More than 1, since a buffer may be several unknown
 *  senders', and lines that are not severe enough to be kept are no reason to miss others. */
const PACE = 4;

export type UdpOptions = ListenOptions & { receive: ReceiveUdp };

export function syslogUdp({ address, guests, now, receive }: UdpOptions): Source {
  return {
    name: `syslog/udp/${address.host}:${address.port}`,
    async run(outlet, signal) {
      const lost = lossCounter("udp", now);
      const untold = new AbortController();
      let port = address.port;
      const originOf = (sender: string): Origin => {
        const from = plainAddress(sender);
        return { via: "udp", from, guest: guests.byAddress(from) };
      };
      function* observe(batch: readonly { bytes: Buffer; address: string }[]): Iterable<Observation> {
        const { lineBytesMax } = outlet.settings().log;
        for (const { bytes, address: sender } of batch) {
          const origin = originOf(sender);
          if (outlet.admits?.(origin, bytes.length) ?? true)
            yield* readDatagram({ bytes, origin }, "any", lineBytesMax, now());
        }
      }
      const tell = () => emitAll(outlet, lost.take());
      const timer = setInterval(() => void tell().catch((error) => untold.abort(error)), LOSS_EVERY_MS);
      try {
        await receive({
          address,
          senders: guests.senders.map(({ addresses }) => addresses),
          pace: () => {
            const { linesPerSecond, burstLines } = outlet.settings().log;
            return { perSecond: linesPerSecond * PACE, burst: burstLines * PACE };
          },
          signal: AbortSignal.any([signal, untold.signal]),
          bound: (at) => {
            port = at.port;
            outlet.state({
              state: "running",
              at: isIPv6(at.address) ? `[${at.address}]:${port}` : `${at.address}:${port}`,
            });
          },
          datagrams: (batch) => emitAll(outlet, observe(batch)),
          dropped: (counts) => {
            for (const [place, count] of counts.entries()) {
              const guest = guests.senders[place]?.id;
              lost.kernel(count, guest ? `of ${guest} at port ${port}` : `at port ${port}`, guest);
            }
          },
        });
      } catch (error) {
        if (!signal.aborted) throw error; // else the spool was closed first: there is nobody left to tell
      } finally {
        clearInterval(timer);
      }
      if (!signal.aborted && untold.signal.aborted) throw untold.signal.reason;
      await tell().catch(() => {}); // as above
    },
  };
}
