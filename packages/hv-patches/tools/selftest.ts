/** The series, dom0 and the proofs → one image for a USB stick; it boots by BIOS or UEFI and writes a report on itself. */
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { dom0Initramfs, PRIMARY_UUID, STICK_MODULES } from "./boot.ts";
import { xenOf } from "./boots/plan.ts";
import { CACHE, root, rootImage } from "./debian.ts";
import { kernelOf } from "./initramfs.ts";
import { grubLoad } from "./routes.ts";
import { run } from "./run.ts";
import { PACKAGE } from "./upstream.ts";

const LABEL = "hvselftest";
const ROOT_MIB = 2048;
const REPORT_MIB = 34;
const MARKS = ["1G", "512M", "256M"];

const menu = (serial: boolean) => {
  const console = serial ? "console=com2 com2=115200" : "console=vga";
  const xen = `${console} dom0_mem=1024M,max:1024M loglvl=all guest_loglvl=all lowmem_uuid=${PRIMARY_UUID}`;
  const dom0 = `root=LABEL=${LABEL} console=hvc0`;
  // on a BIOS by the protocol that lets Xen go to the mark; UEFI's boot services need the other
  const entry = (title: string, more: string, device: string) => `menuentry "${title}" {
if [ "$grub_platform" = pc ]; then
${grubLoad("grub", `${xen} ${more}`, `${dom0} ${device}`)}else
${grubLoad("grub2", `${xen} ${more}`, `${dom0} ${device}`)}fi
}
`;
  const emulated = "cpuidle=0 dom0_max_vcpus=1 dom0_vcpus_pin";
  // The first entry is for QEMU and is not shown as a choice elsewhere: its device is the proofs' own.
  return serial
    ? `set timeout=0\n${entry("Proofs", `lowmem_domu=1G ${emulated}`, "hide=(00:05.0) device=00:05.0")}`
    : `set timeout=10\n${MARKS.map((mark) => entry(`Self-test, mark at ${mark} (e: edit, add device=BB:DD.F hide=(BB:DD.F) to vmlinuz)`, `lowmem_domu=${mark}`, "")).join("")}`;
};

/** `serial`: for the test in QEMU, which reads the lines that a person would read in the report. */
export async function writeSelftestImage(to: string, serial = false): Promise<void> {
  const from = await root();
  const kernel = await kernelOf(from);
  const xen = await xenOf("release");
  const folder = path.join(CACHE, "selftest");
  const tree = path.join(folder, "tree");
  await rm(tree, { recursive: true, force: true });
  await mkdir(path.join(tree, "boot/grub"), { recursive: true });
  const job = await readFile(path.join(PACKAGE, "proofs/jobs/selftest.sh"), "utf8");
  await copyFile(xen.xen, path.join(tree, "boot/xen"));
  await copyFile(kernel.image, path.join(tree, "boot/vmlinuz"));
  await writeFile(path.join(tree, "boot/dom0.cpio"), await dom0Initramfs(from, kernel, job, STICK_MODULES));
  await writeFile(path.join(tree, "boot/grub/grub.cfg"), menu(serial));

  const report = path.join(folder, "report.img");
  await rm(report, { force: true });
  await run("mformat", [
    "-C",
    "-F",
    "-i",
    report,
    "-v",
    "HVREPORT",
    "-T",
    String(REPORT_MIB * 2048),
    "-h",
    "16",
    "-s",
    "32",
    "::",
  ]);
  const dom0 = await rootImage(from, { label: LABEL, sizeMiB: ROOT_MIB });
  const partial = `${path.resolve(to)}.partial`;
  await run("grub-mkrescue", [
    "-o",
    partial,
    tree,
    "-append_partition",
    "3",
    "0x83",
    dom0,
    "-append_partition",
    "4",
    "0x0c",
    report,
  ]);
  await rename(partial, path.resolve(to));
}
