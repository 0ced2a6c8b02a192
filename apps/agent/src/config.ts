/** The agent's own configuration: where evidence comes in on this machine. Policy is the console's, never in here. */

import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { GuestId } from "@sallyport/shared/base/ids.ts";
import { issuesWords } from "@sallyport/shared/base/issue.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { HEADER_COPIES_MAX } from "@sallyport/shared/disk/state.ts";
import { UsbPin } from "@sallyport/shared/usb/device.ts";
import { z } from "zod";
import { SourceChoice } from "./sources/list.ts";

const device = z
  .string()
  .max(15)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, "a network device's name as dom0 has it");

/** The guests' wire. Without it nothing is filtered, and the report says so. */
export const FirewallChoice = z.strictObject({
  /** `bridged`: the guests' devices are ports of dom0's bridge. */
  wire: z.enum(["routed", "bridged"]),
  vifs: z
    .array(
      z.strictObject({
        name: device,
        guest: GuestId,
        mac: z
          .string()
          .regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i, "a MAC address is 00:16:3e:00:00:01")
          .optional(),
        /** What it may call itself; none: anything (a guest that routes). */
        addresses: z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])).max(64),
      }),
    )
    .min(1)
    .max(256),
});
export type FirewallChoice = z.infer<typeof FirewallChoice>;

const absolute = z
  .string()
  .max(256)
  .regex(/^\/[^\0]*[^/\0]$/, "an absolute path, with no slash at its end");

/** The detector on the guests' wire. Without it nothing is watched, and the report says so. */
export const DetectorChoice = z.strictObject({
  /** The guests' bridge, or the one vif. */
  interface: device,
  /** Its configuration, rules, command socket and events; Suricata is started on `suricata.yaml` in it. */
  folder: absolute.default("/var/lib/sallyport-ids"),
  /** As `artifacts` beside it, from before there were others than rule sets. */
  artifacts: absolute.optional(),
  program: z.array(z.string().min(1).max(256)).min(1).max(8).default(["suricata"]),
});
export type DetectorChoice = z.infer<typeof DetectorChoice>;

/** The scanner's definitions as a policy names them. Without it, and with the gate, clamd is only looked at. */
export const ScannerChoice = z.strictObject({
  /** clamd's `DatabaseDirectory` is `current` in it; clamd's own rules of AppArmor let it read there. */
  folder: absolute.default("/var/lib/clamav/sallyport"),
  /** clamd's configuration, for its socket and that folder; SALLYPORT_CLAMD_CONF or /etc/clamav/clamd.conf otherwise. */
  conf: absolute.optional(),
  program: z.array(z.string().min(1).max(256)).min(1).max(8).default(["clamd"]),
});
export type ScannerChoice = z.infer<typeof ScannerChoice>;

/** The guest's volume. Without it none is looked at, and the report says so. */
export const VolumeChoice = z.strictObject({
  volume: absolute,
  /** Its name while it is open, as in /dev/mapper. */
  mapping: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,126}$/, "a mapping's name as in /dev/mapper")
    .optional(),
  /** Backups of its header that lie in dom0: a wipe destroys them as well. One that the agent cannot reach is a fault of the
   *  disk section, not of the file: an agent that no longer starts would wipe nothing at all. */
  headerCopies: z.array(absolute).max(HEADER_COPIES_MAX).default([]),
});
export type VolumeChoice = z.infer<typeof VolumeChoice>;

/** The USB ports that dom0 gates. Without it no device is held, and the report says so. */
export const GateChoice = z.strictObject({
  sysfs: absolute.default("/sys"),
  dev: absolute.default("/dev"),
  /** What the kernel's modules say of themselves; the running kernel's in /lib/modules otherwise. */
  modules: absolute.optional(),
  /** Where sticks' images lie: a file system of its own, larger than any stick; `usb` in the state folder otherwise. */
  volume: absolute.optional(),
  /** Who gets what passes. Without it nobody does. */
  guest: z
    .union([
      z.strictObject({ by: z.literal("xl"), guest: z.string().min(1).max(128) }),
      z.strictObject({ by: z.literal("qmp"), socket: absolute }),
    ])
    .optional(),
  /** Keyboards of dom0 and the hubs on the way to them; written by `sallyport-agent pin-keyboards`. */
  pins: z.array(UsbPin).max(64).default([]),
  /** Gate although a keyboard is plugged in that no pin lets in. */
  withoutKeyboard: z.boolean().default(false),
  /** Kernel events wake the gate; without udev it looks each second. */
  udev: z.boolean().default(true),
  /** How long a stick's last logical unit may come after the one before it. */
  settleMs: z.int().min(1).max(60_000).optional(),
});
export type GateChoice = z.infer<typeof GateChoice>;

