/** Files that others write and the agent follows → moved aside, taken away, and their writers told to begin a new one. */
import { open, rename, rm, stat, unlink } from "node:fs/promises";
import { type Dom0, DoorError } from "./dom0.ts";

export type LogFiles = {
  /** Moves it aside and makes an empty one in its place for the same writer: as another user it may make no file beside
   *  it, so that none is a link to what only we may read. @throws DoorError */
  turn(path: string, aside: string): Promise<void>;
  /** Also where it is gone already. @throws DoorError */
  remove(path: string): Promise<void>;
};

export const logFiles: LogFiles = {
  async turn(path, aside) {
    const next = `${path}.new`;
    try {
      const { uid, gid, mode } = await stat(path);
      await rm(next, { force: true });
      const file = await open(next, "wx", 0);
      try {
        await file.chown(uid, gid);
        await file.chmod(mode & 0o777);
      } finally {
        await file.close();
      }
      await rename(path, aside);
      await rename(next, path);
    } catch (error) {
      refuse("move aside", path, error);
    }
  },
  remove: (path) =>
    unlink(path).catch((error) => {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") refuse("remove", path, error);
    }),
};

function refuse(act: string, path: string, error: unknown): never {
  throw new DoorError(`cannot ${act} ${path}: ${(error as Error).message}`, { cause: error });
}

/** ulogd in the package's unit reopens what it writes. @throws DoorError */
export async function reopenDrops({ run }: Pick<Dom0, "run">): Promise<void> {
  const args = ["kill", "--signal=HUP", "sallyport-drops.service"];
  const ran = await run("systemctl", args, { timeoutMs: 10_000 });
  if (ran.code !== 0) throw new DoorError(`systemctl ${args.join(" ")}: ${ran.stderr.trim().slice(0, 200)}`);
}

/** Where Debian's script and xenconsoled itself put it. */
const XENCONSOLED_PIDS = ["/run/xenconsoled.pid", "/run/xen/xenconsoled.pid"];

/** xenconsoled opens the guests' files anew. @throws DoorError where it does not run */
export async function reopenConsoles({ readText }: Pick<Dom0, "readText">): Promise<void> {
  for (const path of XENCONSOLED_PIDS) {
    const pid = Number((await readText(path, 32))?.trim());
    if (!Number.isSafeInteger(pid) || pid < 2) continue;
    const name = (await readText(`/proc/${pid}/comm`, 64))?.trim();
    if (name !== "xenconsoled") continue;
    process.kill(pid, "SIGHUP");
    return;
  }
  throw new DoorError(`xenconsoled does not run: ${XENCONSOLED_PIDS.join(" and ")} name no such process`);
}
