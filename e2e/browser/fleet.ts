/** A fleet with something to look at: every state a page has to show, the same at each run but for its keys and times. */
import { createHash } from "node:crypto";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { POLICY_TEMPLATE } from "@sallyport/shared/policy/template.ts";
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import type pg from "pg";
import { raise } from "../../apps/web/src/alert/raise.ts";
import { publish } from "../../apps/web/src/policy/publish.ts";
import { makeGroup } from "../../apps/web/src/policy/store.ts";
import type { ConsoleKey } from "../../apps/web/src/trail/key.ts";
import { type Seen, seedTrail, seedWorkstation } from "../../apps/web/test/seed.ts";
import { seedRefused } from "./refused.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const hex = (text: string, algorithm = "sha256") => createHash(algorithm).update(text).digest("hex");
const SECTIONS = ["usb", "network", "ids", "log", "disk", "agent"];

export const STOLEN_STICK = { sha256: hex("stick of the invoice"), size: 31_914_983_424 };
const INVOICE = "Rechnungen/2026/invoice_2026_Q3 final (2).zip!/invoice.scr";
/** 500 characters and no space: what breaks a layout that was only tried with lorem ipsum. */
const LONG_LINE = `GET /update?token=${"a9f3e1c7".repeat(48)} HTTP/1.1 from 198.51.100.23 \u001b[31mnot red\u202e`;

export type FleetSeeded = {
  groups: Record<"laboratory" | "finance" | "front desk", string>;
  workstations: Map<string, string>;
};

