/** Whether this process has the folder of a path as the machine has it. Under its unit home folders and /tmp are empty ones
 *  of its own, and most others cannot be written: what lies there would look absent, or would stay. */
import { constants } from "node:fs";
import { access, open, readlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { Dom0 } from "./dom0.ts";

const MOUNTS_BYTES_MAX = 4 * 1024 * 1024;
const ASK = "Keep it in the agent's state folder, or let its unit write there (ReadWritePaths; docs/disk.md).";

/** Why what lies at the path could be neither seen nor destroyed; nothing where it could. */
export async function faultOfReach(dom0: Pick<Dom0, "list" | "readText">, path: string): Promise<string | undefined> {
  const folder = dirname(path);
  try {
    const mount = await mountOf(dom0, folder);
    if (mount === undefined) return `nobody can tell on which file system ${folder} is. ${ASK}`;
    // a folder that the unit may write is a mount of its own, and empty once its only file is gone
    if (isStandIn(mount.root) || ((await dom0.list(mount.at))?.length === 0 && !mount.isTheMachines))
      return `${mount.at} is an empty stand-in here, and not the folder that the machine has there: what lies there is hidden from the agent. ${ASK}`;
    await dom0.list(folder);
    await access(folder, constants.W_OK);
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      return `there is no folder ${folder} that the agent can see: make it, or take the path out of the configuration. ${ASK}`;
    if (code === "EROFS" || code === "EACCES") return `the agent may not write in ${folder}. ${ASK}`;
    return `${folder} cannot be looked at: ${message}. ${ASK}`;
  }
}

/** As systemd mounts them for ProtectHome and PrivateTmp. */
const isStandIn = (root: string): boolean =>
  /(?:^|\/)systemd\/inaccessible(?:\/|$)/.test(root) || /(?:^|\/)systemd-private-[0-9a-f]{32}-/.test(root);

type Mount = { id: string; device: string; root: string; at: string };

/** Where the folder's file system is mounted, which part of it that is, and whether the machine's first process has the very
 *  same there. Asked of the kernel for the open folder: a path alone says nothing where one mount hides another. */
async function mountOf(
  { readText }: Pick<Dom0, "readText">,
  folder: string,
): Promise<(Mount & { isTheMachines: boolean }) | undefined> {
  const opened = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const about = await readText(`/proc/self/fdinfo/${opened.fd}`, 4096);
    const id = /^mnt_id:\s*(\d+)$/m.exec(about ?? "")?.[1];
    const mount = mountsIn(await readText("/proc/self/mountinfo", MOUNTS_BYTES_MAX)).find((each) => each.id === id);
    if (mount === undefined) return undefined;
    const path = await readlink(`/proc/self/fd/${opened.fd}`);
    const [here, there] = [
      placeIn([mount], path),
      placeIn(mountsIn(await readText("/proc/1/mountinfo", MOUNTS_BYTES_MAX)), path),
    ];
    return { ...mount, isTheMachines: here !== undefined && here === there };
  } finally {
    await opened.close();
  }
}

/** proc_pid_mountinfo(5): id, parent, device, root, mount point. Nothing where it cannot be read. */
const mountsIn = (mountinfo: string | undefined): Mount[] =>
  (mountinfo ?? "").split("\n").flatMap((line) => {
    const [id, , device, root, at] = line.split(" ");
    return id === undefined || device === undefined || root === undefined || at === undefined
      ? []
      : [{ id, device, root: unescaped(root), at: unescaped(at) }];
  });

/** The file system that a path is on and where in it, whatever is mounted where; of two mounts over each other the upper. */
function placeIn(mounts: readonly Mount[], path: string): string | undefined {
  const over = mounts.filter(({ at }) => at === "/" || path === at || path.startsWith(`${at}/`));
  const mount = over.reduce<Mount | undefined>(
    (upper, each) => (upper === undefined || each.at.length >= upper.at.length ? each : upper),
    undefined,
  );
  return mount && `${mount.device} ${join(mount.root, relative(mount.at, path))}`;
}

const unescaped = (word: string): string =>
  word.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
