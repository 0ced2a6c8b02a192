/** Sticks as files, what a scanner knows, and how a stick is put in slowly enough to be pulled out in the middle. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Workstation } from "../workstation.ts";

const MIB = 1024 * 1024;
export const VIRUS = "sallyport-virus-of-the-tests";

export const sha256 = (content: Uint8Array | string): string => createHash("sha256").update(content).digest("hex");

/** A FAT file system with these files, as a stick comes from a shop. */
export function makeStick(image: string, files: Record<string, Uint8Array | string>, sizeMiB = 8): string {
  const aside = mkdtempSync(path.join(tmpdir(), "stick-"));
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  try {
    writeFileSync(image, "");
    truncateSync(image, sizeMiB * MIB);
    execFileSync("mkfs.vfat", ["-n", "STICK", image], { env, stdio: "pipe" });
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(path.join(aside, name), content);
      execFileSync("mcopy", ["-i", image, path.join(aside, name), "::/"], { env, stdio: "pipe" });
    }
  } finally {
    rmSync(aside, { recursive: true });
  }
  return image;
}

/** Nothing in it compresses, and no two are the same. */
export const noise = (bytes: number): Buffer => randomBytes(bytes);

/** Debian's clamd with the tests' one signature; its own service is off in the test's dom0, as it wants Debian's. */
export async function startScanner({ dom0 }: Workstation): Promise<void> {
  const signature = `Sallyport.Test:0:*:${Buffer.from(VIRUS).toString("hex")}\n`;
  await dom0.run("install -d -o clamav -g clamav /run/clamav && cat > /var/lib/clamav/tests.ndb", { input: signature });
  if ((await dom0.run("systemctl is-active tests-clamd || true")).startsWith("active")) return;
  await dom0.run("systemd-run --quiet --unit=tests-clamd --property=Restart=always clamd --foreground");
  const there = "for i in $(seq 1 600); do [ -S /run/clamav/clamd.ctl ] && exit 0; sleep 0.2; done; exit 1";
  await dom0.run(there, { timeoutMs: 180_000 });
}

/** How many bytes of a plugged stick's image were read so far, by whomever. */
export async function bytesRead({ vm }: Workstation, id = "stick"): Promise<number> {
  const found = (await vm.qmp.run("query-blockstats")) as { qdev?: string; stats: { rd_bytes: number } }[];
  const own = found.find(({ qdev }) => qdev?.includes(`/${id}/`) || qdev === id);
  if (!own) throw new Error(`no stick ${id} among ${found.map(({ qdev }) => qdev).join(", ")}`);
  return own.stats.rd_bytes;
}
