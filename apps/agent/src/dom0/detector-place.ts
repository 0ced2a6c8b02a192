/** The detector's folder. Suricata reads guests' packets as a user of its own: it may read what the agent writes for it, and
 *  write its events and its socket, and no more; it never owns a folder that the agent follows files in. */
import { chmod, chown, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../enrol/folder.ts";
import { userIn } from "./confine-args.ts";
import type { Dom0 } from "./dom0.ts";

export type DetectorUser = { uid: number; gid: number };

/** The user that the Debian package makes for it. Without it, or where we are not root, it is whoever we are. */
export const DETECTOR_USER = "_sallyport-ids";
const PASSWD_BYTES_MAX = 4 * 1024 * 1024;

export async function detectorUser(dom0: Pick<Dom0, "readText">): Promise<DetectorUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  return userIn((await dom0.readText("/etc/passwd", PASSWD_BYTES_MAX)) ?? "", DETECTOR_USER);
}

/** Each as it must be, whoever made it before. */
export async function makeFolders(folder: string, user: DetectorUser | undefined): Promise<void> {
  const own = [folder, join(folder, "aside"), join(folder, "log")];
  const theirs = [join(folder, "run"), join(folder, "aside/log")];
  for (const path of [...own, ...theirs]) await mkdir(path, { recursive: true });
  if (!user) return;
  for (const path of own) {
    await chown(path, 0, user.gid);
    await chmod(path, 0o750);
  }
  for (const path of theirs) {
    await chown(path, user.uid, user.gid);
    await chmod(path, 0o750);
  }
  // it may not make files there, so that none is a link to what only the agent may read
  const events = await open(join(folder, "log/eve.json"), "a", 0o640);
  try {
    await events.chown(user.uid, user.gid);
  } finally {
    await events.close();
  }
}

/** Whole or not at all; the detector may read it. */
export async function writeFor(path: string, text: string, user: DetectorUser | undefined): Promise<void> {
  replaceFile(path, text);
  if (!user) return;
  await chown(path, 0, user.gid);
  await chmod(path, 0o640);
}

/** What starts a program as that user, with nothing that root may. */
export const asUser = (user: DetectorUser | undefined): string[] =>
  user
    ? [
        "setpriv",
        "--reuid",
        String(user.uid),
        "--regid",
        String(user.gid),
        "--clear-groups",
        "--inh-caps=-all",
        "--no-new-privs",
      ]
    : [];
