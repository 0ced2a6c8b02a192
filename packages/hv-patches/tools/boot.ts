/** One boot of Xen and dom0 in QEMU, with a job that dom0 does and tells in lines: "@@ word rest". */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { CACHE, type Root, root, rootImage } from "./debian.ts";
import { busybox, compiled, cpio, file, type Kernel, kernelOf, moduleEntries, program } from "./initramfs.ts";
import { startVm, type Vm, VmTimeout } from "./qemu.ts";
import { type Route, routeArgs } from "./routes.ts";
import { PACKAGE } from "./upstream.ts";

/** The uuid by which the primary guest is named on Xen's command line and in its own configuration. */
export const PRIMARY_UUID = "5a11e9a7-0000-4000-8000-00000000d1ec";

const DOM0_LABEL = "dom0";
/** As the virtual workstation has it, so that both share one image. */
const DOM0_MIB = 3072;
/** Under emulation, on a machine that does other things too. */
const SIGN_OF_LIFE_MS_MAX = 240_000;
const GUEST_MODULES = ["uio_pci_generic", "e1000", "e1000e"];
const DOM0_MODULES = ["ahci", "sd_mod", "crc32c_generic", "ext4"];
export const STICK_MODULES = ["xhci_pci", "ehci_pci", "uas", "usb_storage", "nvme", "vfat", "nls_cp437", "nls_ascii"];

export type Facts = {
  /** All lines "@@ word rest" that begin with this word, without it, in order. */
  all(word: string): string[];
  /** The first of them, or "" if there is none. */
  first(word: string): string;
  xenLog: string;
};

