/** A folder in memory → in it one for each confined reader, from which clamd opens what the reader lays there
 *  (docs/decisions/2026-11-29-tray.md). */
import { randomUUID } from "node:crypto";
import { chmod, chown, mkdir, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";

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

/** Under a name that nobody guesses: whoever knows it may read there, as clamd's user must. Null where none can be made;
 *  then all is streamed. */
export async function makeTray(trays: string, { uid, gid }: { uid: number; gid: number }): Promise<string | null> {
  const tray = join(trays, `${process.pid}.${randomUUID()}`);
  try {
    await sweep(trays);
    await mkdir(tray);
    await chmod(tray, 0o711);
    if (process.getuid?.() === 0) await chown(tray, uid, gid);
    return tray;
  } catch {
    await rm(tray, { recursive: true, force: true }).catch(() => {});
    return null;
  }
}

/** What one that was killed has left is memory that nobody would give back. */
async function sweep(trays: string): Promise<void> {
  for (const name of await readdir(trays)) {
    const [, pid] = /^(\d+)\./.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(trays, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
