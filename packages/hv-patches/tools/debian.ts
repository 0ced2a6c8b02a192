/** Debian's archive → files in the project's cache: single packages, source files, a trixie root, an ext4 image of it. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { glob, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.ts";
import { run } from "./run.ts";
import { type Archive, archiveOf } from "./sources.ts";

const SUITE = "trixie";
const MMDEBSTRAP_MS_MAX = 900_000;
const DOWNLOAD_MS_MAX = 300_000;

/** Everything that can be made again lies here, at the top of the clone. */
export const CACHE = process.env.SALLYPORT_CACHE ?? fileURLToPath(new URL("../../../.cache", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));

/** The Debian archive of this machine, with the suite that has Xen 4.20 and QEMU 10. */
export async function archive(): Promise<Archive> {
  const texts: string[] = [];
  for await (const file of glob(["sources.list", "sources.list.d/*.list", "sources.list.d/*.sources"], {
    cwd: "/etc/apt",
  }))
    texts.push(await readFile(path.join("/etc/apt", file), "utf8"));
  const release = existsSync("/etc/os-release") ? await readFile("/etc/os-release", "utf8") : "";
  const codename = /^VERSION_CODENAME="?([a-z]+)/m.exec(release)?.[1] ?? "";
  const found = archiveOf(texts.join("\n\n"), codename, SUITE);
  if (found) return found;
  throw new Error(
    `no Debian archive in this machine's apt sources (/etc/apt/sources.list*): the hypervisor and its dom0 come from Debian ${SUITE}. Add a "deb … ${codename || "bookworm"} main" source and run again.`,
  );
}

/** One line of an apt source for a suite of that archive. */
export const sourceLine = (from: Archive) =>
  `deb ${from.keyring ? `[signed-by=${from.keyring}] ` : ""}${from.mirror} ${from.suite} main`;

/** An apt of our own in the cache: the machine's lists, pins and installed packages stay out of it. Options for apt-get. */
export async function privateApt(from: Archive, folder: string = path.join(CACHE, "apt")): Promise<string[]> {
  for (const each of ["lists/partial", "archives/partial", "etc"])
    await mkdir(path.join(folder, each), { recursive: true });
  await writeFile(path.join(folder, "sources.list"), `${sourceLine(from)}\n`);
  if (!existsSync(path.join(folder, "status"))) await writeFile(path.join(folder, "status"), "");
  const options = [
    `Dir::State::Lists=${folder}/lists`,
    `Dir::State::status=${folder}/status`,
    `Dir::Cache=${folder}`,
    `Dir::Cache::archives=${folder}/archives`,
    `Dir::Etc::sourcelist=${folder}/sources.list`,
    "Dir::Etc::sourceparts=/dev/null",
    "Dir::Etc::preferencesparts=/dev/null",
    "Dir::Etc::preferences=/dev/null",
    "APT::Architecture=amd64",
    "APT::Architectures=amd64",
    "APT::Install-Recommends=false",
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
    "Debug::NoLocking=true",
  ].flatMap((option) => ["-o", option]);
  const stamp = path.join(folder, "updated");
  if (!existsSync(stamp) || (await readFile(stamp, "utf8")) !== sourceLine(from)) {
    await run("apt-get", [...options, "update", "-q"], { timeoutMs: DOWNLOAD_MS_MAX });
    await writeFile(stamp, sourceLine(from));
  }
  return options;
}

/** Fetches named packages of trixie (none of their dependencies) and gives the paths of their `.deb` files. */
export async function fetchDebs(packages: readonly string[]): Promise<string[]> {
  const options = await privateApt(await archive());
  const folder = path.join(CACHE, "debs");
  await mkdir(folder, { recursive: true });
  await run("apt-get", [...options, "download", "-q", ...packages], { cwd: folder, timeoutMs: DOWNLOAD_MS_MAX });
  const files: string[] = [];
  for (const name of packages)
    for await (const file of glob(`${name.split(/[=:]/)[0]}_*.deb`, { cwd: folder }))
      files.push(path.join(folder, file));
  return files;
}

/** Fetches a package file and whatever it needs beyond what `root` already has; gives the `.deb` files in one list. */
export async function fetchWithNeeds(root: Root, debs: readonly string[]): Promise<string[]> {
  const options = await privateApt(await archive());
  const status = path.join(root.tree, "var/lib/dpkg/status");
  const wanted = debs.map((deb) => (deb.endsWith(".deb") ? path.resolve(deb) : deb));
  const plan = await run(
    "apt-get",
    [...options, "-o", `Dir::State::status=${status}`, "install", "--print-uris", "-qq", "-y", ...wanted],
    { timeoutMs: DOWNLOAD_MS_MAX },
  );
  const folder = path.join(CACHE, "debs");
  await mkdir(folder, { recursive: true });
  const files = wanted.filter((deb) => deb.startsWith("/"));
  for (const [, uri, name, sum] of plan.matchAll(/^'([^']+)' (\S+) \d+ (\S+:[0-9a-f]+)$/gm)) {
    if (uri!.startsWith("file:")) continue;
    const file = path.join(folder, name!);
    if (!existsSync(file)) await download(uri!, file, sum!);
    files.push(file);
  }
  return files;
}

/** apt's own downloader honours the machine's proxies and mirrors, and checks the sum. */
async function download(uri: string, file: string, sum: string): Promise<void> {
  await run("/usr/lib/apt/apt-helper", ["download-file", uri, `${file}.part`, sum], { timeoutMs: DOWNLOAD_MS_MAX });
  await rename(`${file}.part`, file);
}

