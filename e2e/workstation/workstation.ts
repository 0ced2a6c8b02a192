/** The virtual workstation's verbs, for the command line and for tests: a build → a running machine and what to do to it. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CACHE, fetchWithNeeds } from "../../packages/hv-patches/tools/debian.ts";
import { withLock } from "../../packages/hv-patches/tools/lock.ts";
import { findVm, startVm, type Vm, VmTimeout } from "../../packages/hv-patches/tools/qemu.ts";
import { freePort } from "../../packages/up/src/ports.ts";
import { type Build, build } from "./build.ts";
import { DISPLAY, type Doors, machineArguments, makeOverlays, makeShelf, SHELF, startTpm, USB } from "./machine.ts";
import { type Ssh, sshTo } from "./ssh.ts";
import { hypervisor } from "./xen.ts";

/** Xen's first line is there within a second even under emulation. */
const LIFE_MS_MAX = 60_000;
/**
 * Measured under emulation: 456 s on two cores at a load of 11, of which dom0 had 240 s of processor time. Two tries,
 * a cold build and the tests' first commands fit into the suite's hook limit.
 */
const READY_MS_MAX = 660_000;
const STATE = "workstation.json";
type State = { made: Build; doors: Doors };

const SNAPSHOT = "ready";
const SNAPSHOT_POLL_MS = 200;
const SNAPSHOT_MS_MAX = 180_000;
const UNPLUG_MS_MAX = 20_000;
const INSTALL_MS_MAX = 600_000;

export type UpOptions = {
  /** Where this machine's state lies; the default is the one of the command line. */
  folder?: string;
  consolePorts?: readonly number[];
  /** Package files that will be installed: with what they need they lie on a disk of dom0's, which is far quicker than
   *  through ssh. */
  debs?: readonly string[];
  /** It outlives this process. */
  detached?: boolean;
  boundMs?: number;
  say?: (line: string) => void;
};

export type Guest = "primary" | "second";
export type Plugging = { id?: string; readOnly?: boolean; bytesPerSecond?: number; serial?: string };

export type Workstation = {
  folder: string;
  vm: Vm;
  dom0: Ssh;
  /** A command in a guest's shell, over its own wire; its standard output, and an error when it fails. */
  guest(name: Guest, command: string): Promise<string>;
  /** Puts an image as a stick into the xHCI controller that dom0 owns; it may be written to unless `readOnly`. A slow
   *  one gives `bytesPerSecond`; `serial` is the number that it says. */
  plug(image: string, options?: Plugging): Promise<void>;
  /** A plugged stick goes at another speed from now on; 0: as fast as it can. */
  pace(bytesPerSecond: number, id?: string): Promise<void>;
  /** Another device of QEMU's into that controller; `unplug` takes it out as well. */
  plugDevice(driver: string, id: string): Promise<void>;
  unplug(id?: string): Promise<void>;
  /** The ids of those that are plugged in. */
  sticks(): Promise<string[]>;
  /** What the passed-through display shows, as PPM or PNG, into a file. */
  screenshot(file: string): Promise<void>;
  /** Installs a Debian package in dom0 with what it needs; dom0 itself has no way to a mirror. */
  install(deb: string): Promise<string>;
  status(): Promise<Status>;
  /** Keeps this moment, memory and disks, under a name. */
  save(name?: string): Promise<void>;
  /** Back to a kept moment: what a test did is undone. */
  revert(name?: string): Promise<void>;
  down(): Promise<void>;
};

export type Status = {
  running: true;
  pid: number;
  sshPort: number;
  consolePorts: readonly number[];
  guests: { name: string; id: number; memoryMiB: number }[];
  sticks: string[];
};

/** SALLYPORT_WORKSTATION names another one, so that several may run and a test may reach its own by the command line. */
export const defaultFolder = () => process.env.SALLYPORT_WORKSTATION ?? path.join(CACHE, "workstation");

export async function up(options: UpOptions = {}): Promise<Workstation> {
  const folder = options.folder ?? defaultFolder();
  const say = options.say ?? (() => {});
  if (await findVm(folder)) throw new Error(`a workstation runs in ${folder} already: bring it down first`);
  const xen = await hypervisor(say);
  const made = await build(say);
  // Two at once would each empty the folder of the other, whose machine nobody finds again.
  return withLock(`${folder}.lock`, async () => {
    if (await findVm(folder)) throw new Error(`another \`up\` has brought a workstation up in ${folder} meanwhile`);
    return bootTwice(made, xen, folder, options, say);
  });
}

