/** A real file system that is small enough to be filled. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A volume of its own, where this user may mount one. */
export function mountSmall(megabytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-volume-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { stdio: "ignore" });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

/** Until not one byte more goes in. @throws where the volume is not mounted any more: it would be the machine's own disk */
export function fill(path: string): void {
  const [here, above] = [dirname(path), dirname(dirname(path))].map((folder) => statSync(folder).dev);
  if (here === above) throw new Error(`${dirname(path)} is no volume of its own`);
  const file = openSync(path, "a");
  try {
    for (const size of [65_536, 4_096, 1]) for (;;) if (writeSync(file, Buffer.alloc(size)) < size) break;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(file);
  }
}

/** ext4 in a file, where this user may mount one. */
export function mountExt4(megabytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-ext4-"));
  const file = `${folder}.img`;
  try {
    execFileSync("truncate", ["-s", `${megabytes}M`, file]);
    execFileSync("mkfs.ext4", ["-q", "-m", "0", file], { stdio: "ignore" });
    execFileSync("mount", ["-o", "loop", file, folder], { stdio: "ignore" });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  } finally {
    // the mount keeps it
    rmSync(file, { force: true });
  }
}
