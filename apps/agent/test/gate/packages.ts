/** Debian packages a test drives: absent ones are named, and fail where nobody can look (CI). */
import { existsSync } from "node:fs";

const PROGRAMS: Record<string, string> = {
  clamd: "clamav-daemon",
  clamdscan: "clamdscan",
  "mkfs.vfat": "dosfstools",
  "mkfs.exfat": "exfatprogs",
  "fsck.exfat": "exfatprogs",
  "mkfs.ext4": "e2fsprogs",
  "mkfs.ntfs": "ntfs-3g",
  ntfscp: "ntfs-3g",
  mcopy: "mtools",
  mmd: "mtools",
  debugfs: "e2fsprogs",
  genisoimage: "genisoimage",
  xorriso: "xorriso",
  mkudffs: "udftools",
  ar: "binutils",
  git: "git",
  sfdisk: "fdisk",
  "7z": "p7zip-full",
  zip: "zip",
  bwrap: "bubblewrap",
  cryptsetup: "cryptsetup-bin",
  swtpm: "swtpm",
  tpm2_unseal: "tpm2-tools libtss2-tcti-swtpm0",
  "systemd-cryptenroll": "systemd",
  wipefs: "util-linux",
  "qemu-system-x86_64": "qemu-system-x86",
  "usbguard-rule-parser": "usbguard",
  "qemu-img": "qemu-utils",
  mksquashfs: "squashfs-tools",
  "wimlib-imagex": "wimtools",
  openssl: "openssl",
  gpg: "gpg",
  makensis: "nsis",
  wixl: "wixl",
  qpdf: "qpdf",
  lz4: "lz4",
  cpio: "cpio",
  zstd: "zstd",
  xz: "xz-utils",
};

/** Names what is missing. With CI set that is a failure, else a reason to leave the tests out, said aloud. */
export function missing(...programs: string[]): string | null {
  const absent = programs.filter(
    (name) => !["/usr/bin", "/usr/sbin", "/bin", "/sbin"].some((folder) => existsSync(`${folder}/${name}`)),
  );
  if (absent.length === 0) return null;
  const packages = [...new Set(absent.map((name) => PROGRAMS[name] ?? name))].join(" ");
  const text = `${absent.join(", ")} missing: apt-get install ${packages}`;
  if (process.env.CI) throw new Error(text);
  process.stderr.write(`left out: ${text}\n`);
  return text;
}
