/** A build and a patched Xen → the arguments of QEMU: what hardware the virtual workstation has. */
import path from "node:path";
import { programOf, type Root } from "../../packages/hv-patches/tools/debian.ts";
import { accelerator } from "../../packages/hv-patches/tools/qemu.ts";
import { run } from "../../packages/hv-patches/tools/run.ts";
import type { Build } from "./build.ts";
import { HEIGHT, WIDTH } from "./picture.ts";

/** The same as in dom0/etc/xen/guests/primary.cfg. */
const PRIMARY_UUID = "00000000-0000-0000-0000-00000000d1ec";
/** dom0's names for the display and the xHCI controller. */
export const DISPLAY = { id: "display", sbdf: "0000:00:10.0" };
export const USB = { id: "xhci", sbdf: "0000:00:11.0" };

const XEN = [
  "console=com1 com1=115200 loglvl=info guest_loglvl=warning",
  // One processor for dom0 and one for each guest, each with a run queue of its own: whatever makes an emulated
  // processor wait for another costs a time slice of the host's.
  // Room for what guards the guests: clamd, the detector, the agent, its reader.
  "dom0_mem=1280M,max:1280M dom0_max_vcpus=1 dom0_vcpus_pin credit2_runqueue=cpu",
  `lowmem_domu=1G lowmem_uuid=${PRIMARY_UUID} lowmem_devices=${DISPLAY.sbdf}`,
];
/** QEMU's emulated processor has no idle states that Xen could use. */
const XEN_EMULATED = "cpuidle=0 spec-ctrl=no xpti=no";

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

/** User-mode network, closed to the outside: only what is named here leaves it, and only to loopback. */
function network(root: Root, { sshPort, consolePorts }: Doors): string {
  const doors = consolePorts.map(
    (port) => `,guestfwd=tcp:10.0.2.100:${port}-cmd:${path.join(root.tree, "usr/bin/busybox")} nc 127.0.0.1 ${port}`,
  );
  return `user,id=uplink,restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-10.0.2.15:22${doors.join("")}`;
}

export function machineArguments(build: Build, xen: string, doors: Doors): string[] {
  const drive = (id: string, file: string) => [
    ...["-drive", `file=${file},format=qcow2,if=none,id=${id}-drive,node-name=${id},cache=unsafe,discard=unmap`],
    ...["-device", `virtio-blk-pci,drive=${id}-drive,serial=${id}`],
  ];
  const xenArguments = accelerator() === "tcg" ? [...XEN, XEN_EMULATED] : XEN;
  return [
    ...["-machine", "sata=off,smbus=off", "-smp", "3", "-m", "3072"],
    ...["-kernel", xen, "-append", xenArguments.join(" ")],
    ...["-initrd", `${build.kernel} ${DOM0.join(" ")},${build.initrd}`],
    ...drive("dom0", "dom0.qcow2"),
    ...drive("primary", "primary.qcow2"),
    ...["-netdev", network(build.root, doors), "-device", "virtio-net-pci,netdev=uplink,romfile="],
    // No option ROM: run inside a guest it stalls the firmware there.
    ...["-device", `bochs-display,id=${DISPLAY.id},addr=10.0,romfile=,xres=${WIDTH},yres=${HEIGHT}`],
    ...["-device", `qemu-xhci,id=${USB.id},addr=11.0`],
  ];
}
