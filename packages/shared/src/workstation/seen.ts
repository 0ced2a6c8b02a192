/** What dom0 can see of the machine below it, as text → facts. Parsing only; isolation.ts judges. Nothing here throws. */

/** Each text as its file or command gave it; absent where it could not be read. Bound their sizes before. */
export type Seen = {
  /** /sys/hypervisor/type */
  type?: string | undefined;
  /** /proc/xen/capabilities */
  capabilities?: string | undefined;
  /** `xl info` */
  info?: string | undefined;
  /** `xl dmesg`, whatever is left of it */
  dmesg?: string | undefined;
  /** `xl list` */
  domains?: string | undefined;
  /** `xenhypfs cat /lowmem/NAME`: what the patched hypervisor says of the direct-mapped guest */
  lowmem?: Partial<Record<LowmemLeaf, string | undefined>> | undefined;
  /** `xl pci-list NAME` of each guest, by the guest's name; undefined for one that could not be asked about */
  assigned?: Record<string, string | undefined> | undefined;
  /** Of /sys/bus/pci/devices, by address: the files `class` and `irq` */
  devices?: Record<string, { class?: string | undefined; irq?: string | undefined }> | undefined;
};

export const LOWMEM_LEAVES = ["layout", "pool", "holes", "owner", "devices", "audit", "used_pages", "error"] as const;
export type LowmemLeaf = (typeof LOWMEM_LEAVES)[number];

const LINES_MAX = 20_000;

const lines = (text: string | undefined) => (text ?? "").split("\n", LINES_MAX);

/** `name : value` lines, as `xl info` prints them. */
export function infoFacts(info: string | undefined): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of lines(info)) {
    const colon = line.indexOf(":");
    if (colon > 0) facts.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return facts;
}

export type Range = { from: string; to: string };

/** `0x100000-0x40000000,0x…-0x…`; what is no range (`none`, `+3`) is left out. */
export function ranges(text: string | undefined): Range[] {
  return (text ?? "").split(",").flatMap((each) => {
    const found = /^\s*(0x[0-9a-f]{1,16})-(0x[0-9a-f]{1,16})\s*$/.exec(each);
    return found && BigInt(found[1]!) < BigInt(found[2]!) ? [{ from: found[1]!, to: found[2]! }] : [];
  });
}

/** `pool=… xen=… dom0=… iommu=…` of /lowmem/layout; undefined where the hypervisor is not ours or the option is off. */
export function lowmemLayout(text: string | undefined): { xen: Range[]; dom0: Range[]; iommu: string } | undefined {
  const fields = new Map(
    (text ?? "")
      .trim()
      .split(/\s+/)
      .map((field) => splitOnce(field, "=")),
  );
  const iommu = fields.get("iommu");
  return iommu === undefined ? undefined : { xen: ranges(fields.get("xen")), dom0: ranges(fields.get("dom0")), iommu };
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** `pages=261888 direct=196608 absent=65280 wrong=0`: how many pages were compared, and how many lie elsewhere. */
export function auditOf(text: string | undefined): { pages: number; wrong: number } | undefined {
  const number = (name: string) => {
    const found = new RegExp(`(?:^|\\s)${name}=(\\d{1,15})(?:\\s|$)`).exec((text ?? "").trim());
    return found ? Number(found[1]) : undefined;
  };
  const [direct, wrong] = [number("direct"), number("wrong")];
  return direct === undefined || wrong === undefined ? undefined : { pages: direct + wrong, wrong };
}

/** Names of running domains by their number, dom0 included. */
export function domainNames(text: string | undefined): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of lines(text).slice(1)) {
    const found = /^(\S.*?)\s+(\d{1,5})\s+\d+\s+\d+\s+\S+\s+[\d.]+\s*$/.exec(line);
    if (found) names.set(Number(found[2]), found[1]!);
  }
  return names;
}

const ADDRESS = /(?<![0-9a-f:])(?:([0-9a-f]{4}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?![0-9])/;

/** A PCI address in full, lower case: `0000:00:10.0`. */
export function fullAddress(text: string): string | undefined {
  const found = ADDRESS.exec(text.toLowerCase());
  return found ? `${found[1] ?? "0000"}:${found[2]}` : undefined;
}

/** Addresses in a list or in `xl pci-list`'s second column. */
export const addresses = (text: string | undefined): string[] =>
  (text ?? "").split(/[\n,]/, LINES_MAX).flatMap((each) => fullAddress(each) ?? []);

/** What Xen said of the IOMMU while it booted; undefined where those lines are gone. */
export function iommuSaid(dmesg: string | undefined): { on: boolean; kind?: "AMD-Vi" | "VT-d" } | undefined {
  let found: { on: boolean; kind?: "AMD-Vi" | "VT-d" } | undefined;
  for (const line of lines(dmesg)) {
    // A guest's own words reach this log too, marked with its number.
    if (!line.startsWith("(XEN)")) continue;
    // The direct map makes Xen call its I/O virtualisation enabled all the same.
    if (line.includes("devices are passed through WITHOUT IOMMU")) return { on: false };
    const said = /^\(XEN\)(?:\s*\[[^\]]*\])?\s*I\/O virtualisation (enabled|disabled)\s*$/.exec(line);
    if (said) found = { ...found, on: said[1] === "enabled" };
    const kind = /^\(XEN\)(?:\s*\[[^\]]*\])?\s*(AMD-Vi|\[?VT-D\]?)/i.exec(line)?.[1];
    if (kind && found?.on !== false) found = { on: found?.on ?? false, kind: /amd/i.test(kind) ? "AMD-Vi" : "VT-d" };
  }
  return found;
}

/** PCI class codes in words, by base class and subclass (PCI Code and ID Assignment). */
const CLASSES: Record<string, string> = {
  "03": "display",
  "0c03": "usb controller",
  "01": "storage",
  "02": "network",
  "04": "multimedia",
  "06": "bridge",
  "07": "communication",
  "0c": "serial bus",
  "0d": "wireless",
};

/** sysfs' `0x038000` → `display`; a class without a word stays a number. */
export function className(text: string | undefined): string {
  const code = /^0x([0-9a-f]{6})$/.exec((text ?? "").trim())?.[1];
  if (code === undefined) return "unknown";
  return CLASSES[code.slice(0, 4)] ?? CLASSES[code.slice(0, 2)] ?? `class ${code.slice(0, 4)}`;
}
