/** A file that decides what is run as root must be root's, and so must every folder on the way to it: who can write one of
 *  them can have anything run. */
import { dirname } from "node:path";
import type { Dom0 } from "./dom0.ts";

/** Why it is not to be trusted; nothing where root alone can have written it. */
export async function faultOfRootFile({ owner }: Pick<Dom0, "owner">, path: string): Promise<string | undefined> {
  for (let at = path; ; at = dirname(at)) {
    const found = await owner(at);
    const wanted = at === path ? "file" : "folder";
    if (!found) return `there is no ${at}`;
    if (found.is === "link") return `${at} is a symbolic link, and is not followed: name what it leads to`;
    if (found.is !== wanted) return `${at} is no ${wanted === "file" ? "regular file" : "folder"}`;
    if (found.uid !== 0)
      return `${at} belongs to user ${found.uid}, who could have anything started by it: make it root's (chown root: ${at})`;
    if ((found.mode & 0o022) !== 0)
      return `${at} can be written by others than root (mode ${(found.mode & 0o7777).toString(8)}): take that away (chmod go-w ${at})`;
    if (at === "/") return undefined;
  }
}
