/** One workstation with the agent's package in its dom0, enrolled with a console on this machine: what the promises share. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Reported } from "@sallyport/shared/state/reported.ts";
import { build } from "../../../packages/deb/src/build.ts";
import type { Workstation } from "../workstation.ts";
import type { Watched } from "./console.ts";
import { commandLine } from "./persons.ts";
import { ARTIFACTS, BASE, GUESTS } from "./rules.ts";

const EPOCH = 1_795_000_000;
export const OLD = "0.9.0";
export const NEW = "0.9.1";
const LOOK_MS = 250;
/** Emulated, and beside other suites. */
export const WAIT_MS = 240_000;
export const CHANNEL = "/run/xen/primary-log.sock";
export const HEADER_COPY = "/var/lib/sallyport-agent/primary.header";

/** What a person who installs it writes: where evidence comes in on this machine. */
export const CONFIG = {
  guests: Object.entries(GUESTS).map(([id, address]) => ({
    ...{ id, addresses: [address], console: id, xlConfig: `/etc/xen/guests/${id}.cfg` },
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
  // what has it open is found by the kernel's word alone
  disk: { volume: "/dev/disk/by-id/virtio-primary", headerCopies: [HEADER_COPY] },
  // QEMU's sticks have one logical unit, and it is there at once
  usb: { guest: { by: "xl", guest: "primary" }, settleMs: 500 },
};

export type Found = { kind: string; severity: string; text: string; guest: string | null; time: string; body: Body };
// biome-ignore lint/suspicious/noExplicitAny: each kind has its own, and a test names the fields it looks at
type Body = any;

export type Debs = { old: string; new: string };

export type Guarded = Watched & {
  workstation: Workstation;
  /** The package in two releases; the older one was installed. */
  debs: Debs;
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
export async function buildDebs(out: string): Promise<Debs> {
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

/** Debian's clamd, set as docs/scanner.md says, which begins when the agent has laid its first definitions; its own service is off in the test's dom0. */
const SCANNER = `
sed -i -E '/^(DatabaseDirectory|DisableCache|MaxScriptNormalize|MaxHTMLNormalize|MaxHTMLNoTags|MaxEmbeddedPE) /d' /etc/clamav/clamd.conf
cat >> /etc/clamav/clamd.conf << END
MaxScriptNormalize 25M
MaxHTMLNormalize 25M
MaxHTMLNoTags 25M
MaxEmbeddedPE 25M
DatabaseDirectory /var/lib/clamav/sallyport/current
ConcurrentDatabaseReload yes
DisableCache yes
AlertExceedsMax yes
END
install -d -o clamav -g clamav /run/clamav
systemd-run --quiet --unit=tests-clamd --path-property=PathExists=/var/lib/clamav/sallyport/current --property=Restart=always clamd --foreground
`;

/** The package is installed: enrols it by a token of the console's, and starts it. What its first policy says is in force. */
export async function enrol(watched: Watched, workstation: Workstation, debs: Debs): Promise<Guarded> {
  const { api } = watched;
  const { dom0 } = workstation;
  const [group] = await api.policy.groups.query();
  if (!group) throw new Error("the console has no group");
  const cli = await commandLine({ ...watched, workstation });
  for (const [name, text] of Object.entries(ARTIFACTS)) {
    await writeFile(path.join(workstation.folder, name), text);
    await cli("artifact", "add", name);
  }
  await publish(watched, group.id, {}, "What every promise stands on");
  await dom0.run("cat > /var/lib/sallyport-agent/config.json", { input: JSON.stringify(CONFIG) });
  const pinned = await dom0.run(`${SCANNER}sallyport-agent pin-keyboards --json`);
  if (!pinned.includes('"pins"') && !pinned.includes("port")) throw new Error(`no keyboard was pinned: ${pinned}`);
  const { token } = await api.enrol.make.mutate({ group: group.id as GroupId, labels: [], uses: 1, hours: 1 });
  await dom0.run("sallyport-agent enrol - --name desk && systemctl start sallyport-agent", { input: token });
  let last: Reported | null | undefined;
  const { id } = await until(
    async () => {
      const [row] = (await api.workstation.list.query({})).rows;
      last = row?.reported;
      const scanner = (last?.sections.usb?.found as { scanner?: { set?: string } } | undefined)?.scanner;
      return last?.policy && scanner?.set !== undefined && isSettled(last) && row;
    },
    () => `the first policy in force: ${JSON.stringify(last?.sections)}`,
  );
  return watch({ ...watched, workstation, debs }, group.id, id as WorkstationId);
}

const isSettled = ({ sections }: Reported) => Object.values(sections).every(({ outcome }) => outcome !== "failed");

/** `policy` stands beside, or in place of, the sections of the first one. */
async function publish({ api }: Watched, group: string, policy: object, message: string) {
  const found = await api.policy.group.query({ id: group as GroupId });
  return api.policy.publish.mutate({
    ...{ group: group as GroupId, source: JSON.stringify({ ...BASE, ...policy }), message },
    basedOn: found.publications[0]?.order ?? 0,
  });
}

function watch(watched: Watched & Pick<Guarded, "workstation" | "debs">, group: string, id: WorkstationId): Guarded {
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
    ...{ group, id, reported, records },
    async enforce(policy, message) {
      const { order } = await publish(watched, group, policy, message);
      let last: Reported | undefined;
      const said = () => `policy ${order} in force: ${JSON.stringify({ ...last?.policy, ...last?.sections })}`;
      return until(async () => {
        last = await reported();
        return last?.policy?.order === order && isSettled(last) && last;
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
