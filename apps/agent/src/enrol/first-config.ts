/** What was seen of a machine → the agent's first configuration, and words for the person who enrols it: what it will do,
 *  and what is theirs to say. Pure. Nothing is made up: what was not seen is left out, with the reason. */
import { isIP } from "node:net";
import { GuestId } from "@sallyport/shared/base/ids.ts";
import type { z } from "zod";
import { AgentConfig } from "../config.ts";
import type { Machine, SeenGuest } from "./machine.ts";

export type FirstConfig = { config: z.input<typeof AgentConfig>; words: string[] };

const SYSLOG_PORT = 514;
const DROPS = "/var/log/sallyport-agent/drops.json";

/** Nothing: this machine has no guests to guard, and nothing is written for it. */
export function firstConfig(machine: Machine): FirstConfig | { none: string } {
  const { guests } = machine;
  if (guests === null)
    return {
      none: `No configuration is written: this machine answers as no Xen dom0 (${machine.whyNoGuests ?? "no xl"}). USB is not gated, and nothing else is guarded, until it has one (docs/package.md).`,
    };
  const words: string[] = [];
  const named = namedGuests(guests, words);
  const config = {
    ...logs(machine, named, words),
    ...wire(machine, named, words),
    ...disk(machine, named, words),
    ...usb(machine, named, words),
  };
  const read = AgentConfig.safeParse(config);
  if (!read.success)
    return { none: `No configuration is written: what was seen does not make one (${read.error.issues[0]?.message}).` };
  return { config, words };
}

type Named = SeenGuest & { id: GuestId };

function namedGuests(guests: readonly SeenGuest[], words: string[]): Named[] {
  const taken = new Set<string>();
  const found = guests.flatMap((guest) => {
    const id = GuestId.safeParse(
      guest.name
        .toLowerCase()
        .replace(/[^a-z0-9._-]+/g, "-")
        .replace(/^[^a-z0-9]+/, "")
        .slice(0, 64),
    );
    if (!id.success || taken.has(id.data)) {
      words.push(`Guest ${guest.name} is left out: its name makes no id of its own.`);
      return [];
    }
    taken.add(id.data);
    return [{ ...guest, id: id.data }];
  });
  if (found.length === 0)
    words.push(
      "No guest runs: start them and write them down, or enrol with --again while they run (docs/guest-logs.md).",
    );
  return found;
}

const addressesOf = ({ nics }: SeenGuest): string[] =>
  nics.flatMap(({ addresses }) => addresses.map((each) => each.replace(/\/\d+$/, ""))).filter((each) => isIP(each) > 0);

/** What each is started from again, where that is certain. */
function startedFrom({ guestFiles }: Machine, { name, id }: Named, words: string[]): { xlConfig?: string } {
  const own = guestFiles.filter((each) => each.name === name);
  const [only, ...others] = own;
  if (only && others.length === 0 && only.fault === undefined) {
    words.push(`Guest ${id} is started from ${only.file}.`);
    return { xlConfig: only.file };
  }
  const why = !only
    ? "no file in /etc/xen is for it"
    : others.length > 0
      ? `several files are for it (${own.map(({ file }) => file).join(", ")})`
      : only.fault;
  words.push(`Guest ${id} cannot be started by an order: ${why}. Name its file (xlConfig, docs/commands.md).`);
  return {};
}

function logs(machine: Machine, guests: readonly Named[], words: string[]) {
  const { consoles, bridgeAddresses, programs } = machine;
  const hosts = [...new Set(Object.values(bridgeAddresses))].filter((each) => isIP(each) > 0);
  const hasAddresses = guests.some((guest) => addressesOf(guest).length > 0);
  const udp = hasAddresses ? hosts.map((host) => ({ host, port: SYSLOG_PORT })) : [];
  const channels = guests.flatMap((guest) => guest.channels);
  if (consoles) words.push(`Guests' consoles are read in ${consoles.folder}.`);
  else words.push("No console's log was seen: xenconsoled writes one with --log=guest (docs/guest-logs.md).");
  if (udp.length > 0)
    words.push(`Syslog of guests is taken at ${udp.map(({ host, port }) => `${host}:${port}`).join(", ")}.`);
  else words.push("No syslog is taken: a guest's address was not seen (ip= in its vif).");
  return {
    guests: guests.map((guest) => ({
      id: guest.id,
      console: guest.name,
      ...(addressesOf(guest).length > 0 && { addresses: addressesOf(guest) }),
      ...(guest.channels.length > 0 && { sockets: guest.channels }),
      ...startedFrom(machine, guest, words),
    })),
    domains: Object.fromEntries(guests.map(({ id, name }) => [id, name])),
    ...(consoles && { consoles: [{ folder: consoles.folder, pattern: "guest-*.log" }] }),
    ...(udp.length > 0 && { udp }),
    ...(channels.length > 0 && { channels }),
    ...(programs.ulogd && { ulogd: [DROPS] }),
  };
}

