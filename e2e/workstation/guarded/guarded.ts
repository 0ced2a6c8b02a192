/** One workstation with the agent's package in its dom0, enrolled with a console on this machine: what the promises share. */
import { setTimeout as delay } from "node:timers/promises";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Reported } from "@sallyport/shared/state/reported.ts";
import { build } from "../../../packages/deb/src/build.ts";
import type { Workstation } from "../workstation.ts";
import type { Watched } from "./console.ts";
import { BASE, DETECTOR_RULES, DETECTOR_RULES_SHA256, SHELL_RULE } from "./rules.ts";

const EPOCH = 1_795_000_000;
export const OLD = "0.9.0";
export const NEW = "0.9.1";
const LOOK_MS = 250;
/** Emulated, and beside other suites. */
export const WAIT_MS = 240_000;
/** As in dom0/etc/xen/guests. */
export const GUESTS = { primary: "10.77.0.2", second: "10.77.0.3" } as const;
export const CHANNEL = "/run/xen/primary-log.sock";

/** What a person who installs it writes: where evidence comes in on this machine. */
export const CONFIG = {
  guests: Object.entries(GUESTS).map(([id, address]) => ({
    ...{ id, addresses: [address], console: id },
    ...(id === "primary" && { sockets: [CHANNEL] }),
  })),
  guestNames: { primary: "the user's", second: "a second one" },
  udp: [{ host: "10.77.0.1", port: 514 }],
  consoles: [{ folder: "/var/log/xen/console", pattern: "guest-*.log" }],
  channels: [CHANNEL],
  ulogd: ["/var/log/sallyport-agent/drops.json"],
  firewall: {
    wire: "bridged",
    vifs: Object.entries(GUESTS).map(([guest, address], at) => ({
      ...{ name: `vif-${guest}`, guest, mac: `00:16:3e:77:00:0${at + 2}`, addresses: [address] },
    })),
  },
  ids: { interface: "xenbr0" },
  disk: { volume: "/dev/disk/by-id/virtio-primary", mapping: "primary" },
  usb: { guest: { by: "xl", guest: "primary" } },
};

export type Found = { kind: string; severity: string; text: string; guest: string | null; time: string; body: Body };
// biome-ignore lint/suspicious/noExplicitAny: each kind has its own, and a test names the fields it looks at
type Body = any;

export type Guarded = Watched & {
  workstation: Workstation;
  group: string;
  id: WorkstationId;
  /** Publishes a policy and waits until the workstation reports it in force. */
  enforce(policy: object, message: string): Promise<Reported>;
  reported(): Promise<Reported | undefined>;
  /** The oldest record of a kind that fits, of those the console has received since then; waited for. */
  record(kind: string, what: { since: Date; fits?: (found: Found) => boolean }): Promise<Found>;
  /** All of them that there are now, oldest first. */
  records(kind: string, since: Date): Promise<Found[]>;
};

/** Both versions of the package, as two releases of this source. */
export async function buildDebs(out: string): Promise<{ old: string; new: string }> {
  const pack = (version: string) => build({ version, out, epoch: EPOCH, compression: "gzip" });
  return { old: await pack(OLD), new: await pack(NEW) };
}

export async function until<T>(
  look: () => Promise<T | undefined | false | null>,
  what: string | (() => string),
  ms = WAIT_MS,
): Promise<T> {
  for (const end = Date.now() + ms; ; await delay(LOOK_MS)) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${ms / 1000} s: ${typeof what === "string" ? what : what()}`);
  }
}

/** The package is installed: enrols it by a token of the console's, and starts it. Its first report is in. */
export async function enrol(watched: Watched, workstation: Workstation): Promise<Guarded> {
  const { api } = watched;
  const { dom0 } = workstation;
  const [group] = await api.policy.groups.query();
  if (!group) throw new Error("the console has no group");
  await publish(watched, group.id, {}, "The tests' own shell in the guests stays");
  await dom0.run("cat > /var/lib/sallyport-agent/config.json", { input: JSON.stringify(CONFIG) });
  const artifacts = "/var/lib/sallyport-agent/artifacts";
  await dom0.run(`mkdir -p ${artifacts} && cat > ${artifacts}/${DETECTOR_RULES_SHA256}`, { input: DETECTOR_RULES });
  const pinned = await dom0.run("sallyport-agent pin-keyboards --json");
  if (!pinned.includes('"pins"') && !pinned.includes("port")) throw new Error(`no keyboard was pinned: ${pinned}`);
  const { token } = await api.enrol.make.mutate({ group: group.id as GroupId, labels: [], uses: 1, hours: 1 });
  await dom0.run("sallyport-agent enrol - --name desk", { input: token });
  await dom0.run("systemctl start sallyport-agent");
  const { rows } = await until(async () => {
    const page = await api.workstation.list.query({});
    return page.rows[0]?.reported && page;
  }, "the workstation's first report");
  return watch(watched, workstation, group.id, rows[0]!.id as WorkstationId);
}

async function publish({ api }: Watched, group: string, policy: object, message: string) {
  const found = await api.policy.group.query({ id: group as GroupId });
  const { network, ...rest } = policy as { network?: { rules?: object[] } };
  const whole = { ...BASE, ...rest, network: { ...network, rules: [SHELL_RULE, ...(network?.rules ?? [])] } };
  return api.policy.publish.mutate({
    ...{ group: group as GroupId, source: JSON.stringify(whole), message },
    basedOn: found.publications[0]?.order ?? 0,
  });
}

export function watch(watched: Watched, workstation: Workstation, group: string, id: WorkstationId): Guarded {
  const { api } = watched;
  const reported = async () => (await api.workstation.get.query({ id })).row.reported ?? undefined;
  const records = async (kind: string, since: Date): Promise<Found[]> => {
    const filter = { kind: [kind], workstation: [id], since: since.toISOString() };
    const { rows } = await api.record.list.query({ filter });
    const full = await Promise.all(rows.map(({ trail, index }) => api.record.get.query({ trail, index })));
    return full.reverse().map((each) => ({ ...each, text: each.text ?? "", body: each.body as Body }));
  };
  return {
    ...watched,
    ...{ workstation, group, id, reported, records },
    async enforce(policy, message) {
      const { order } = await publish(watched, group, policy, message);
      let last: Reported | undefined;
      const said = () => `policy ${order} in force: ${JSON.stringify({ ...last?.policy, ...last?.sections })}`;
      return until(async () => {
        last = await reported();
        const isSettled = Object.values(last?.sections ?? {}).every(({ outcome }) => outcome !== "failed");
        return last?.policy?.order === order && isSettled && last;
      }, said);
    },
    async record(kind, { since, fits = () => true }) {
      let seen: Found[] = [];
      return until(
        async () => {
          seen = await records(kind, since);
          return seen.find(fits);
        },
        () => `a record ${kind} that fits; there are: ${seen.map(({ text }) => text).join(" | ") || "none"}`,
      );
    },
  };
}