/** Fetches one file of a source package from the archive's pool, checked against its sha256; cached by that. */
export async function fetchSource(source: string, file: string, sha256: string): Promise<string> {
  const folder = path.join(CACHE, "sources");
  const to = path.join(folder, file);
  if (
    existsSync(to) &&
    createHash("sha256")
      .update(await readFile(to))
      .digest("hex") === sha256
  )
    return to;
  await mkdir(folder, { recursive: true });
  const { mirror } = await archive();
  const prefix = source.startsWith("lib") ? source.slice(0, 4) : source[0];
  await download(`${mirror}/pool/main/${prefix}/${source}/${file}`, to, `SHA256:${sha256}`);
  return to;
}

export type Root = { folder: string; tree: string; tar: string; digest: string };

const packagesOf = (text: string) => text.split("\n").flatMap((line) => line.replace(/#.*/, "").trim() || []);

/** Only what the emulated boards need, so that dom0's initramfs is small and quickly unpacked under emulation. */
const INITRAMFS_MODULES = ["ext4", "ahci", "sd_mod", "virtio_pci", "virtio_blk", "xen_pciback"];

/** A Debian trixie root with the packages of `dom0.packages` and of further lists, built once and kept as tar and folder. */
export async function root(...lists: readonly string[]): Promise<Root> {
  const texts = await Promise.all([path.join(HERE, "dom0.packages"), ...lists].map((list) => readFile(list, "utf8")));
  const packages = [...new Set(texts.flatMap(packagesOf))].sort();
  const digest = createHash("sha256")
    .update(JSON.stringify({ version: 1, packages, INITRAMFS_MODULES }))
    .digest("hex")
    .slice(0, 16);
  const folder = path.join(CACHE, `root-${digest}`);
  const built: Root = { folder, tree: path.join(folder, "tree"), tar: path.join(folder, "root.tar"), digest };
  await withLock(`${folder}.lock`, async () => {
    if (!existsSync(folder)) await makeRoot(packages, folder);
  });
  return built;
}

async function makeRoot(packages: readonly string[], folder: string): Promise<void> {
  const from = await archive();
  const partial = `${folder}.partial-${process.pid}`;
  await mkdir(path.join(partial, "tree"), { recursive: true });
  const modules = INITRAMFS_MODULES.join("\\n");
  const before = [
    'mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"',
    'printf "MODULES=list\\nCOMPRESS=zstd\\nRESUME=none\\n" > "$1/etc/initramfs-tools/conf.d/sallyport"',
    `printf "${modules}\\n" > "$1/usr/share/initramfs-tools/modules.d/sallyport"`,
  ].join(" && ");
  const excluded = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"];
  try {
    await run(
      "mmdebstrap",
      [
        "--variant=minbase",
        "--architectures=amd64",
        `--include=${packages.join(",")}`,
        '--aptopt=Acquire::Check-Valid-Until "false"',
        ...excluded.map((each) => `--dpkgopt=path-exclude=${each}`),
        `--essential-hook=${before}`,
        "--format=tar",
        SUITE,
        path.join(partial, "root.tar"),
        sourceLine(from),
      ],
      { timeoutMs: MMDEBSTRAP_MS_MAX, show: process.env.SALLYPORT_VERBOSE === "1" },
    );
    // Device nodes are left out: they need root, and every boot mounts a devtmpfs.
    await run("tar", ["-xf", "../root.tar", "--exclude=./dev/*", "--no-same-owner"], {
      cwd: path.join(partial, "tree"),
    });
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

export type Program = { program: string; args: string[] };

/** A program of the cached root as this machine can run it: its own loader and libraries, whatever libc is here. */
export function programOf(root: Root, file: string): Program {
  const libraries = ["usr/lib/x86_64-linux-gnu", "usr/lib"].map((each) => path.join(root.tree, each)).join(":");
  return {
    program: path.join(root.tree, "usr/lib64/ld-linux-x86-64.so.2"),
    args: ["--library-path", libraries, path.join(root.tree, file)],
  };
}

export type Ext4 = { label: string; sizeMiB: number };

/** An ext4 image of the whole root, kept in the root's folder: boot it with `snapshot=on` or over an overlay. */
export async function rootImage(of: Root, { label, sizeMiB }: Ext4): Promise<string> {
  const image = path.join(of.folder, `${label}-${sizeMiB}.img`);
  await withLock(`${image}.lock`, async () => {
    if (existsSync(image)) return;
    await makeExt4(of, of.tar, `${image}.partial`, { label, sizeMiB });
    await rename(`${image}.partial`, image);
  });
  return image;
}

/** An ext4 image of a folder of this machine (a job, a guest's root); everything in it belongs to root. */
export async function folderImage(of: Root, from: string, image: string, { label, sizeMiB }: Ext4): Promise<void> {
  await rm(image, { force: true });
  const tar = `${image}.tar`;
  await run("tar", ["--owner=0", "--group=0", "--numeric-owner", "-C", from, "-cf", tar, "."]);
  await makeExt4(of, tar, image, { label, sizeMiB });
  await rm(tar);
}

/** Trixie's mke2fs reads a tar itself, so owners and modes are right without privileges. */
async function makeExt4(of: Root, tar: string, image: string, { label, sizeMiB }: Ext4): Promise<void> {
  const { program, args } = programOf(of, "usr/sbin/mke2fs");
  await run(program, [...args, "-q", "-F", "-t", "ext4", "-L", label, "-d", tar, image, `${sizeMiB}M`], {
    env: { MKE2FS_CONFIG: path.join(of.tree, "etc/mke2fs.conf") },
  });
}
