/** A fleet with something to look at: every state a page has to show, the same at each run but for its keys and times. */
import { createHash } from "node:crypto";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { POLICY_TEMPLATE } from "@sallyport/shared/policy/template.ts";
import type pg from "pg";
import { raise } from "../../apps/web/src/alert/raise.ts";
import { publish } from "../../apps/web/src/policy/publish.ts";
import { makeGroup } from "../../apps/web/src/policy/store.ts";
import type { ConsoleKey } from "../../apps/web/src/trail/key.ts";
import { type Seen, seedTrail, seedWorkstation } from "../../apps/web/test/seed.ts";
import { evidenceOf } from "./machine-evidence.ts";
import { type GroupName, LAYOUT, MACHINES, type Machine } from "./machines.ts";
import { seedRefused } from "./refused.ts";

const hex = (text: string) => createHash("sha256").update(text).digest("hex");
const SECTIONS = ["usb", "network", "ids", "log", "disk", "agent"];

export type FleetSeeded = {
  groups: Record<GroupName, string>;
  workstations: Map<string, string>;
};

export async function seedFleet(pool: pg.Pool, key: ConsoleKey): Promise<FleetSeeded> {
  const tx = await pool.connect();
  const groups = {
    laboratory: await makeGroup(tx, "laboratory", key),
    finance: await makeGroup(tx, "finance", key),
    "front desk": await makeGroup(tx, "front desk", key),
  };
  const revisions: [GroupName, string, string][] = [
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
    const seen = evidenceOf(machine);
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
