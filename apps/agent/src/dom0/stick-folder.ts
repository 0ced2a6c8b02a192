/** The drop folder, and small files of words, for the gate. */
import { mkdir, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { DoorError } from "./dom0.ts";

export type Dropped = { name: string; path: string; size: number; modifiedMs: number; inode: string };

/** Regular files in the folder, hidden ones and folders left out. Makes the folder where it is absent.
 *  @throws DoorError where it cannot be read */
export async function listDropped(folder: string): Promise<Dropped[]> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const dropped: Dropped[] = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith(".")) continue;
      const path = join(folder, entry.name);
      const facts = await stat(path).catch(() => null); // gone since
      if (facts === null) continue;
      const { size, mtimeMs, ino } = facts;
      dropped.push({ name: entry.name, path, size, modifiedMs: Math.floor(mtimeMs), inode: String(ino) });
    }
    return dropped;
  } catch (error) {
    throw new DoorError(`the drop folder ${folder} cannot be read: ${whyNot(error)}`, { cause: error });
  }
}

/** Nothing where there is no such file.
 *  @throws DoorError where it is too long or cannot be read */
export async function readWords(path: string, bytesMax: number): Promise<string | undefined> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      if (size > bytesMax) throw new Error(`it has ${size} bytes; at most ${bytesMax} are read`);
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new DoorError(`${path} cannot be read: ${whyNot(error)}`, { cause: error });
  }
}