const namesOf = (vifs: readonly { name: string }[]): string => vifs.map(({ name }) => name).join(", ");

function wire({ programs }: Machine, guests: readonly Named[], words: string[]) {
  const nics = guests.flatMap(({ id, nics: own }) => own.map((nic) => ({ ...nic, guest: id })));
  const bridge = nics.find((nic) => nic.bridge !== undefined)?.bridge;
  const vifs = nics.flatMap(({ name, guest, mac, addresses }) =>
    name === undefined ? [] : [{ name, guest, ...(mac !== undefined && { mac }), addresses }],
  );
  if (vifs.length < nics.length)
    words.push(
      "Some vifs have no name of their own and are not filtered: give them one (vifname= in the guest's vif), and write it down.",
    );
  if (vifs.length > 0) words.push(`Filtered: ${namesOf(vifs)}.`);
  const four = vifs.filter(({ addresses }) => addresses.length > 0 && addresses.every((each) => !each.includes(":")));
  if (four.length > 0)
    words.push(
      bridge === undefined
        ? `Of IPv6 ${namesOf(four)} may use the link's own addresses alone, since ip= in the vif names only IPv4: where the guest uses others, write them down (docs/firewall.md).`
        : `Of IPv6 ${namesOf(four)} may use the one address that is made from the MAC, since ip= in the vif names only IPv4: where the guest uses others, write them down, also a random fe80:: one (docs/firewall.md).`,
    );
  const watched = programs.suricata ? bridge : undefined;
  if (watched !== undefined) words.push(`The intrusion detector watches ${watched}.`);
  else
    words.push(
      `Nothing is watched: ${programs.suricata ? "no guest's bridge was seen" : "there is no Suricata here"}.`,
    );
  return {
    ...(vifs.length > 0 && {
      firewall: { wire: bridge === undefined ? ("routed" as const) : ("bridged" as const), vifs },
    }),
    ...(watched !== undefined && { ids: { interface: watched } }),
  };
}

/** The one volume that a guest has its disk on. */
function disk({ volumes }: Machine, guests: readonly Named[], words: string[]) {
  const disks = new Set(guests.flatMap((guest) => guest.disks));
  const own = volumes.filter(({ mapping }) => disks.has(`/dev/mapper/${mapping}`));
  if (own.length !== 1) {
    words.push(
      `No volume is looked at: ${own.length === 0 ? "no guest's disk is on an open LUKS volume" : "several guests' disks are on LUKS volumes; name one"} (docs/disk.md).`,
    );
    return {};
  }
  const { device, mapping } = own[0]!;
  words.push(`The guest's volume is ${device}, open as ${mapping}.`);
  return { disk: { volume: device, mapping } };
}

/** The guest that sticks are handed to: the only one, or the only one with devices of its own. */
function primary(guests: readonly Named[]): Named | undefined {
  const owners = guests.filter(({ passedThrough }) => passedThrough > 0);
  const [only, ...others] = guests.length === 1 ? guests : owners;
  return others.length === 0 ? only : undefined;
}

function usb({ usb: seen }: Machine, guests: readonly Named[], words: string[]) {
  if (seen.controllers === 0) {
    words.push("USB: dom0 has no controller, so there is nothing to gate.");
    return {};
  }
  const { pins, devices } = seen.pinned;
  if (seen.needed.length > 0) {
    words.push(
      `USB: not gated, because that would cut off what dom0 itself stands on: ${seen.needed.map(({ port, why }) => `${port} (${why})`).join(", ")}. Move it off USB or pin it (usb.pins, docs/usb-gate.md), run "sallyport-agent pin-keyboards", and start the agent again; a stick, unmount it and enrol with --again.`,
    );
    return {};
  }
  if (seen.unpinned.length > 0 && !devices.some((device) => device.interfaces.includes("03:01:01"))) {
    words.push(
      `USB: not gated, because that would cut off the only keyboard (${seen.unpinned.join(", ")}): it is more than a keyboard, and no pin can let it in. Plug in another, run "sallyport-agent pin-keyboards", and start the agent again.`,
    );
    return {};
  }
  const guest = primary(guests);
  words.push(
    "USB: gated from the first start on. Whatever is plugged in is held, and what is there now is cut off, but for:",
  );
  for (const { port, id, maker, name } of devices) words.push(`  ${port}  ${id}  ${maker} ${name}`.trimEnd());
  if (devices.length === 0) words.push("  nothing: no USB keyboard is plugged in.");
  words.push('To let in others: plug them in and run "sallyport-agent pin-keyboards".');
  words.push(
    "Images of sticks lie on the file system of the agent's own state: for larger ones name another (usb.volume, docs/usb-gate.md).",
  );
  if (guest) words.push(`What passes is handed to ${guest.name}.`);
  else words.push("What passes is handed to nobody: name the guest (usb.guest).");
  return {
    usb: {
      ...(guest && { guest: { by: "xl" as const, guest: guest.name } }),
      ...(devices.length === 0 && { withoutKeyboard: true }),
      pins,
    },
  };
}