/** `guestNames` are labels for people, `domains` the names that Xen knows, by guest id. `sticks` is the drop folder; null
 *  turns it off. */
export const AgentConfig = SourceChoice.extend({
  guestNames: z.record(z.string(), z.string().max(128)).default({}),
  domains: z.record(z.string(), z.string().min(1).max(128)).default({}),
  sticks: z.string().max(256).nullable().default("sticks"),
  firewall: FirewallChoice.optional(),
  ids: DetectorChoice.optional(),
  scanner: ScannerChoice.optional(),
  /** Rule sets and definitions, each a file called by its sha256; `artifacts` in the state folder otherwise. */
  artifacts: absolute.optional(),
  disk: VolumeChoice.optional(),
  usb: GateChoice.optional(),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
});
export type AgentConfig = z.infer<typeof AgentConfig>;

export class ConfigError extends Error {
  override name = "ConfigError";
}

/** `config.json` in the state folder may be absent; one named by hand may not. @throws ConfigError */
export function readConfig(state: string, named: string | undefined): AgentConfig {
  const path = named ?? join(state, "config.json");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (named === undefined && (error as NodeJS.ErrnoException).code === "ENOENT") return AgentConfig.parse({});
    throw new ConfigError(`The configuration ${path} cannot be read: ${whyNot(error)}.`, { cause: error });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(
      `The configuration ${path} is no JSON: ${(error as Error).message.replaceAll(/\s+/g, " ")}.`,
      { cause: error },
    );
  }
  const config = AgentConfig.safeParse(json);
  if (!config.success) throw new ConfigError(`The configuration ${path} is refused:\n${issuesWords(config.error)}`);
  return config.data;
}

export const sticksFolder = (state: string, { sticks }: AgentConfig): string | undefined =>
  sticks === null ? undefined : isAbsolute(sticks) ? sticks : join(state, sticks);

export const artifactsFolder = (state: string, { artifacts, ids }: AgentConfig): string =>
  artifacts ?? ids?.artifacts ?? join(state, "artifacts");

/** The domain of a guest; without a name of its own, the one its console's file goes under, else its id. */
export const domainOf = ({ domains, guests }: AgentConfig, guest: GuestId): string =>
  domains[guest] ?? guests.find(({ id }) => id === guest)?.console ?? guest;

/** What a guest is started from, where its entry names it. */
export const xlConfigOf = ({ guests }: AgentConfig, guest: GuestId): string | undefined =>
  guests.find(({ id }) => id === guest)?.xlConfig;

/** What the firewall is told of this machine: guests' devices, and where guests' logs are taken. */
export const firewallOf = ({ firewall, udp, tcp }: AgentConfig) =>
  firewall && {
    wire: firewall.wire,
    vifs: firewall.vifs.map(({ mac, ...vif }) => ({ ...vif, ...(mac !== undefined && { mac }) })),
    own: [
      ...udp.map(({ port }) => ({ protocol: "udp" as const, port })),
      ...tcp.map(({ port }) => ({ protocol: "tcp" as const, port })),
    ].filter(({ port }) => port > 0),
  };

/** What evidence comes in: the detector's own events are always among it. `before` is where an older agent had them
 *  written: what is left there is read to its end. */
export const sourcesOf = (config: AgentConfig, before?: string): AgentConfig => {
  if (!config.ids) return config;
  const own = [join(config.ids.folder, "log/eve.json"), ...(before === undefined ? [] : [before])];
  return { ...config, eve: [...new Set([...config.eve, ...own])] };
};

/** Host and port of `mqtts://host:port`. */
export function brokerOf(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === "mqtts:" || protocol === "ssl:" ? 8883 : 1883;
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? usual : Number(port) };
}
