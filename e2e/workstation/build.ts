/** The cached root and the files of this folder → dom0's disk, the guests' initramfs and the LUKS disk; cached by content. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, cp, glob, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { CACHE, folderImage, programOf, type Root, root, rootImage } from "../../packages/hv-patches/tools/debian.ts";
import {
  cpio as archive,
  busybox,
  folder as emptyFolder,
  kernelOf,
  moduleEntries,
  program,
} from "../../packages/hv-patches/tools/initramfs.ts";
import { run } from "../../packages/hv-patches/tools/run.ts";
import { type CpioEntry, cpio } from "./cpio.ts";
import { type Change, putInto } from "./ext4.ts";
import { luksVolume } from "./luks.ts";
import { frameBuffer } from "./picture.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const DOM0_MIB = 3072;
const GUEST_DISK_MIB = 48;
/** Drivers of the guests, by what they are for: wire; disk and display. Their needs follow from modules.dep. */
const GUEST_MODULES = {
  each: ["xen-netfront"],
  primary: ["xen-blkfront", "crc32c_generic", "ext4", "bochs"],
  /** Loaded when it is up already: registers from user space, its own USB. */
  later: ["uio_pci_generic", "xhci-pci", "usb-storage", "sd_mod", "exfat"],
};
/** What dom0 needs before it has its disk, and the driver that keeps the guest's display for it. */
const DOM0_MODULES = ["xen_pciback", "virtio_pci", "virtio_blk", "crc32c_generic", "ext4"];
/** Services of a general machine that only cost time here. */
const MASKED = [
  "e2scrub_reap.service",
  "e2scrub_all.timer",
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "dpkg-db-backup.timer",
  "fstrim.timer",
  "systemd-logind.service",
  "getty@tty1.service",
  "xendomains.service",
  "sshd-keygen.service",
  "systemd-pstore.service",
  "systemd-binfmt.service",
  "proc-sys-fs-binfmt_misc.automount",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
  "dev-mqueue.mount",
  "dev-hugepages.mount",
  "modprobe@drm.service",
  "modprobe@fuse.service",
  "sys-fs-fuse-connections.mount",
  "systemd-hwdb-update.service",
  "ldconfig.service",
  "systemd-journal-catalog-update.service",
  "systemd-update-utmp.service",
  "dbus.service",
  "dbus.socket",
  "systemd-hostnamed.socket",
  "systemd-tmpfiles-setup-dev-early.service",
  "systemd-journal-flush.service",
  "systemd-udev-load-credentials.service",
  "systemd-random-seed.service",
  "sys-kernel-config.mount",
  "modprobe@configfs.service",
  "systemd-tmpfiles-clean.timer",
  // The agent's package has units of its own for these, and tests start what they need.
  "clamav-daemon.service",
  "clamav-daemon.socket",
  "clamav-freshclam.service",
  "clamav-freshclam-once.service",
  "suricata.service",
  "ulogd2.service",
  "nftables.service",
];

/** Generators look for what this machine does not have; each costs a second of dom0's start under emulation. */
const NO_GENERATORS = [
  "systemd-ssh-generator",
  "systemd-gpt-auto-generator",
  "systemd-hibernate-resume-generator",
  "systemd-rc-local-generator",
  "systemd-system-update-generator",
  "systemd-tpm2-generator",
  "systemd-cryptsetup-generator",
  "systemd-integritysetup-generator",
  "systemd-veritysetup-generator",
  "systemd-run-generator",
];

export type Build = {
  root: Root;
  dom0Disk: string;
  guestDisk: string;
  kernel: string;
  initrd: string;
  sshKey: string;
  knownHosts: string;
};

