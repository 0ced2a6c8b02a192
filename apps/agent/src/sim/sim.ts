/** A pretend dom0 in memory, for tests that must not touch a machine: files, clocks and programs as a test lays them.
 *  It passes the same contract suite as the real one. */
import { type Dom0, DoorError, type FileFacts, type OpenFile, type Owner, type Ran } from "../dom0/dom0.ts";

type Inode = { inode: string; bytes: Buffer; modifiedMs: number };
export type SimDom0 = Dom0 & {
  write(path: string, text: string | Uint8Array): void;
  append(path: string, text: string | Uint8Array): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** To the file's first so many bytes. */
  truncate(path: string, bytes: number): void;
  /** A symbolic link in the path's place. */
  link(path: string): void;
  /** Whose it is from now on, and its mode; else all is root's, and nobody else may write it. */
  own(path: string, owner: Partial<Pick<Owner, "uid" | "mode">>): void;
  program(name: string, run: (args: readonly string[]) => Partial<Ran>): void;
  /** Both clocks go on by so many milliseconds. */
  pass(ms: number): void;
};

export function simDom0(start = Date.parse("2026-11-24T08:46:00.000Z")): SimDom0 {
  const files = new Map<string, Inode>();
  const programs = new Map<string, (args: readonly string[]) => Partial<Ran>>();
  const watchers = new Set<() => void>();
  const links = new Set<string>();
  const owners = new Map<string, Partial<Owner>>();
  let clock = 0;
  let inodes = 1;
  const changed = () => {
    for (const wake of watchers) wake();
  };
  const factsOf = ({ inode, bytes, modifiedMs }: Inode): FileFacts => ({
    device: "1",
    inode,
    size: bytes.length,
    modifiedMs,
  });
  const put = (path: string, bytes: Buffer) => {
    const known = files.get(path);
    if (known) Object.assign(known, { bytes, modifiedMs: start + clock });
    else files.set(path, { inode: String(inodes++), bytes, modifiedMs: start + clock });
    changed();
  };
  const openFile = (file: Inode): OpenFile => ({
    facts: async () => factsOf(file),
    read: async (offset, bytesMax) => Uint8Array.from(file.bytes.subarray(offset, offset + bytesMax)),
    close: async () => {},
  });
  return {
    now: () => start + clock,
    monotonic: () => clock,
    hostname: () => "sim",
    kernel: () => "Linux 0-sim",
    async run(program, args, { outputBytesMax = 1_048_576 }) {
      const act = programs.get(program);
      if (!act) throw new DoorError(`cannot start ${program}: there is none`);
      const ran = { code: 0, stdout: "", stderr: "", timedOut: false, ...act(args) };
      return { ...ran, stdout: ran.stdout.slice(0, outputBytesMax), stderr: ran.stderr.slice(0, outputBytesMax) };
    },
    readText: async (path, bytesMax) => files.get(path)?.bytes.subarray(0, bytesMax).toString("utf8"),
    facts: async (path) => {
      const file = files.get(path);
      return file && factsOf(file);
    },
    async owner(path) {
      const isFolder = [...files.keys()].some((each) => each.startsWith(path === "/" ? "/" : `${path}/`));
      if (!isFolder && !files.has(path)) return undefined;
      const is = isFolder ? "folder" : links.has(path) ? "link" : "file";
      return { is, uid: 0, mode: { folder: 0o755, file: 0o644, link: 0o777 }[is], ...owners.get(path) };
    },
    open: async (path) => {
      const file = files.get(path);
      return file && openFile(file);
    },
    openRegular: async (path) => {
      if (links.has(path)) throw new DoorError(`${path} is a symbolic link, and is not followed`);
      const file = files.get(path);
      return file && openFile(file);
    },
    async list(folder) {
      const inside = [...files.keys()].filter((path) => path.startsWith(`${folder}/`));
      if (inside.length === 0) return undefined;
      return [...new Set(inside.map((path) => path.slice(folder.length + 1).split("/")[0]!))];
    },
    async *watch(_path, everyMs, signal) {
      while (!signal.aborted) {
        yield;
        await new Promise<void>((resolve) => {
          const done = () => {
            clearTimeout(timer);
            watchers.delete(done);
            signal.removeEventListener("abort", done);
            resolve();
          };
          const timer = setTimeout(done, everyMs);
          watchers.add(done);
          signal.addEventListener("abort", done, { once: true });
          if (signal.aborted) done();
        });
      }
    },
    async clearSocket(path) {
      if (files.has(path)) throw new DoorError(`${path} is in the way: it is no socket`);
    },
    diskSpace: async () => ({ freeBytes: 1_000_000_000, totalBytes: 2_000_000_000 }),
    write: (path, text) => put(path, Buffer.from(text as string)),
    append: (path, text) =>
      put(path, Buffer.concat([files.get(path)?.bytes ?? Buffer.alloc(0), Buffer.from(text as string)])),
    rename(from, to) {
      const file = files.get(from);
      if (!file) throw new DoorError(`there is no ${from}`);
      files.delete(from);
      files.set(to, file);
      changed();
    },
    truncate(path, bytes) {
      const file = files.get(path);
      if (!file) throw new DoorError(`there is no ${path}`);
      Object.assign(file, { bytes: file.bytes.subarray(0, bytes), modifiedMs: start + clock });
      changed();
    },
    link(path) {
      files.delete(path);
      put(path, Buffer.from("somebody else's"));
      links.add(path);
    },
    own: (path, owner) => void owners.set(path, { ...owners.get(path), ...owner }),
    remove(path) {
      files.delete(path);
      links.delete(path);
      changed();
    },
    program: (name, act) => void programs.set(name, act),
    pass(ms) {
      clock += ms;
    },
  };
}
