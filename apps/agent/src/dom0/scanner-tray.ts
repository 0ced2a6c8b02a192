/** A folder in memory → in it one for each confined reader, from which clamd opens what the reader lays there
 *  (docs/decisions/2026-11-29-tray.md). */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmod, chown, mkdir, readdir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** Where AppArmor's rules for clamd let it read; the package mounts it (var-lib-clamav-sallyport.tray.mount). */
export const TRAYS = "/var/lib/clamav/sallyport.tray";

/** statfs(2): TMPFS_MAGIC. */
const TMPFS = 0x01021994;

/** Null where it is not memory of its own, and bounded: what lies on a stick is not written to dom0's disk for speed. */
export async function findTrays(path = TRAYS): Promise<string | null> {
  try {
    return (await statfs(path)).type === TMPFS ? path : null;
  } catch {
    return null;
  }
}

/** For its reader to write, and for the group that the definitions belong to, clamd's own, to read: what else runs here may
 *  learn the name from the sandbox's arguments. Null where none can be made; then all is streamed. */
export async function makeTray(trays: string, uid: number): Promise<string | null> {
  const tray = join(trays, `${process.pid}.${randomUUID()}`);
  const root = process.getuid?.() === 0;
  try {
    await sweep(trays);
    await mkdir(tray);
    if (root) await chown(tray, uid, (await stat(dirname(trays))).gid);
    await chmod(tray, root ? 0o710 : 0o711);
    return tray;
  } catch {
    await removeTray(tray);
    return null;
  }
}

/** By rm(1), which knows no path that is too long: a reader that was taken over lays folders as deep as it likes. What
 *  is left all the same, the next agent sweeps. */
export async function removeTray(tray: string): Promise<void> {
  await promisify(execFile)("rm", ["-rf", "--", tray]).catch(() => {});
}

/** What one that was killed has left is memory that nobody would give back. */
async function sweep(trays: string): Promise<void> {
  for (const name of await readdir(trays)) {
    const [, pid] = /^(\d+)\./.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) await removeTray(join(trays, name));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
