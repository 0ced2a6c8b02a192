/** A build and a patched Xen → the arguments of QEMU: what hardware the virtual workstation has. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fetchWithNeeds, folderImage, programOf, type Root } from "../../packages/hv-patches/tools/debian.ts";
import { accelerator } from "../../packages/hv-patches/tools/qemu.ts";
import { run } from "../../packages/hv-patches/tools/run.ts";
import type { Build } from "./build.ts";
import { HEIGHT, WIDTH } from "./picture.ts";

/** The same as in dom0/etc/xen/guests/primary.cfg. */
const PRIMARY_UUID = "00000000-0000-0000-0000-00000000d1ec";
/** dom0's names for the display and the xHCI controller. */
export const DISPLAY = { id: "display", sbdf: "0000:00:10.0" };
export const USB = { id: "xhci", sbdf: "0000:00:11.0" };

/** Where the TPM2 beside the machine listens, in its folder. */
const TPM_SOCKET = "tpm.sock";
/** The disk that packages lie on. */
export const SHELF = "packages";
/** For the file system itself. */
const SHELF_SPARE_MIB = 16;
const TPM_MS_MAX = 10_000;
/** Beside the others, in Debian's swtpm-libs. */
const SWTPM_LIBRARIES = "usr/lib/x86_64-linux-gnu/swtpm";

const XEN = [
  "console=com1 com1=115200 loglvl=info guest_loglvl=warning",
  // Two processors for dom0, as many as the host has at least, and one for each guest (`cpus=` in dom0/etc/xen/guests),
  // each with a run queue of its own: whatever makes an emulated processor wait for another costs a time slice of the host's.
  // Room for what guards the guests: clamd, the detector, the agent, its reader.
  "dom0_mem=1280M,max:1280M dom0_max_vcpus=2 dom0_vcpus_pin credit2_runqueue=cpu",
  `lowmem_domu=1G lowmem_uuid=${PRIMARY_UUID} lowmem_devices=${DISPLAY.sbdf}`,
];
/** QEMU's emulated processor has no idle states that Xen could use. Eager: where a PV and an HVM guest share a processor,
 *  vector registers that Xen switches only when they are used are lost there, three times in a minute of trying. */
const XEN_EMULATED = "cpuidle=0 spec-ctrl=no,eager-fpu xpti=no";

const DOM0 = [
  "root=LABEL=dom0 rw console=hvc0 quiet systemd.show_status=0 fsck.mode=skip net.ifnames=0",
  // Nothing here is kept from anybody by these, and each costs an emulated kernel seconds.
  "mitigations=off rodata=off cryptomgr.notests",
  // The display is withheld from dom0 before any driver can touch it.
  `xen-pciback.hide=(${DISPLAY.sbdf})`,
];

export type Doors = {
  /** The port on this machine's loopback that leads to dom0's sshd. */
  sshPort: number;
  /** Ports on this machine's loopback that dom0 reaches under the same number on its own: a console's. */
  consolePorts: readonly number[];
};