export function factsOf(serial: string, xenLog: string): Facts {
  const lines = serial.split("\n").flatMap((line) => /^@@ (.*?)\r?$/.exec(line)?.[1]?.trimEnd() ?? []);
  const all = (word: string) =>
    lines.flatMap((line) => (line === word ? [""] : line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
  return { all, first: (word) => all(word)[0] ?? "", xenLog };
}

/** dom0's initramfs: its first program, modules, and the job with all that its guests need. */
export async function dom0Initramfs(from: Root, kernel: Kernel, job: string, more: readonly string[]): Promise<Buffer> {
  const made = path.join(CACHE, "proofs", from.digest);
  await mkdir(made, { recursive: true });
  const proof = (name: string) => path.join(PACKAGE, "proofs", name);
  const tool = async (source: string, name: string) =>
    readFile(await compiled(proof(source), path.join(made, `${name}-${await sourceDigest(proof(source))}`)));
  const guest = cpio([
    await busybox(from),
    program("init", await readFile(proof("guest/init"))),
    program("bin/edu", await tool("guest/edu.c", "edu")),
    program("bin/display", await tool("guest/display.c", "display")),
    ...(await moduleEntries(kernel, GUEST_MODULES)),
    ...["proc", "sys", "dev", "tmp"].map((name) => ({ name, mode: 0o040755, bytes: new Uint8Array() })),
  ]);
  return cpio([
    await busybox(from),
    program("init", await readFile(proof("dom0/init"))),
    ...(await moduleEntries(kernel, [...DOM0_MODULES, ...more])),
    file("job/dom0.sh", await readFile(proof("dom0/dom0.sh"))),
    file("job/job.sh", job),
    file("job/vmlinuz", await readFile(kernel.image)),
    file("job/guest.cpio", guest),
    program("job/identity", await tool("dom0/identity.c", "identity")),
    ...["proc", "sys", "dev", "root"].map((name) => ({ name, mode: 0o040755, bytes: new Uint8Array() })),
  ]);
}

async function sourceDigest(source: string): Promise<string> {
  const hash = createHash("sha256");
  for (const each of [source, path.join(path.dirname(source), "pci.h")])
    hash.update(await readFile(each).catch(() => ""));
  return hash.digest("hex").slice(0, 12);
}

export type Boot = {
  name: string;
  xen: { xen: string; efi: string | undefined };
  /** Added to Xen's command line. */
  options: string;
  /** Shell text; may use what dom0.sh defines. */
  job: string;
  /** Devices and what else QEMU gets. */
  qemu: readonly string[];
  memoryMiB: number;
  /** dom0 keeps its hands off these, as xen-pciback's hide= has them. */
  hide: string;
  route: Route;
  /** Called when the job says `PICTURE`. */
  onPicture?: (vm: Vm) => Promise<void>;
  boundMs: number;
};

/**
 * Processor 0 is dom0's, each guest has one of its own (`cpus=` in proofs/dom0/dom0.sh): an emulated processor that
 * switches between a hardware-assisted guest and dom0 makes programs in dom0 crash at random. dom0 has no second one:
 * each of its page table updates would then make Xen wait for the other, which may not be running on the host just now.
 * For the same reason each processor has a run queue, with a lock, of its own.
 */
const PROCESSORS = "3";
const XEN_OPTIONS = [
  "console=com2 com2=115200 dom0_mem=1024M,max:1024M dom0_max_vcpus=1 dom0_vcpus_pin",
  "credit2_runqueue=cpu cpuidle=0 loglvl=all guest_loglvl=all",
].join(" ");

/** Boots once; a time-out is tried once more, said aloud; whatever the job found is returned. */
export async function boot(what: Boot): Promise<Facts> {
  try {
    return await bootOnce(what);
  } catch (error) {
    if (!(error instanceof VmTimeout)) throw error;
    console.warn(`${what.name}: time-out, booting it a second and last time\n${error.message.split("\n")[0]}`);
    return bootOnce(what);
  }
}

async function bootOnce(what: Boot): Promise<Facts> {
  const from = await root();
  const kernel = await kernelOf(from);
  const folder = path.join(CACHE, "boots", what.name);
  await mkdir(folder, { recursive: true });
  const image = await rootImage(from, { label: DOM0_LABEL, sizeMiB: DOM0_MIB });
  await writeFile(path.join(folder, "dom0.cpio"), await dom0Initramfs(from, kernel, what.job, []));
  const dom0 = `root=LABEL=${DOM0_LABEL} console=hvc0 ${what.hide ? `hide=${what.hide}` : ""}`;
  const options = `${XEN_OPTIONS} ${what.options}`;
  const vm = await startVm({
    root: from,
    folder,
    boundMs: what.boundMs,
    args: [
      ...["-serial", "file:xen.log", "-smp", PROCESSORS, "-m", String(what.memoryMiB)],
      ...["-drive", `file=${image},format=raw,if=ide,index=0,snapshot=on`],
      ...(await routeArgs(what.route, { from, folder, kernel, xen: what.xen, options, dom0 })),
      ...what.qemu,
    ],
  });
  const xenLog = () => readFile(path.join(folder, "xen.log"), "latin1").catch(() => "");
  try {
    await vm.waitFor("sign of life from dom0", /^@@ INIT/m, Math.min(SIGN_OF_LIFE_MS_MAX, what.boundMs));
    if (what.onPicture) {
      await vm.waitFor("the picture", /^@@ PICTURE/m, what.boundMs);
      await what.onPicture(vm);
    }
    await vm.waitFor("the end of the job", /^@@ DONE/m, what.boundMs);
    return factsOf(vm.serial(), await xenLog());
  } catch (error) {
    if (error instanceof Error) error.message += `\n--- Xen\n${(await xenLog()).slice(-3000)}`;
    throw error;
  } finally {
    await vm.stop();
  }
}

/** Boots only as far as Xen says a line that matches; for what is wrong with its command line. */
export async function xenSays(what: Omit<Boot, "job" | "route" | "hide">, pattern: RegExp): Promise<string> {
  const from = await root();
  const kernel = await kernelOf(from);
  const folder = path.join(CACHE, "boots", what.name);
  await mkdir(folder, { recursive: true });
  const vm = await startVm({
    root: from,
    folder,
    boundMs: what.boundMs,
    args: [
      ...["-serial", "file:dom0.log", "-smp", PROCESSORS, "-m", String(what.memoryMiB), "-kernel", what.xen.xen],
      ...["-append", `${XEN_OPTIONS.replace("com2 com2", "com1 com1")} ${what.options}`],
      ...["-initrd", kernel.image, ...what.qemu],
    ],
  });
  try {
    const match = await vm.waitFor(String(pattern), pattern, what.boundMs);
    return (match[1] ?? match[0]).trim();
  } finally {
    await vm.stop();
  }
}
