/** What dom0 sees → the body of `hypervisor.layout`: where everything lies, and how the guest's device is kept from it. */
import { unreachable } from "../base/unreachable.ts";
import type { HypervisorLayout, Isolation } from "../record/hypervisor.ts";
import {
  addresses,
  auditOf,
  className,
  domainNames,
  fullAddress,
  infoFacts,
  iommuSaid,
  lowmemLayout,
  type Range,
  ranges,
  type Seen,
} from "./seen.ts";

type Judged = { body: HypervisorLayout; severity: "info" | "warning" | "critical"; text: string };

const nothing = (text: string): Judged => ({
  body: { hypervisor: "none", isolation: "none", regions: [], devices: [] },
  severity: "info",
  text,
});

/** The IOMMU as far as dom0 can know it. `unknown` is treated like `absent`: what is not shown is not believed. */
export type Iommu = "on" | "absent" | "unknown";

/**
 * The patched hypervisor says it outright. Otherwise Xen's boot log does. `xl info`'s `hvm_directio` counts only where
 * no low memory was asked for: with it, Xen sets the capability although nothing stands between device and memory.
 */
export function iommuOf(seen: Seen): Iommu {
  const layout = lowmemLayout(seen.lowmem?.layout);
  if (layout) return layout.iommu === "hardware" ? "on" : "absent";
  const facts = infoFacts(seen.info);
  if (/(^|\s)lowmem_domu=/.test(facts.get("xen_commandline") ?? "lowmem_domu=")) return "unknown";
  const said = iommuSaid(seen.dmesg);
  if (said) return said.on ? "on" : "absent";
  const capabilities = facts.get("virt_caps");
  if (capabilities === undefined) return "unknown";
  return capabilities.split(/\s+/).includes("hvm_directio") ? "on" : "absent";
}

/** The grade follows from two facts alone: does a guest have a real device, and does an IOMMU stand behind it. A guest
 *  whose devices could not be read may have one. */
export function gradeOf(direct: number, guests: number, iommu: Iommu): Isolation {
  if (direct > 0) return iommu === "on" ? "iommu" : "direct-map";
  return guests > 0 ? "emulated" : "none";
}

const NAME_CHARACTERS_MAX = 128;
const DEVICES_MAX = 256;
const REGIONS_MAX = 256;
/** Xen's own bound on the sentence. */
const ERROR_CHARACTERS_MAX = 160;

export function layoutOf(seen: Seen): Judged {
  if (seen.type?.trim() !== "xen") return nothing("no hypervisor below this machine");
  if (!seen.capabilities?.includes("control_d"))
    return nothing("this machine is itself a guest of Xen, which shows it nothing of what is below");

  const facts = infoFacts(seen.info);
  const names = domainNames(seen.domains);
  const iommu = iommuOf(seen);
  const owner = ownerOf(seen, names);
  const audit = owner === undefined ? undefined : auditOf(seen.lowmem?.audit);
  const direct = directDevices(seen, owner);
  const unread = unreadGuests(seen, owner);
  const guests = [...names.keys()].filter((id) => id !== 0).length;
  const feared = iommu === "on" ? 0 : unread.length;
  const isolation = gradeOf(direct.size + feared, Math.max(guests, direct.size > 0 ? 1 : 0), iommu);
  const version = facts.get("xen_version");
  const body: HypervisorLayout = {
    hypervisor: "xen",
    ...(version && { version: version.slice(0, NAME_CHARACTERS_MAX) }),
    isolation,
    iommu: iommuWord(seen, iommu),
    regions: regionsOf(seen, owner, audit).slice(0, REGIONS_MAX),
    devices: devicesOf(seen, direct).slice(0, DEVICES_MAX),
    ...(audit && { audit }),
  };
  // Domain-0 is in every list: one without it was not read.
  const { severity, text } =
    isolation === "none" && names.size === 0
      ? { severity: "warning" as const, text: `${xenOf(body)}: which guests run could not be read` }
      : told(body, direct, feared > 0 ? unread : [], iommu);
  const refused = seen.lowmem?.error?.trim().slice(0, ERROR_CHARACTERS_MAX);
  if (!refused) return { body, severity, text };
  return {
    body,
    severity: severity === "critical" ? severity : "warning",
    text: `${text}; Xen's command line is wrong: ${refused}`,
  };
}

function iommuWord(seen: Seen, iommu: Iommu): string {
  if (iommu !== "on") return iommu;
  return iommuSaid(seen.dmesg)?.kind ?? "on";
}

