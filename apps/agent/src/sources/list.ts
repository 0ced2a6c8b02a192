/** Every source of an agent, from what its configuration names. The only list; main.ts runs what it gives. */
import { normalize } from "node:path";
import { GuestId } from "@sallyport/shared/base/ids.ts";
import type { AgentHealth } from "@sallyport/shared/record/agent.ts";
import { z } from "zod";
import type { ReceiveDatagrams } from "../dom0/datagrams.ts";
import type { Dom0 } from "../dom0/dom0.ts";
import type { ReceiveUdp } from "../dom0/udp.ts";
import { channel } from "./channel.ts";
import { consoleFiles } from "./console/source.ts";
import { eveFile } from "./eve/source.ts";
import { guestMap, whoseAddress, whoseDevice } from "./guest.ts";
import { healthSource } from "./health/source.ts";
import { hypervisorSource } from "./hypervisor/source.ts";
import type { Source } from "./source.ts";
import { syslogTcp } from "./syslog/tcp.ts";
import { syslogUdp } from "./syslog/udp.ts";
import { syslogDatagram, syslogStream } from "./syslog/unix.ts";
import { ulogdFile } from "./ulogd/source.ts";

const path = z
  .string()
  .max(256)
  .regex(/^\/[^\0]+[^/\0]$/, "an absolute path, with no slash at its end");
const socketPath = path.refine((text) => Buffer.byteLength(text) <= 107, "a socket's path has at most 107 bytes");
const address = z.strictObject({ host: z.union([z.ipv4(), z.ipv6()]), port: z.int().min(0).max(65_535) });

/** Where evidence comes in. What is not named is not read. */
export const SourceChoice = z.strictObject({
  guests: z
    .array(
      z.strictObject({
        id: GuestId,
        addresses: z
          .array(z.union([z.ipv4(), z.ipv6()]))
          .max(64)
          .optional(),
        /** The guest's name in its console's file name. */
        console: z.string().min(1).max(128).optional(),
        sockets: z.array(socketPath).max(16).optional(),
        /** Not a source: the file that `xl create` starts it from, for the command start-guest (config.ts). */
        xlConfig: path.refine((text) => normalize(text) === text, "no . or .. or // in a path").optional(),
      }),
    )
    .max(256)
    .default([]),
  udp: z.array(address).max(16).default([]),
  tcp: z.array(address).max(16).default([]),
  stream: z.array(socketPath).max(16).default([]),
  datagram: z.array(socketPath).max(16).default([]),
  /** Sockets of Xen channels, one guest's each. */
  channels: z.array(socketPath).max(64).default([]),
  consoles: z
    .array(
      z.strictObject({
        folder: path,
        pattern: z
          .string()
          .max(128)
          .regex(/^[^*/]*\*[^*/]*$/, "one * and no slash"),
      }),
    )
    .max(16)
    .default([]),
  eve: z.array(path).max(16).default([]),
  ulogd: z.array(path).max(16).default([]),
});
export type SourceChoice = z.infer<typeof SourceChoice>;

export type SourceNeeds = {
  dom0: Dom0;
  receive: ReceiveDatagrams;
  receiveUdp: ReceiveUdp;
  agentVersion: string;
  stateFolder: string;
  spool: () => AgentHealth["spool"];
  /** The guests' devices, as the firewall knows them. */
  vifs?: readonly { name: string; guest: GuestId; addresses: readonly string[] }[];
  consoleSkewMs?: () => number | undefined;
};

export function listSources(choice: SourceChoice, needs: SourceNeeds): Source[] {
  const { dom0, receive, receiveUdp, vifs = [] } = needs;
  const known = choice.guests.map(withoutUndefined);
  const guests = guestMap(known);
  const whose = whoseAddress(known, vifs);
  const now = () => dom0.now();
  const socket = { guests, now, clearSocket: (at: string) => dom0.clearSocket(at) };
  return [
    healthSource(needs),
    hypervisorSource({ dom0 }),
    ...choice.udp.map((at) => syslogUdp({ address: at, guests, now, receive: receiveUdp })),
    ...choice.tcp.map((at) => syslogTcp({ address: at, guests, now, whose })),
    ...choice.stream.map((at) => syslogStream({ path: at, ...socket })),
    ...choice.datagram.map((at) => syslogDatagram({ path: at, receive, ...socket })),
    ...choice.channels.map((at) => channel({ path: at, guests, now })),
    ...choice.consoles.map((each) => consoleFiles({ ...each, guests, dom0 })),
    ...choice.eve.map((at) => eveFile({ path: at, dom0, whose })),
    ...choice.ulogd.map((at) => ulogdFile({ path: at, dom0, whose: whoseDevice(vifs) })),
  ];
}

type Known = SourceChoice["guests"][number];
const withoutUndefined = ({ id, addresses, console, sockets }: Known) => ({
  id,
  ...(addresses && { addresses }),
  ...(console !== undefined && { console }),
  ...(sockets && { sockets }),
});