const LAYOUT = {
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

type Machine = {
  name: string;
  group: keyof FleetSeeded["groups"];
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

const MACHINES: Machine[] = [
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

export async function seedFleet(pool: pg.Pool, key: ConsoleKey): Promise<FleetSeeded> {
  const tx = await pool.connect();
  const groups = {
    laboratory: await makeGroup(tx, "laboratory", key),
    finance: await makeGroup(tx, "finance", key),
    "front desk": await makeGroup(tx, "front desk", key),
  };
  const revisions: [keyof typeof groups, string, string][] = [
    ["laboratory", POLICY_TEMPLATE, "The defaults, written down"],
    [
      "laboratory",
      POLICY_TEMPLATE.replace("unscannable: hold", "unscannable: block"),
      "Encrypted archives brought in twice this month",
    ],
    [
      "laboratory",
      POLICY_TEMPLATE.replace("definitionsDaysMax: 14", "definitionsDaysMax: 7"),
      "Definitions come daily now",
    ],
    ["finance", POLICY_TEMPLATE, "As the laboratory"],
  ];
  const digests = new Map<string, string>();
  for (const [name, source, message] of revisions) {
    const read = readPolicy(source);
    if (!read.ok) throw new Error(JSON.stringify(read.faults));
    const basedOn = [...digests.keys()].filter((each) => each.startsWith(name)).length;
    const asked = {
      group: groups[name],
      source,
      policy: read.policy,
      message,
      basedOn,
      author: "ada",
      now: new Date(),
    };
    const { order, digest } = await publish(tx, key, asked);
    digests.set(`${name}/${order}`, digest);
  }
  tx.release();
  const workstations = new Map<string, string>();
  for (const machine of MACHINES) {
    const id = await seedWorkstation(pool, {
      name: machine.name,
      group: groups[machine.group],
      labels: machine.labels,
      lastReceiptAgoMs: machine.agoMs,
      skewMs: machine.skewMs ?? 120,
    });
    workstations.set(machine.name, id);
    const seen = evidence(machine);
    const trail = await seedTrail(pool, id, seen);
    await seedAlerts(pool, id, trail, seen);
    if (machine.layout) await seedReport(pool, id, groups[machine.group], machine, digests);
  }
  await seedRefused(pool, workstations.get("lab-07") ?? "");
  await pool.query("UPDATE workstation SET state = 'quarantined', state_reason = $2 WHERE id = $1", [
    workstations.get("spare-01"),
    "two live sessions sign with its key: a cloned disk",
  ]);
  return { groups, workstations };
}

async function seedReport(pool: pg.Pool, id: string, group: string, machine: Machine, digests: Map<string, string>) {
  const at = new Date(Date.now() - machine.agoMs).toISOString();
  const digest = machine.order && digests.get(`${machine.group}/${machine.order}`);
  const outcome = (name: string) => {
    if (name === machine.failed) return { outcome: "failed", reason: "cryptsetup status: no such device guest-root" };
    if (name === "ids" && machine.layout !== "iommu")
      return { outcome: "not-applied", reason: "no applier for it in this version" };
    if (name === "ids") {
      const running = { version: "7.0.10 RELEASE", loaded: 41_869, failed: 3, packets: 812_004, drops: 11 };
      const reason =
        "3 of 41872 rules are not understood by the detector and are not in force: signature 2060001 in line 18221: detect-parse: unknown rule keyword 'ja4.hash'.";
      return { outcome: "applied", reason, found: { running, rules: { sha256: hex("rules"), count: 41_872 } } };
    }
    if (name === "network") {
      const drops = {
        [machine.guest]: { "otherwise out": 1_412, "rule 3 no-telnet": 96, spoofed: 7, invalid: 2 },
        "guest-lab": { "otherwise in": 4 },
      };
      if (machine.unbound)
        return { outcome: "applied", reason: machine.unbound, found: { drops, unbound: [machine.unbound] } };
      return { outcome: "applied", found: { drops } };
    }
    return { outcome: "applied" };
  };
  const document = {
    workstation: id,
    session: "11111111-1111-4111-8111-111111111111",
    at,
    agentVersion: "0.1.0",
    hostname: machine.name,
    group,
    trail: { id: "22222222-2222-4222-8222-222222222222", size: 64, root: hex("root") },
    spool: { records: machine.spool ?? 0, bytes: (machine.spool ?? 0) * 640, bytesMax: 2 ** 30 },
    policy: digest ? { digest, order: machine.order, taken: at, old: false } : null,
    sections: Object.fromEntries(SECTIONS.map((name) => [name, outcome(name)])),
    sources: {
      "syslog udp 127.0.0.1:5514": { state: "running" },
      "eve /var/log/suricata/eve.json":
        machine.layout === "bare" ? { state: "absent", reason: "no such file" } : { state: "running" },
      "console /var/log/xen/console": { state: machine.layout === "bare" ? "absent" : "running" },
      health: { state: "running" },
      hypervisor: { state: "running" },
    },
    layout: machine.layout && LAYOUT[machine.layout],
    guests: [{ id: machine.guest, name: machine.guest }],
  };
  await pool.query("INSERT INTO reported (workstation_id, at, received_at, document) VALUES ($1, $2, $2, $3)", [
    id,
    at,
    JSON.stringify(document),
  ]);
}

/** Alerts as ingest raises them. */
async function seedAlerts(pool: pg.Pool, id: string, trail: number, seen: Seen[]): Promise<void> {
  for (const [index, each] of seen.entries()) {
    const severity = ["debug", "info", "notice", "warning", "error", "critical"].indexOf(each.severity);
    const raised = raise({ ...each, workstation: id, trail, index, timeMs: Date.now(), severity, guest: each.guest });
    if (!raised) continue;
    await pool.query(
      `INSERT INTO alert (key, workstation_id, trail, index, kind, severity, title, reason, raised_at, last_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (key) DO UPDATE SET count = alert.count + 1`,
      [
        raised.key,
        id,
        trail,
        index,
        raised.kind,
        severity,
        raised.title,
        raised.reason,
        new Date(Date.now() - each.agoMs),
      ],
    );
  }
}

const guestLine = (guest: string, app: string, process: string, message: string, level: Seen["severity"] = "info") => ({
  kind: "guest.log",
  severity: level,
  guest,
  text: `${app}[${process}]: ${message}`,
  body: {
    via: "udp",
    from: "vif1.0",
    format: "rfc5424",
    app,
    process,
    message,
    claimedHost: "WIN11",
    claimedTime: "2026-11-24T08:00:00Z",
  },
});

const connection = (flow: string, port: number) => ({
  flow,
  source: "10.137.0.14",
  sourcePort: port,
  destination: "203.0.113.66",
  destinationPort: 8443,
  protocol: "TCP",
  eventTime: "2026-11-24T08:00:00.000+0000",
});

function evidence({ name, guest, agoMs }: Machine): Seen[] {
  const flow = "1889216389123456789";
  const opened = {
    kind: "trail.opened",
    severity: "notice",
    text: `a trail was opened on ${name}`,
    body: {
      trail: "33333333-3333-4333-8333-333333333333",
      agentVersion: "0.1.0",
      hostname: name,
      session: "11111111-1111-4111-8111-111111111111",
    },
  } as const;
  const said = [
    guestLine(guest, "kernel", "0", "usb 1-2: new high-speed USB device number 7 using xhci_hcd"),
    guestLine(guest, "sshd", "411", "Failed password for root from 203.0.113.9 port 40022 ssh2", "warning"),
    guestLine(guest, "sshd", "411", "Connection closed by authenticating user root 203.0.113.9 port 40022 [preauth]"),
    guestLine(guest, "nginx", "980", LONG_LINE),
    guestLine(guest, "systemd", "1", "Started Daily apt download activities."),
    guestLine(guest, "MsMpEng", "2204", "Echtzeitschutz: Signaturversion 1.401.2.0 geladen"),
  ];
  const seen: Omit<Seen, "agoMs">[] = [opened, ...said];
  if (name.startsWith("lab") || name.startsWith("fin-02")) {
    seen.push(
      {
        kind: "ids.event",
        severity: "info",
        text: `tls ${"win.example-cdn.net"} 10.137.0.14:51544 → 203.0.113.66:8443`,
        guest,
        body: { ...connection(flow, 51_544), type: "tls", event: {} },
      },
      {
        kind: "ids.alert",
        severity: "error",
        text: "ET MALWARE Cobalt Strike Beacon Observed 10.137.0.14:51544 → 203.0.113.66:8443",
        guest,
        body: {
          ...connection(flow, 51_544),
          signature: "ET MALWARE Cobalt Strike Beacon Observed",
          signatureId: 2_032_362,
          generator: 1,
          revision: 2,
          category: "Malware Command and Control Activity Detected",
          action: "allowed",
          event: {},
        },
      },
      {
        kind: "net.drop",
        severity: "notice",
        text: "dropped 203.0.113.66:8443 → 10.137.0.14:51544 by egress-default",
        guest,
        body: {
          ...connection("", 51_544),
          source: "203.0.113.66",
          sourcePort: 8443,
          destination: "10.137.0.14",
          destinationPort: 51_544,
          rule: "egress-default",
          in: "vif1.0",
          bytes: 1420,
          event: {},
        },
      },
    );
  }
  if (name === "lab-07" || name === "fin-02")
    seen.push(...stick(name === "lab-07" ? "SanDisk Ultra 32 GB" : "unnamed stick", true));
  if (name === "lab-12") seen.push(...stick("Kingston DT100 – Quartalszahlen und anderes", false));
  seen.push(...said.slice(1, 3), {
    kind: "agent.health",
    severity: "info",
    text: "up 4 d, 61 MB resident, clock synchronised, 412 GB free",
    body: {
      agentVersion: "0.1.0",
      node: "v24.21.0",
      uptimeSeconds: 345_600,
      residentBytes: 61_000_000,
      clock: { synchronised: true },
      spool: { records: 0, bytes: 0, bytesMax: 2 ** 30 },
      versions: { suricata: "7.0.10" },
    },
  });
  return seen.map((each, at) => ({ ...each, agoMs: agoMs + (seen.length - at) * 1_700 }));
}

/** A stick from being seen to being pulled out; one that is not bad is held, and asks to pass. */
export function stick(source: string, bad: boolean): Omit<Seen, "agoMs">[] {
  const id = `1-2/0781:5581/${hex(source).slice(0, 8)}`;
  const file = (path: string, size: number, type: string, finding = "clean", detail?: string) => ({
    path,
    size,
    md5: hex(path, "md5"),
    sha256: hex(path),
    type,
    finding,
    ...(detail && { detail }),
  });
  const manifest = [
    ...Array.from({ length: 34 }, (_, at) =>
      file(`Fotos/2026-11/IMG_${4_100 + at}.jpg`, 3_400_000 + at * 7_919, "image/jpeg"),
    ),
    file(
      "Rechnungen/2026/Übersicht Quartal 3 mit allen Anlagen und dem Schriftverkehr, endgültige Fassung.xlsx",
      88_214,
      "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    file("geheim.7z", 5_242_880, "application/x-7z-compressed", "unscannable", "encrypted"),
    ...(bad ? [file(INVOICE, 214_528, "application/x-dosexec", "infected", "Win.Trojan.Agent-6412")] : []),
  ];
  const verdict = bad ? "block" : "hold";
  const reason = bad ? "1 file is infected" : "1 file could not be looked into";
  const scan = {
    source,
    image: bad ? STOLEN_STICK : { sha256: hex(source), size: 7_969_177_600 },
    stick: id,
    verdict,
    reason,
    rule: bad ? "infected" : "unscannable",
    manifest,
    scanner: { engine: "ClamAV 1.4.3", definitions: "27312", date: "2026-11-21T07:31:00.000Z" },
    confined: "bubblewrap",
  };
  const step = (kind: string, text: string, body: object = {}) => ({
    kind,
    severity: "info" as const,
    text,
    body: { stick: id, ...body },
  });
  return [
    step("usb.device", `stick seen on port 1-2, held: one interface 08:06:50, claims serial 4C530001…1217`),
    step("usb.step", "classified: storage, allowed to be read"),
    step("usb.step", "read once and sealed, 362 MB/s", { imageSha256: scan.image.sha256 }),
    {
      kind: "usb.scan",
      severity: bad ? "error" : "warning",
      text: `${source}: ${verdict}, ${manifest.length} files, ${bad ? 1 : 0} infected, 1 unscannable; ${reason}`,
      body: { ...scan, device: id },
    },
    ...(bad ? [] : [asks(source, manifest.length, reason)]),
    step("usb.removed", "removed by the user, 41 s later"),
  ];
}

/** What a held stick waits for: a person who lets exactly these contents pass. */
const asks = (stick: string, files: number, reason: string): Omit<Seen, "agoMs"> => ({
  kind: "usb.request",
  severity: "warning",
  text: `${stick} waits for a person: ${reason}`,
  body: {
    ...{ stick, request: hex(`request ${stick}`), descriptors: hex(`descriptors ${stick}`), device: `${stick}=` },
    ...{ manifest: hex(`manifest ${stick}`), files, rule: "unscannable", reason },
  },
});
