/** Whether this process has the folder of a path as the machine has it. Under its unit home folders and /tmp are empty ones
 *  of its own, and most others cannot be written: what lies there would look absent, or would stay. */
import { constants } from "node:fs";
import { access, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Dom0 } from "./dom0.ts";

const MOUNTS_BYTES_MAX = 4 * 1024 * 1024;
const ASK = "Keep it in the agent's state folder, or let its unit write there (ReadWritePaths; docs/disk.md).";

/** Why what lies at the path could be neither seen nor destroyed; nothing where it could. */
export async function faultOfReach(dom0: Pick<Dom0, "list" | "readText">, path: string): Promise<string | undefined> {
  const folder = dirname(path);
  try {
    const mount = await mountOf(dom0, folder);
    if (mount === undefined) return `nobody can tell on which file system ${folder} is. ${ASK}`;
    if (isStandIn(mount.root) || (await dom0.list(mount.at))?.length === 0)
      return `${mount.at} is an empty stand-in here, or an empty file system: what lies there is hidden from the agent. ${ASK}`;
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

/** Where the folder's file system is mounted, and which part of it that is. Asked of the kernel for the open folder: a
 *  path alone says nothing where one mount hides another. */
async function mountOf(
  { readText }: Pick<Dom0, "readText">,
  folder: string,
): Promise<{ root: string; at: string } | undefined> {
  const opened = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const about = await readText(`/proc/self/fdinfo/${opened.fd}`, 4096);
    const id = /^mnt_id:\s*(\d+)$/m.exec(about ?? "")?.[1];
    const mounts = (await readText(`/proc/self/mountinfo`, MOUNTS_BYTES_MAX)) ?? "";
    // proc_pid_mountinfo(5): id, parent, device, root, mount point
    const found = mounts.split("\n").map((line) => line.split(" "));
    const [, , , root, at] = found.find(([each]) => id !== undefined && each === id) ?? [];
    return root === undefined || at === undefined ? undefined : { root: unescaped(root), at: unescaped(at) };
  } finally {
    await opened.close();
  }
}

const unescaped = (word: string): string =>
  word.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