/** The disks' overlays are written, the build stays as it is; snapshots live in the overlays. */
export async function makeOverlays(build: Build, folder: string): Promise<void> {
  const { program, args } = programOf(build.root, "usr/bin/qemu-img");
  for (const [name, backing] of [
    ["dom0.qcow2", build.dom0Disk],
    ["primary.qcow2", build.guestDisk],
  ] as const) {
    const file = path.join(folder, name);
    await run(program, [...args, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", backing, file]);
  }
}

/** A TPM2 of this machine's own, by swtpm: it ends with the QEMU that speaks to it. Returns when it listens. */
export async function startTpm(root: Root, folder: string): Promise<void> {
  await mkdir(path.join(folder, "tpm"));
  const { program, args } = programOf(root, "usr/bin/swtpm");
  const libraries = args.map((each) =>
    each.includes(":") ? `${path.join(root.tree, SWTPM_LIBRARIES)}:${each}` : each,
  );
  const state = ["--tpm2", "--tpmstate", "dir=tpm", "--ctrl", `type=unixio,path=${TPM_SOCKET}`, "--terminate"];
  const log = openSync(path.join(folder, "tpm.log"), "w");
  const child = spawn(program, [...libraries, "socket", ...state, "--flags", "not-need-init,startup-clear"], {
    ...{ cwd: folder, stdio: ["ignore", log, log], detached: true },
  });
  closeSync(log);
  let fault: string | undefined;
  child.once("error", (error) => {
    fault = error.message;
  });
  child.once("exit", (code, signal) => {
    fault ??= `it ended with ${code ?? signal}`;
  });
  child.unref();
  for (const end = Date.now() + TPM_MS_MAX; !existsSync(path.join(folder, TPM_SOCKET)); await delay(20)) {
    if (fault === undefined && Date.now() < end) continue;
    const said = await readFile(path.join(folder, "tpm.log"), "utf8");
    throw new Error(`swtpm does not listen: ${fault ?? `not within ${TPM_MS_MAX / 1000} s`}\n${said}`);
  }
}

/** User-mode network, closed to the outside: only what is named here leaves it, and only to loopback. */
function network(root: Root, { sshPort, consolePorts }: Doors): string {
  const doors = consolePorts.map(
    (port) => `,guestfwd=tcp:10.0.2.100:${port}-cmd:${path.join(root.tree, "usr/bin/busybox")} nc 127.0.0.1 ${port}`,
  );
  return `user,id=uplink,restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-10.0.2.15:22${doors.join("")}`;
}

/** A read-only disk with these packages and all that they need beyond what dom0 has. */
export async function makeShelf({ root }: Build, debs: readonly string[], folder: string): Promise<void> {
  const tree = path.join(folder, SHELF);
  await mkdir(tree);
  let bytes = 0;
  for (const deb of debs)
    for (const file of await fetchWithNeeds(root, [deb])) {
      await copyFile(file, path.join(tree, path.basename(file)));
      bytes += (await stat(file)).size;
    }
  const sizeMiB = Math.ceil(bytes / 1024 ** 2) + SHELF_SPARE_MIB;
  await folderImage(root, tree, path.join(folder, `${SHELF}.img`), { label: SHELF, sizeMiB });
  await rm(tree, { recursive: true });
}

export function machineArguments(build: Build, xen: string, doors: Doors, { hasShelf = false } = {}): string[] {
  const drive = (id: string, file: string, format = "qcow2") => [
    ...["-drive", `file=${file},format=${format},if=none,id=${id}-drive,node-name=${id},cache=unsafe,discard=unmap`],
    ...["-device", `virtio-blk-pci,drive=${id}-drive,serial=${id}`],
  ];
  const xenArguments = accelerator() === "tcg" ? [...XEN, XEN_EMULATED] : XEN;
  return [
    ...["-machine", "sata=off,smbus=off", "-smp", "4", "-m", "3072"],
    ...["-kernel", xen, "-append", xenArguments.join(" ")],
    ...["-initrd", `${build.kernel} ${DOM0.join(" ")},${build.initrd}`],
    ...drive("dom0", "dom0.qcow2"),
    ...drive("primary", "primary.qcow2"),
    ...(hasShelf ? drive(SHELF, `${SHELF}.img`, "raw,readonly=on") : []),
    ...["-netdev", network(build.root, doors), "-device", "virtio-net-pci,netdev=uplink,romfile="],
    // No option ROM: run inside a guest it stalls the firmware there.
    ...["-device", `bochs-display,id=${DISPLAY.id},addr=10.0,romfile=,xres=${WIDTH},yres=${HEIGHT}`],
    ...["-device", `qemu-xhci,id=${USB.id},addr=11.0`],
    ...["-chardev", `socket,id=tpm-socket,path=${TPM_SOCKET}`, "-tpmdev", "emulator,id=tpm,chardev=tpm-socket"],
    ...["-device", "tpm-tis,tpmdev=tpm"],
  ];
}