/** Builds what is not in the cache yet; `say` hears what takes long. */
export async function build(say: (line: string) => void = () => {}): Promise<Build> {
  say("root: Debian trixie with Xen's tools (about 2 minutes when it is not in the cache)");
  const from = await root(path.join(HERE, "dom0.packages"));
  const folder = path.join(CACHE, `workstation-${await digestOf(from)}`);
  const boot = path.join(from.tree, "boot");
  const names = await readdir(boot);
  const newest = (start: string) =>
    path.join(
      boot,
      names
        .filter((name) => name.startsWith(start))
        .sort()
        .at(-1) ?? start,
    );
  const made: Build = {
    root: from,
    dom0Disk: path.join(folder, "dom0.img"),
    guestDisk: path.join(folder, "primary.luks"),
    kernel: newest("vmlinuz-"),
    initrd: path.join(folder, "dom0-initrd"),
    sshKey: path.join(folder, "ssh-key"),
    knownHosts: path.join(folder, "known-hosts"),
  };
  if (existsSync(folder)) return made;
  say("disks: dom0, the guests, LUKS");
  const partial = `${folder}.partial-${process.pid}`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const at = (name: string) => path.join(partial, name);
  try {
    await makeKeys(from, partial);
    await writeFile(at("guest-initrd"), gzipSync(cpio(await guestFiles(from)), { level: 1 }));
    await writeFile(at("dom0-initrd"), await dom0Initrd(from));
    await makeGuestDisk(from, partial);
    await copyImage(await rootImage(from, { label: "dom0", sizeMiB: DOM0_MIB }), at("dom0.img"));
    await putInto(from, at("dom0.img"), await dom0Changes(partial, made));
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return made;
}

/** Sparse and, where the file system can, shared with the original. */
const copyImage = (from: string, to: string) => run("cp", ["--reflink=auto", "--sparse=always", from, to]);

async function digestOf(from: Root): Promise<string> {
  const hash = createHash("sha256").update(from.digest);
  const files: string[] = [];
  for await (const file of glob(["dom0/**", "dom0-init", "dom0.packages", "guest/**", "*.ts"], { cwd: HERE }))
    if (!/\.test\.ts$|cli\.ts$/.test(file)) files.push(file);
  for (const file of files.sort()) {
    const full = path.join(HERE, file);
    const { mode } = await stat(full);
    hash.update(`${file}\0${mode & 0o777}\0`);
    if ((await stat(full)).isFile()) hash.update(await readFile(full));
  }
  return hash.digest("hex").slice(0, 16);
}

async function makeKeys(from: Root, folder: string): Promise<void> {
  const { program, args } = programOf(from, "usr/bin/ssh-keygen");
  await run(program, [
    ...args,
    "-q",
    "-t",
    "ed25519",
    "-N",
    "",
    "-C",
    "workstation",
    "-f",
    path.join(folder, "ssh-key"),
  ]);
  const host = await readFile(path.join(from.tree, "etc/ssh/ssh_host_ed25519_key.pub"), "utf8");
  await writeFile(path.join(folder, "known-hosts"), `dom0 ${host.split(" ").slice(0, 2).join(" ")}\n`);
  await writeFile(path.join(folder, "primary.key"), randomBytes(32), { mode: 0o600 });
}

/** The modules named and all they need, in the order they load. */
export function loadOrder(modulesDep: string, wanted: readonly string[]): string[] {
  const needs = new Map<string, string[]>();
  const fileOf = new Map<string, string>();
  for (const line of modulesDep.split("\n")) {
    const [file, rest] = line.split(":");
    if (!file || rest === undefined) continue;
    needs.set(file, rest.trim() === "" ? [] : rest.trim().split(" "));
    fileOf.set(path.basename(file).replace(/\.ko(\.\w+)?$/, ""), file);
  }
  const order: string[] = [];
  for (const name of wanted) {
    const file = fileOf.get(name);
    if (file === undefined) throw new Error(`the kernel of the Debian root has no module ${name}`);
    // modules.dep lists the deepest need last.
    for (const each of [file, ...(needs.get(file) ?? [])].reverse()) if (!order.includes(each)) order.push(each);
  }
  return order;
}

async function guestFiles(from: Root): Promise<CpioEntry[]> {
  const modules = path.join(from.tree, "usr/lib/modules");
  const version = (await readdir(modules))[0]!;
  const dependencies = await readFile(path.join(modules, version, "modules.dep"), "utf8");
  const busyboxFile = path.join(from.tree, "usr/bin/busybox");
  const entries: CpioEntry[] = ["bin", "dev", "modules"].map((name) => ({ path: name, kind: "folder", mode: 0o755 }));
  entries.push({ path: "dev/console", kind: "character", mode: 0o600, major: 5, minor: 1 });
  const file = async (name: string, source: string, mode: number) =>
    entries.push({ path: name, kind: "file", mode, content: await readFile(source) });
  await file("bin/busybox", busyboxFile, 0o755);
  await file("init", path.join(HERE, "guest/init"), 0o755);
  await file("main", path.join(HERE, "guest/main"), 0o755);
  const known = new Set<string>();
  for (const [when, wanted] of Object.entries(GUEST_MODULES)) {
    const names: string[] = [];
    for (const each of loadOrder(dependencies, wanted)) {
      const name = path.basename(each).replace(/\.ko(\.\w+)?$/, "");
      names.push(name);
      if (known.has(name)) continue;
      known.add(name);
      const content = await unpacked(busyboxFile, path.join(modules, version, each));
      entries.push({ path: `modules/${name}.ko`, kind: "file", mode: 0o644, content });
    }
    entries.push({ path: `modules/${when}`, kind: "file", mode: 0o644, content: Buffer.from(`${names.join("\n")}\n`) });
  }
  return entries;
}

const dom0Initrd = async (from: Root) =>
  archive([
    await busybox(from),
    program("init", await readFile(path.join(HERE, "dom0-init"))),
    ...(await moduleEntries(await kernelOf(from), DOM0_MODULES)),
    ...["proc", "sys", "dev", "root"].map(emptyFolder),
  ]);

/** A kernel module as the guest's busybox can load it. */
async function unpacked(busybox: string, file: string): Promise<Uint8Array> {
  if (file.endsWith(".gz")) return gunzipSync(await readFile(file));
  if (!file.endsWith(".xz")) return readFile(file);
  const base64 = await run("sh", ["-c", '"$1" xzcat "$2" | base64 -w0', "sh", busybox, file]);
  return Buffer.from(base64, "base64");
}

async function makeGuestDisk(from: Root, folder: string): Promise<void> {
  const tree = path.join(folder, "guest-root");
  for (const each of ["bin", "modules", "tmp", "root", "var"]) await mkdir(path.join(tree, each), { recursive: true });
  await copyFile(path.join(from.tree, "usr/bin/busybox"), path.join(tree, "bin/busybox"));
  await cp(path.join(HERE, "guest/main"), path.join(tree, "main"));
  await writeFile(path.join(tree, "picture.gz"), gzipSync(frameBuffer()));
  const plain = path.join(folder, "primary.img");
  await folderImage(from, tree, plain, { label: "primary", sizeMiB: GUEST_DISK_MIB });
  await luksVolume(from, plain, path.join(folder, "primary.luks"), path.join(folder, "primary.key"));
  await rm(tree, { recursive: true });
  await rm(plain);
}

async function dom0Changes(folder: string, { kernel }: Build): Promise<Change[]> {
  const changes: Change[] = [];
  const overlay = path.join(HERE, "dom0");
  for await (const file of glob("**", { cwd: overlay })) {
    const source = path.join(overlay, file);
    const found = await stat(source);
    if (found.isFile()) changes.push({ path: `/${file}`, mode: found.mode & 0o111 ? 0o755 : 0o644, source });
  }
  const unit = (name: string, target: string) => changes.push({ path: `/etc/systemd/system/${name}`, target });
  for (const name of MASKED) unit(name, "/dev/null");
  for (const name of NO_GENERATORS)
    changes.push({ path: `/etc/systemd/system-generators/${name}`, target: "/dev/null" });
  unit("multi-user.target.wants/dom0-device-model.service", "/etc/systemd/system/dom0-device-model.service");
  unit("multi-user.target.wants/guests.service", "/etc/systemd/system/guests.service");
  unit("multi-user.target.wants/wire.service", "/etc/systemd/system/wire.service");
  const source = (name: string) => path.join(folder, name);
  const text = async (name: string, at: string, content: string, mode = 0o644) => {
    await writeFile(source(name), content);
    changes.push({ path: at, mode, source: source(name) });
  };
  // A name of its own, so that systemd does not take each boot for a first one; the stamps, so that nothing is "updated".
  await text("machine-id", "/etc/machine-id", `${randomBytes(16).toString("hex")}\n`, 0o444);
  await text("updated", "/etc/.updated", "");
  changes.push({ path: "/var/.updated", mode: 0o644, source: source("updated") });
  changes.push({ path: "/root/.ssh/authorized_keys", mode: 0o600, source: source("ssh-key.pub") });
  changes.push({ path: "/etc/workstation/primary.key", mode: 0o600, source: source("primary.key") });
  changes.push({ path: "/boot/guest-initrd", mode: 0o644, source: source("guest-initrd") });
  changes.push({ path: "/boot/guest-vmlinuz", target: path.basename(kernel) });
  return changes;
}
