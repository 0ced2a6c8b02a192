/** What the confined reader is started with, as arguments; pure, so that a test can read it. */

export type Room = {
  /** Node's own binary. */
  node: string;
  /** The reader's folder and the file it begins with; the packages it stands on, if it does not bring them; the package
   *  that says how to read it. All read-only. */
  code: { reader: string; main: string; modules: string | null; manifest: string };
  /** The door to clamd (scanner-door.ts). */
  socket: string | null;
  /** The door's tray, the one folder of the machine's that the reader may write to. */
  tray: string | null;
  /** A folder to read instead of an open image. */
  folder: string | null;
  /** We are root and can become nobody; else the reader keeps our user in a user namespace of its own. */
  root: boolean;
  user: { uid: number; gid: number };
  workBytes: number;
  /** How long a file may become; absent: as much as there is room to work in. */
  fileBytes?: number;
  secondsMax: number;
};

/** The user that the Debian package makes for it; nobody, where there is none. */
export const READER_USER = "_sallyport-reader";
export const NOBODY = { uid: 65_534, gid: 65_534 };

/** The reader's, by the text of /etc/passwd. */
export const readerUser = (passwd: string): Room["user"] => userIn(passwd, READER_USER) ?? NOBODY;

/** An entry that cannot be read, or is root's, is none. */
export function userIn(passwd: string, name: string): Room["user"] | undefined {
  const fields = passwd
    .split("\n")
    .find((line) => line.startsWith(`${name}:`))
    ?.split(":");
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])];
  return Number.isInteger(uid) && Number.isInteger(gid) && uid > 0 && gid > 0 ? { uid, gid } : undefined;
}

/** V8's heap; metadata of a large medium fits, a crafted one ends in an error and not in a machine without memory. */
const HEAP_MIB = 512;
/** All private memory: heap, buffers, decompressors. */
const DATA_BYTES = 2 * 1024 ** 3;
const FILES = 1_024;
/** Processes and threads of its user, over all readers at once: half of what the unit lets the agent have. */
const PROCESSES = 256;

const limits = (room: Room): string[] => [
  "prlimit",
  "--core=0",
  `--nofile=${FILES}`,
  `--data=${DATA_BYTES}`,
  `--fsize=${room.fileBytes ?? room.workBytes}`,
  // every lane of the reader is one thread and zlib's few
  `--cpu=${room.secondsMax * 4}`,
];

const reader = (node: string, folder: string, main: string, more: string[]): string[] => [
  node,
  "--disable-warning=ExperimentalWarning",
  `--max-old-space-size=${HEAP_MIB}`,
  ...more,
  `${folder}/${main}`,
];

/** Root needs no user namespace to be alone, and under the package's unit may not make one. Whoever is in one can make
 *  more in it, where bubblewrap is too old to end that; the filter refuses it all the same. */
const alone = ({ root, nestless }: Pick<Room, "root"> & { nestless: boolean }): string[] =>
  root
    ? ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    : ["--unshare-all", ...(nestless ? ["--unshare-user", "--disable-userns"] : [])];

/** Of the system: what Node is linked with, what makes it small, and 7z. No shell but 7z's own where it is a script, no
 *  interpreter, no compiler. */
const SYSTEM = [
  ...["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib/p7zip", "/usr/lib/7zip"],
  ...["prlimit", "setpriv", "7z", "sh"].map((name) => `/usr/bin/${name}`),
];

/** How bubblewrap is to do it: whether it knows `--disable-userns`, and where it reads the filter of system calls. */
export type Wrapping = { nestless: boolean; filterFd: number };

/** The sandbox, and in it what becomes the reader's user with its limits; a program follows. */
export function sandbox(room: Room, { nestless, filterFd }: Wrapping): string[] {
  const identity = becoming(room);
  return [
    "bwrap",
    ...alone({ root: room.root, nestless }),
    "--die-with-parent",
    "--new-session",
    "--clearenv",
    ...["--setenv", "PATH", "/usr/bin"],
    ...["/usr", "/usr/bin", "/usr/lib", "/app"].flatMap((path) => ["--perms", "0755", "--dir", path]),
    ...SYSTEM.flatMap((path) => ["--ro-bind-try", path, path]),
    ...["bin", "lib", "lib64"].flatMap((name) => ["--symlink", `usr/${name}`, `/${name}`]),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...["--size", String(room.workBytes), "--perms", "1777", "--tmpfs", "/tmp"],
    ...["--ro-bind", room.node, "/node"],
    ...["--ro-bind", room.code.reader, "/app/reader"],
    ...(room.code.modules ? ["--ro-bind", room.code.modules, "/app/node_modules"] : []),
    ...["--ro-bind", room.code.manifest, "/app/package.json"],
    ...(room.socket ? ["--ro-bind", room.socket, "/clamd"] : []),
    ...(room.tray ? ["--bind", room.tray, "/tray"] : []),
    ...(room.folder ? ["--ro-bind", room.folder, "/scan"] : []),
    ...["--chdir", "/tmp", "--cap-drop", "ALL"],
    ...identity.capabilities.flatMap((name) => ["--cap-add", name]),
    ...["--seccomp", String(filterFd)],
    ...identity.become,
    ...limits(room),
    `--nproc=${PROCESSES}`,
  ];
}

export const bubblewrap = (room: Room, wrapping: Wrapping): string[] => [
  ...sandbox(room, wrapping),
  ...reader("/node", "/app/reader", room.code.main, []),
];

/** The same room around a program that does nothing: whether this machine lets bubblewrap do its work. */
export const probe = (room: Room, wrapping: Wrapping): string[] => [...sandbox(room, wrapping), "/node", "--version"];

/** The reader is never root. An image is open already, so nobody can read it. A folder's files may be root's: then the
 *  reader keeps the one privilege to read them, and sees nothing but that folder; that the privilege also opens files by
 *  their handles, on the whole file system that the folder is on, is what the filter takes away. */
function becoming(room: Room): { capabilities: string[]; become: string[] } {
  if (!room.root) return { capabilities: [], become: [] };
  const become = ["setpriv", "--reuid", String(room.user.uid), "--regid", String(room.user.gid), "--clear-groups"];
  const identity = ["CAP_SETUID", "CAP_SETGID"];
  if (!room.folder) return { capabilities: identity, become: [...become, "--inh-caps=-all", "--no-new-privs"] };
  const kept = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"];
  return {
    capabilities: [...identity, "CAP_DAC_READ_SEARCH"],
    become: [...become, ...kept, "--no-new-privs"],
  };
}

/** Without bubblewrap, and never as root: Node's own permissions (no other files, no programs) and the same limits. The record says so, as a
 *  doubt. */
export function nodeAlone(room: Room): string[] {
  const { reader: folder, main, modules, manifest } = room.code;
  const readable = [folder, manifest, ...(modules ? [modules] : []), ...(room.folder ? [room.folder] : [])];
  const permissions = ["--permission", ...readable.map((path) => `--allow-fs-read=${path}`)];
  return [...limits(room), ...reader(room.node, folder, main, permissions)];
}