async function bootTwice(made: Build, xen: string, folder: string, options: UpOptions, say: (line: string) => void) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await boot(made, xen, folder, options, say);
    } catch (error) {
      // A machine too busy to boot in time is given one more chance; one that ended is not.
      if (!(error instanceof VmTimeout) || attempt === 2) throw error;
      say(`${error.message.split("\n")[0]}; once more`);
    }
  }
}

async function boot(made: Build, xen: string, folder: string, options: UpOptions, say: (line: string) => void) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await makeOverlays(made, folder);
  if (options.debs) await makeShelf(made, options.debs, folder);
  const doors: Doors = { sshPort: await freePort(), consolePorts: options.consolePorts ?? [] };
  // Whoever finds the machine later needs the keys it was built with, whatever was built since.
  await writeFile(path.join(folder, STATE), JSON.stringify({ made, doors } satisfies State));
  say("boot: Xen, dom0, the guests (about 100 s under emulation)");
  const started = Date.now();
  await startTpm(made.root, folder);
  const vm = await startVm({
    root: made.root,
    folder,
    args: machineArguments(made, xen, doors, { hasShelf: options.debs !== undefined }),
    boundMs: options.detached ? 0 : (options.boundMs ?? 1_800_000),
    detached: options.detached ?? false,
  });
  try {
    await vm.waitFor("sign of life from Xen", /Xen version/, LIFE_MS_MAX);
    const answer = await vm.waitFor("dom0 with both guests", /SALLYPORT (ready|refused .*)/, READY_MS_MAX);
    if (answer[1] !== "ready") throw new Error(`dom0 could not start the guests: ${answer[1]}`);
    const workstation = open(made, folder, doors, vm);
    for (const port of doors.consolePorts)
      await workstation.dom0.run(`systemctl start console-door@${port}.socket`, { timeoutMs: 240_000 });
    await workstation.dom0.run("true", { timeoutMs: 240_000 });
    say(`ready after ${Math.round((Date.now() - started) / 1000)} s`);
    return workstation;
  } catch (error) {
    await vm.stop();
    throw error;
  }
}

/** The workstation that an earlier process brought up. */
export async function find(folder: string = defaultFolder()): Promise<Workstation | undefined> {
  const vm = await findVm(folder);
  if (!vm) return undefined;
  try {
    const { made, doors } = JSON.parse(await readFile(path.join(folder, STATE), "utf8")) as State;
    return open(made, folder, doors, vm);
  } catch (cause) {
    vm.qmp.close();
    throw new Error(`process ${vm.pid} runs a workstation, but ${STATE} in ${folder} cannot be read: end it by hand`, {
      cause,
    });
  }
}