/** The guest the low memory belongs to, by name where it has one. */
function ownerOf(seen: Seen, names: ReadonlyMap<number, string>): string | undefined {
  const id = /^d(\d{1,5})$/.exec((seen.lowmem?.owner ?? "").trim())?.[1];
  return id === undefined ? undefined : (names.get(Number(id)) ?? `d${id}`).slice(0, NAME_CHARACTERS_MAX);
}

/** Devices that a guest has for its own, with that guest. */
function directDevices(seen: Seen, owner: string | undefined): Map<string, string> {
  const found = new Map<string, string>();
  for (const [guest, text] of Object.entries(seen.assigned ?? {}))
    for (const address of addresses(text)) found.set(address, guest.slice(0, NAME_CHARACTERS_MAX));
  if (owner !== undefined) for (const address of addresses(seen.lowmem?.devices)) found.set(address, owner);
  return found;
}

/** Guests of which nobody could say what devices they have. */
function unreadGuests(seen: Seen, owner: string | undefined): string[] {
  const unread = Object.entries(seen.assigned ?? {}).flatMap(([guest, text]) => (text === undefined ? [guest] : []));
  if (owner !== undefined && seen.lowmem?.devices === undefined) unread.push(owner);
  return [...new Set(unread.map((guest) => guest.slice(0, NAME_CHARACTERS_MAX)))];
}

/** Of dom0's own devices, those that people ask about: a machine's bridges and timers would only hide them. */
const TOLD = ["display", "usb controller", "network", "storage", "wireless"];

function devicesOf(seen: Seen, direct: ReadonlyMap<string, string>): HypervisorLayout["devices"] {
  const known = new Set([
    ...direct.keys(),
    ...Object.keys(seen.devices ?? {}).filter((key) => fullAddress(key) === key),
  ]);
  return [...known].sort().flatMap((sbdf) => {
    const { class: code, irq } = seen.devices?.[sbdf] ?? {};
    const line = /^\d{1,5}$/.exec((irq ?? "").trim())?.[0];
    const device = {
      sbdf,
      class: className(code),
      owner: direct.get(sbdf) ?? "dom0",
      ...(line !== undefined && line !== "0" && { interrupt: line }),
    };
    return direct.has(sbdf) || TOLD.includes(device.class) ? [device] : [];
  });
}

function regionsOf(
  seen: Seen,
  owner: string | undefined,
  audit: { wrong: number } | undefined,
): HypervisorLayout["regions"] {
  const layout = lowmemLayout(seen.lowmem?.layout);
  if (!layout) return [];
  const of = (who: string) => (range: Range) => ({ owner: who, ...range });
  const pool = ranges(seen.lowmem?.pool).map((range) =>
    owner === undefined
      ? { owner: "reserved", ...range }
      : { owner, ...range, ...(audit && { oneToOne: audit.wrong === 0 }) },
  );
  const all = [
    ...pool,
    ...ranges(seen.lowmem?.holes).map(of("hole")),
    ...layout.xen.map(of("xen")),
    ...layout.dom0.map(of("dom0")),
  ];
  return all.sort((a, b) => (BigInt(a.from) < BigInt(b.from) ? -1 : 1));
}

const xenOf = (body: HypervisorLayout) => `Xen ${body.version ?? "of unknown version"}`;

/** One line for people; a direct map is a warning, and one that is not what it claims is critical. */
function told(
  body: HypervisorLayout,
  direct: ReadonlyMap<string, string>,
  unread: readonly string[],
  iommu: Iommu,
): { severity: Judged["severity"]; text: string } {
  const xen = xenOf(body);
  const who = [
    ...[...direct].map(([sbdf, guest]) => `${guest} has ${sbdf}`),
    ...unread.map((guest) => `${guest} may have a device (it could not be read)`),
  ].join(", ");
  switch (body.isolation) {
    case "iommu":
      return { severity: "info", text: `${xen}: ${who}, kept to its own memory by the IOMMU (${body.iommu})` };
    case "direct-map": {
      const why = iommu === "absent" ? "no IOMMU" : "no IOMMU that dom0 could see";
      const map = body.audit && `${body.audit.pages} pages of its memory checked, ${body.audit.wrong} not one to one`;
      const text = [`${xen}: ${who} with ${why}: such a device can reach all memory of this machine`, map];
      const broken = (body.audit?.wrong ?? 0) > 0;
      return { severity: broken ? "critical" : "warning", text: text.filter(Boolean).join("; ") };
    }
    case "emulated":
      return { severity: "info", text: `${xen}: no guest has a device of its own` };
    case "none":
      return { severity: "info", text: `${xen}: no guest is running` };
    default:
      return unreachable(body.isolation);
  }
}
