/** dom0 → what a first configuration is made of, by looking. Changes nothing; what cannot be seen is absent. */
import { BOOT_KEYBOARD } from "@sallyport/shared/usb/device.ts";
import { z } from "zod";
import type { Dom0 } from "../dom0/dom0.ts";
import type { UsbPorts } from "../dom0/usb.ts";
import type { Needed } from "../dom0/usb-needed.ts";
import { findKeyboards, isKeyboard, type Pinned } from "../pin-keyboards.ts";
import { findGuestFiles, type GuestFile } from "./guest-files.ts";

export type SeenNic = { name?: string; mac?: string; bridge?: string; addresses: string[] };
export type SeenGuest = { name: string; nics: SeenNic[]; disks: string[]; channels: string[]; passedThrough: number };
/** An open LUKS volume. */
export type SeenVolume = { mapping: string; device: string };
export type Machine = {
  /** Null: this is no dom0, or nobody may ask it. */
  guests: SeenGuest[] | null;
  whyNoGuests?: string;
  guestFiles: GuestFile[];
  consoles: { folder: string; files: string[] } | null;
  volumes: SeenVolume[];
  /** dom0's own, by bridge. */
  bridgeAddresses: Record<string, string>;
  programs: { suricata: boolean; ulogd: boolean };
  usb: { controllers: number; pinned: Pinned; unpinned: string[]; needed: Needed[] };
};

const MS_MAX = 30_000;
const CONSOLES = "/var/log/xen/console";
const BRIDGES_MAX = 16;

const Nic = z.object({
  mac: z.string().optional(),
  bridge: z.string().optional(),
  ifname: z.string().optional(),
  ip: z.string().optional(),
});
const Channel = z.looseObject({ "connection.socket": z.object({ path: z.string() }).optional() });
/** As `xl list --long` prints them: libxl's own JSON. */
const Domains = z.array(
  z.object({
    domid: z.int(),
    config: z.object({
      c_info: z.object({ name: z.string() }),
      nics: z.array(Nic).default([]),
      disks: z.array(z.object({ pdev_path: z.string().optional() })).default([]),
      channels: z.array(Channel).default([]),
      pcidevs: z.array(z.unknown()).default([]),
    }),
  }),
);

type Door = Pick<Dom0, "run" | "list" | "facts" | "owner" | "readText">;

export async function lookAtMachine(
  dom0: Door,
  ports: Pick<UsbPorts, "controllers" | "plugged" | "read">,
  needed: () => Promise<Needed[]>,
): Promise<Machine> {
  const xl = await said(dom0, "xl", "list", "--long");
  const guests = "text" in xl ? guestsOf(xl.text) : null;
  const files = ((await dom0.list(CONSOLES)) ?? []).filter((name) => /^guest-.+\.log$/.test(name));
  const bridges = [...new Set((guests ?? []).flatMap(({ nics }) => nics.flatMap(({ bridge }) => bridge ?? [])))];
  const has = async (path: string) => (await dom0.facts(path)) !== undefined;
  const pinned = await findKeyboards(ports);
  return {
    guests,
    ...(guests === null && { whyNoGuests: "why" in xl ? xl.why : "what xl prints is not understood" }),
    guestFiles: guests === null ? [] : await findGuestFiles(dom0),
    consoles: files.length > 0 ? { folder: CONSOLES, files } : null,
    volumes: volumesOf(await said(dom0, "lsblk", "--json", "--paths", "--output", "PATH,TYPE,UUID")),
    bridgeAddresses: await addressesOf(dom0, bridges.slice(0, BRIDGES_MAX)),
    programs: { suricata: await has("/usr/bin/suricata"), ulogd: await has("/usr/sbin/ulogd") },
    usb: {
      controllers: (await ports.controllers()).length,
      pinned,
      unpinned: await unpinnedKeyboards(ports),
      needed: await needed(),
    },
  };
}

type Said = { text: string } | { why: string };

async function said(dom0: Pick<Dom0, "run">, program: string, ...args: string[]): Promise<Said> {
  try {
    const ran = await dom0.run(program, args, { timeoutMs: MS_MAX });
    if (ran.code === 0) return { text: ran.stdout };
    return { why: (ran.stderr.trim().split("\n")[0] || `${program} ended with ${ran.code}`).slice(0, 300) };
  } catch (error) {
    return { why: (error as Error).message };
  }
}

function parsed<T>(text: string, shape: z.ZodType<T>): T | undefined {
  try {
    const read = shape.safeParse(JSON.parse(text));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

export function guestsOf(text: string): SeenGuest[] | null {
  const domains = parsed(text, Domains);
  if (!domains) return null;
  return domains
    .filter(({ domid }) => domid > 0)
    .map(({ config }) => ({
      name: config.c_info.name,
      nics: config.nics.map(({ mac, bridge, ifname, ip }) => ({
        ...(ifname !== undefined && { name: ifname }),
        ...(mac !== undefined && { mac }),
        ...(bridge !== undefined && { bridge }),
        addresses: (ip ?? "").split(/\s+/).filter(Boolean),
      })),
      disks: config.disks.flatMap(({ pdev_path }) => pdev_path ?? []),
      channels: config.channels.flatMap((channel) => channel["connection.socket"]?.path ?? []),
      passedThrough: config.pcidevs.length,
    }));
}

type Block = { path: string; type: string; uuid?: string | null | undefined; children?: Block[] | undefined };
const Block: z.ZodType<Block> = z.lazy(() =>
  z.object({ path: z.string(), type: z.string(), uuid: z.string().nullish(), children: z.array(Block).optional() }),
);

export function volumesOf(said: Said): SeenVolume[] {
  const found = "text" in said ? parsed(said.text, z.object({ blockdevices: z.array(Block) })) : undefined;
  const walk = (block: Block): SeenVolume[] =>
    (block.children ?? []).flatMap((child) => [
      ...(child.type === "crypt"
        ? [{ mapping: child.path.replace(/^\/dev\/mapper\//, ""), device: stable(block) }]
        : []),
      ...walk(child),
    ]);
  return (found?.blockdevices ?? []).flatMap(walk);
}

/** A name that another order of disks does not change. */
const stable = ({ path, uuid }: Block): string => (uuid ? `/dev/disk/by-uuid/${uuid}` : path);

const Links = z.array(
  z.object({ addr_info: z.array(z.object({ family: z.string(), local: z.string() })).default([]) }),
);

async function addressesOf(dom0: Pick<Dom0, "run">, bridges: string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const bridge of bridges) {
    const shown = await said(dom0, "ip", "-json", "address", "show", "dev", bridge);
    const links = "text" in shown ? parsed(shown.text, Links) : undefined;
    const own = links?.flatMap(({ addr_info }) => addr_info).find(({ family }) => family === "inet");
    if (own) found[bridge] = own.local;
  }
  return found;
}

/** Those that no pin can let in: they would be cut off. */
async function unpinnedKeyboards(ports: Pick<UsbPorts, "plugged" | "read">): Promise<string[]> {
  const found: string[] = [];
  for (const { port, authorised } of await ports.plugged()) {
    const read = authorised ? await ports.read(port) : undefined;
    if (!read?.ok || !read.value.interfaces.includes(BOOT_KEYBOARD) || isKeyboard(read.value)) continue;
    found.push(`${port} ${read.value.id} ${read.value.name}`.trim());
  }
  return found;
}
