/** /etc/xen → the files that guests are started from, by the name that each gives its guest. What is started is decided
 *  later, by xl's own reading (command/start-guest.ts); here one is only found. */
import { join } from "node:path";
import type { Dom0 } from "../dom0/dom0.ts";
import { faultOfRootFile } from "../dom0/root-file.ts";

/** `fault`: why it is not to be trusted. */
export type GuestFile = { file: string; name: string; fault?: string };

const FOLDER = "/etc/xen";
/** Debian starts what lies in it with the machine; elsewhere only `.cfg` is a guest's. */
const AUTO = join(FOLDER, "auto");
const FILES_MAX = 256;
const FILE_BYTES_MAX = 65_536;
const PATH_CHARS_MAX = 256;
const MS_MAX = 10_000;
const NAME = /^[ \t]*name[ \t]*=[ \t]*(["'])([^"'\n]+)\1/m;

type Door = Pick<Dom0, "run" | "list" | "owner" | "readText">;

export async function findGuestFiles(dom0: Door): Promise<GuestFile[]> {
  const inside = async (folder: string) => ((await dom0.list(folder)) ?? []).map((name) => join(folder, name));
  const top = await inside(FOLDER);
  const below = (await Promise.all(top.map(inside))).flat();
  const found = new Map<string, GuestFile>();
  for (const path of [...top, ...below].sort().slice(0, FILES_MAX)) {
    if (!path.endsWith(".cfg") && !path.startsWith(`${AUTO}/`)) continue;
    const file = await resolved(dom0, path);
    if (file === undefined || file.length > PATH_CHARS_MAX || found.has(file)) continue;
    const name = NAME.exec((await dom0.readText(file, FILE_BYTES_MAX)) ?? "")?.[2];
    if (name === undefined) continue;
    const fault = await faultOfRootFile(dom0, file);
    found.set(file, { file, name, ...(fault !== undefined && { fault }) });
  }
  return [...found.values()];
}

/** A regular file by its own path; what lies in auto is mostly a link. */
async function resolved(dom0: Door, path: string): Promise<string | undefined> {
  const found = await dom0.owner(path);
  if (found?.is !== "link") return found?.is === "file" ? path : undefined;
  const ran = await dom0.run("readlink", ["--canonicalize-existing", "--zero", path], { timeoutMs: MS_MAX });
  const target = ran.code === 0 ? ran.stdout.replace(/\0$/, "") : undefined;
  return target !== undefined && (await dom0.owner(target))?.is === "file" ? target : undefined;
}