function open(made: Build, folder: string, doors: Doors, vm: Vm): Workstation {
  const dom0 = sshTo(made, folder, doors.sshPort);
  const snapshot = async (command: "snapshot-save" | "snapshot-load", name: string) => {
    const job = `${command}-${Date.now()}`;
    const devices = ["dom0", "primary"];
    await vm.qmp.run(command, { "job-id": job, tag: name, vmstate: "dom0", devices });
    for (const end = Date.now() + SNAPSHOT_MS_MAX; ; await delay(SNAPSHOT_POLL_MS)) {
      const jobs = (await vm.qmp.run("query-jobs")) as { id: string; status: string; error?: string }[];
      const mine = jobs.find(({ id }) => id === job);
      if (mine?.status === "concluded") {
        await vm.qmp.run("job-dismiss", { id: job });
        if (mine.error !== undefined) throw new Error(`${command} ${name}: ${mine.error}`);
        return;
      }
      if (Date.now() > end) throw new VmTimeout(`${command} ${name} took longer than ${SNAPSHOT_MS_MAX / 1000} s`);
    }
  };
  const sticks = async () => {
    const found = (await vm.qmp.run("qom-list", { path: "/machine/peripheral" })) as { name: string; type: string }[];
    return found.filter(({ type }) => type.includes("usb-storage")).map(({ name }) => name);
  };
  const nodes = async () => {
    const found = (await vm.qmp.run("query-named-block-nodes", { flat: true })) as { "node-name"?: string }[];
    return found.map((node) => node["node-name"] ?? "");
  };
  return {
    folder,
    vm,
    dom0,
    async guest(name, command) {
      // `nc` carries no exit code: it comes as the last line.
      const script = `(${command}\n) 2>&1; echo "ended with $?"\n`;
      const said = await dom0.run(`busybox nc -w 120 ${name} 2323`, { input: script });
      const end = /ended with (\d+)\n$/.exec(said);
      if (!end) throw new Error(`the shell of guest ${name} did not answer ${command}: ${said}`);
      const out = said.slice(0, end.index);
      if (end[1] !== "0") throw new Error(`in guest ${name}: ${command} ended with ${end[1]}\n${out}`);
      return out;
    },
    async plug(image, { id = "stick", readOnly = false, bytesPerSecond = 0, serial } = {}) {
      const file = { driver: "file", filename: path.resolve(image), "read-only": readOnly };
      const raw = { driver: "raw", "read-only": readOnly, file };
      const limits = { "bps-total": bytesPerSecond };
      await vm.qmp.run("object-add", { "qom-type": "throttle-group", id: `${id}-pace`, limits });
      const throttled = { driver: "throttle", "throttle-group": `${id}-pace`, "read-only": readOnly, file: raw };
      await vm.qmp.run("blockdev-add", { "node-name": `${id}-image`, ...throttled });
      const named = serial === undefined ? {} : { serial };
      await vm.qmp.run("device_add", { driver: "usb-storage", id, bus: `${USB.id}.0`, drive: `${id}-image`, ...named });
    },
    async pace(bytesPerSecond, id = "stick") {
      const value = { "bps-total": bytesPerSecond };
      await vm.qmp.run("qom-set", { path: `/objects/${id}-pace`, property: "limits", value });
    },
    async plugDevice(driver, id) {
      await vm.qmp.run("device_add", { driver, id, bus: `${USB.id}.0` });
    },
    sticks,
    async unplug(id = "stick") {
      await vm.qmp.run("device_del", { id });
      if (!(await nodes()).includes(`${id}-image`)) return;
      // The controller lets go of the stick, and the stick of its image, a moment after the command was taken.
      for (const end = Date.now() + UNPLUG_MS_MAX; ; await delay(100)) {
        try {
          await vm.qmp.run("blockdev-del", { "node-name": `${id}-image` });
          return void (await vm.qmp.run("object-del", { id: `${id}-pace` }));
        } catch (cause) {
          if (Date.now() > end) throw new VmTimeout(`the stick ${id} is still in its port`, { cause });
        }
      }
    },
    async screenshot(file) {
      const format = file.endsWith(".png") ? "png" : "ppm";
      await vm.qmp.run("screendump", { filename: path.resolve(file), device: DISPLAY.id, format });
    },
    async install(deb) {
      if (!existsSync(deb)) throw new Error(`there is no package ${deb}`);
      const files = await fetchWithNeeds(made.root, [deb]);
      const names = files.map((file) => `/run/install/${path.basename(file)}`);
      const shelf = `/dev/disk/by-id/virtio-${SHELF}`;
      const there = `[ -b ${shelf} ] && { mountpoint -q /run/install || mount -o ro ${shelf} /run/install; } && ls ${names.join(" ")} > /dev/null && echo there || true`;
      if (!(await dom0.run(`mkdir -p /run/install; ${there}`)).includes("there"))
        for (const [at, file] of files.entries())
          await dom0.run(`cat > '${names[at]}'`, { input: await readFile(file), timeoutMs: 300_000 });
      // its disks are forgotten at the end: nothing is waited for until it is on them
      const install = "DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io --force-confold -i";
      return await dom0.run(`${install} ${names.join(" ")} 2>&1`, { timeoutMs: INSTALL_MS_MAX });
    },
    async status() {
      const list = await dom0.run("xl list");
      const guests = list.split("\n").flatMap((line) => {
        const [name, id, memory] = line.trim().split(/\s+/);
        return name && /^\d+$/.test(id ?? "") ? [{ name, id: Number(id), memoryMiB: Number(memory) }] : [];
      });
      return { running: true, pid: vm.pid, ...doors, guests, sticks: await sticks() };
    },
    save: (name = SNAPSHOT) => snapshot("snapshot-save", name),
    async revert(name = SNAPSHOT) {
      await dom0.reset();
      for (const id of await sticks()) await this.unplug(id);
      await vm.qmp.run("stop");
      await snapshot("snapshot-load", name).finally(() => vm.qmp.run("cont"));
      // The machine's clock stood still meanwhile.
      await dom0.run(`date -s @${Math.ceil(Date.now() / 1000)}`, { timeoutMs: 240_000 });
    },
    async down() {
      await dom0.reset();
      await vm.stop();
    },
  };
}
