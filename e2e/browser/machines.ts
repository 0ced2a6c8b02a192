/** The machines of the fleet that pages are looked at with: one for each state a page has to show. */
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export const LAYOUT = {
  direct: {
    hypervisor: "xen",
    version: "4.20.1",
    isolation: "direct-map",
    regions: [
      { owner: "win11-lab", from: "0x0", to: "0x300000000", oneToOne: true },
      { owner: "xen", from: "0x300000000", to: "0x308000000" },
      { owner: "dom0", from: "0x308000000", to: "0x3c0000000" },
      { owner: "debian-build", from: "0x3c0000000", to: "0x400000000" },
    ],
    devices: [
      { sbdf: "0000:01:00.0", class: "VGA", owner: "win11-lab", interrupt: "MSI" },
      { sbdf: "0000:00:14.0", class: "USB", owner: "dom0" },
    ],
    audit: { pages: 3_145_728, wrong: 0 },
  },
  iommu: {
    hypervisor: "xen",
    version: "4.20.1",
    isolation: "iommu",
    iommu: "vt-d",
    regions: [
      { owner: "xen", from: "0x0", to: "0x8000000" },
      { owner: "dom0", from: "0x8000000", to: "0x100000000" },
      { owner: "fin-office", from: "0x100000000", to: "0x500000000" },
    ],
    devices: [{ sbdf: "0000:02:00.0", class: "VGA", owner: "fin-office", interrupt: "MSI-X" }],
  },
  bare: { hypervisor: "none", isolation: "none", regions: [], devices: [] },
} as unknown as Record<"direct" | "iommu" | "bare", HypervisorLayout>;

export type GroupName = "laboratory" | "finance" | "front desk";

export type Machine = {
  name: string;
  group: GroupName;
  labels: string[];
  agoMs: number;
  layout?: keyof typeof LAYOUT;
  order?: number;
  failed?: string;
  /** What the firewall says of vifs that are bound to no card. */
  unbound?: string;
  spool?: number;
  skewMs?: number;
  guest: string;
};

export const MACHINES: Machine[] = [
  {
    name: "lab-07",
    group: "laboratory",
    labels: ["canary", "floor:3"],
    agoMs: 20_000,
    layout: "direct",
    order: 3,
    guest: "win11-lab",
  },
  {
    name: "lab-12",
    group: "laboratory",
    labels: ["floor:3"],
    agoMs: 45_000,
    layout: "direct",
    order: 2,
    spool: 412,
    unbound:
      "NOT BOUND to a card, so that its guest may use any MAC: vif-lab; xenstore does not answer (xenstore-ls: no answer in 10 s). Set firewall.vifs[].mac.",
    guest: "win11-lab",
  },
  {
    name: "lab-19",
    group: "laboratory",
    labels: [],
    agoMs: 25 * MINUTE_MS,
    layout: "direct",
    order: 3,
    skewMs: -7_300,
    guest: "win11-lab",
  },
  { name: "fin-02", group: "finance", labels: ["board"], agoMs: 5_000, layout: "iommu", order: 1, guest: "fin-office" },
  {
    name: "fin-03",
    group: "finance",
    labels: [],
    agoMs: 30_000,
    layout: "iommu",
    order: 1,
    failed: "disk",
    guest: "fin-office",
  },
  {
    name: "fin-04",
    group: "finance",
    labels: ["spare"],
    agoMs: 5 * HOUR_MS,
    layout: "iommu",
    order: 1,
    spool: 18_204,
    guest: "fin-office",
  },
  {
    name: "reception-with-a-rather-long-host-name-01",
    group: "front desk",
    labels: ["public", "kiosk", "floor:0"],
    agoMs: 60_000,
    layout: "bare",
    guest: "kiosk",
  },
  { name: "spare-01", group: "front desk", labels: [], agoMs: 90_000, guest: "kiosk" },
];
