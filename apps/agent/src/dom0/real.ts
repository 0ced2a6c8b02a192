/** This machine, through the door. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, type Stats, watch as watchFile } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, stat, statfs, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { hostname, release, type as systemName } from "node:os";
import { dirname } from "node:path";
import { Bell, wakes } from "../pace.ts";
import { type Dom0, DoorError, type FileFacts, type OpenFile, type Owner, type Ran, type RunLimits } from "./dom0.ts";

const OUTPUT_BYTES_MAX = 1024 * 1024;

export const realDom0: Dom0 = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  hostname,
  kernel: () => `${systemName()} ${release()}`,
  run,
  async readText(path, bytesMax) {
    const file = await opened(path);
    if (!file) return undefined;
    try {
      // files under /proc and /sys say that they are empty: read to the end or the bound
      const buffer = Buffer.alloc(bytesMax);
      let length = 0;
      while (length < bytesMax) {
        const { bytesRead } = await file.read(buffer, length, bytesMax - length, null);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return buffer.toString("utf8", 0, length);
    } catch (error) {
      throw refused("read", path, error);
    } finally {
      await file.close();
    }
  },
  async facts(path) {
    try {
      return factsOf(await stat(path, { bigint: true }));
    } catch (error) {
      return absent(error) ? undefined : Promise.reject(refused("look at", path, error));
    }
  },
  async owner(path) {
    try {
      const found = await lstat(path);
      return { is: kindOf(found), uid: found.uid, mode: found.mode & 0o7777 };
    } catch (error) {
      return absent(error) ? undefined : Promise.reject(refused("look at", path, error));
    }
  },
  async open(path) {
    const file = await opened(path);
    return file && openFile(path, file);
  },
  async openRegular(path) {
    const file = await opened(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return undefined;
    if ((await file.stat()).isFile()) return openFile(path, file);
    await file.close();
    throw new DoorError(`${path} is no regular file, and is not read`);
  },
  async list(folder) {
    try {
      return await readdir(folder);
    } catch (error) {
      return absent(error) ? undefined : Promise.reject(refused("list", folder, error));
    }
  },
  watch,
  async clearSocket(path) {
    await mkdir(dirname(path), { recursive: true });
    const found = await lstat(path).catch(() => undefined);
    if (!found) return;
    if (!found.isSocket())
      throw new DoorError(`${path} is in the way: it is no socket. Move it, or choose another path.`);
    if (await isListening(path))
      throw new DoorError(`another program listens on ${path} already: end it, or choose another path`);
    await unlink(path);
  },
  async diskSpace(path) {
    try {
      const { bavail, blocks, bsize } = await statfs(path);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      return absent(error) ? undefined : Promise.reject(refused("measure", path, error));
    }
  },
};

const absent = (error: unknown): boolean => ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
const refused = (act: string, path: string, error: unknown): DoorError =>
  new DoorError(`cannot ${act} ${path}: ${(error as Error).message}`, { cause: error });

const kindOf = (found: Stats): Owner["is"] =>
  found.isFile() ? "file" : found.isDirectory() ? "folder" : found.isSymbolicLink() ? "link" : "other";

const factsOf = (found: { dev: bigint; ino: bigint; size: bigint; mtimeMs: bigint }): FileFacts => ({
  device: String(found.dev),
  inode: String(found.ino),
  size: Number(found.size),
  modifiedMs: Number(found.mtimeMs),
});

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

async function opened(path: string, flags = O_RDONLY): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ELOOP")
      throw new DoorError(`${path} is a symbolic link, and is not followed: who put it there could have any file read`);
    return absent(error) ? undefined : Promise.reject(refused("open", path, error));
  }
}

function openFile(path: string, file: FileHandle): OpenFile {
  return {
    facts: async () => factsOf(await file.stat({ bigint: true })),
    async read(offset, bytesMax) {
      try {
        const buffer = Buffer.allocUnsafe(bytesMax);
        const { bytesRead } = await file.read(buffer, 0, bytesMax, offset);
        return buffer.subarray(0, bytesRead);
      } catch (error) {
        throw refused("read", path, error);
      }
    },
    close: () => file.close(),
  };
}

async function run(program: string, args: readonly string[], limits: RunLimits): Promise<Ran> {
  const { timeoutMs, outputBytesMax = OUTPUT_BYTES_MAX, signal, input, environment } = limits;
  const env = environment && { ...process.env, ...environment };
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], ...(env && { env }) });
  // a program that ends without reading it all says so by how it ends
  child.stdin.on("error", () => {}).end(input ?? "");
  let timedOut = false;
  const kill = () => child.kill("SIGKILL");
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  signal?.addEventListener("abort", kill, { once: true });
  const gather = (stream: NodeJS.ReadableStream) => {
    const chunks: Buffer[] = [];
    let length = 0;
    stream.on("data", (chunk: Buffer) => {
      if (length < outputBytesMax) chunks.push(chunk.subarray(0, outputBytesMax - length));
      length += chunk.length;
    });
    return () => Buffer.concat(chunks).toString("utf8");
  };
  const stdout = gather(child.stdout);
  const stderr = gather(child.stderr);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stdout: stdout(), stderr: stderr(), timedOut };
  } catch (error) {
    throw new DoorError(`cannot start ${program}: ${(error as Error).message}`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", kill);
  }
}

async function* watch(path: string, everyMs: number, signal: AbortSignal): AsyncGenerator<void> {
  const bell = new Bell();
  let watcher: ReturnType<typeof watchFile> | undefined;
  try {
    watcher = watchFile(path, () => bell.ring()).on("error", () => watcher?.close());
  } catch {
    // absent, or no watches left: the pace alone must do
  }
  try {
    yield* wakes(bell, everyMs, signal);
  } finally {
    watcher?.close();
  }
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", () => answer(true));
    // a datagram socket answers EPROTOTYPE when somebody holds it, ECONNREFUSED when nobody does
    socket.once("error", (error: NodeJS.ErrnoException) => answer(error.code === "EPROTOTYPE"));
  });
}
