/** Gate → the confined reader. Starts the one program that meets a stick's bytes: own user, no network, no privileges,
 *  a root of its own with nothing in it but that program, an open image and clamd's socket; bounded in time and memory. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { Order } from "../gate/reader/events.ts";
import { bubblewrap, nodeAlone, probe, type Room, readerUser } from "./confine-args.ts";
import { DoorError } from "./dom0.ts";
import { type ReaderFiles, readerFiles } from "./own-files.ts";

export type ReaderOrder = Pick<Order, "clamd" | "bounds" | "lanes" | "hashImage"> & {
  /** An image file or a folder. */
  path: string;
  secondsMax: number;
  signal?: AbortSignal;
  /** For tests: go without bubblewrap although it is there. */
  without?: "bubblewrap";
};

export type Reading = {
  confined: "bubblewrap" | "node";
  kind: "image" | "folder";
  /** Untrusted lines. */
  lines: AsyncIterable<string>;
  /** Null: it ended as it should. Else why not, for people. */
  ended: Promise<string | null>;
};

export type StartReader = (order: ReaderOrder) => Promise<Reading>;

/** Room for archives within archives and what 7z unpacks; it is memory. */
const WORK_BYTES = 512 * 1024 * 1024;
const LINE_CHARS_MAX = 256 * 1024;
const STDERR_CHARS_MAX = 4_096;
const PROBE_MS = 10_000;

/** @throws DoorError where the path is neither, or cannot be read */
export const startReader: StartReader = async (order) => {
  const kind = kindOf(order.path);
  const wrapped = order.without !== "bubblewrap" && (await works());
  let image: FileHandle | null = null;
  try {
    if (kind === "image") image = await open(order.path, "r").catch(denied(order.path));
    const target: Order["target"] = image
      ? { kind: "image", fd: 3, size: (await image.stat()).size }
      : { kind: "folder", path: wrapped ? "/scan" : realpathSync(order.path) };
    const room = roomFor(order, kind);
    const clamd = order.clamd && room.socket && { ...order.clamd, socket: wrapped ? "/clamd" : order.clamd.socket };
    const told: Order = {
      target,
      clamd,
      bounds: order.bounds,
      lanes: order.lanes,
      workDir: wrapped ? "/tmp" : null,
      hashImage: order.hashImage,
    };
    const stdio: StdioOptions = ["ignore", "pipe", "pipe", image ? image.fd : "ignore"];
    const { child, ended } = await startConfined(room, wrapped, told, stdio, order);
    return { confined: wrapped ? "bubblewrap" : "node", kind, lines: boundedLines(child.stdout as Readable), ended };
  } finally {
    await image?.close();
  }
};

/** The room's program with its order as its one argument, and how it ends. The first three of `stdio` are standard, the
 *  others what it may touch. @throws DoorError where it cannot be started */
export async function startConfined(
  room: Room,
  wrapped: boolean,
  told: object,
  stdio: StdioOptions,
  bound: Pick<ReaderOrder, "secondsMax" | "signal">,
): Promise<{ child: ChildProcess; ended: Promise<string | null> }> {
  const [program = "", ...args] = wrapped ? bubblewrap(room) : nodeAlone(room);
  const env = wrapped ? {} : { PATH: "/usr/bin:/bin" };
  const child = spawn(program, [...args, JSON.stringify(told)], { stdio, env, detached: true });
  const ended = watch(child, bound);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new DoorError(`${program} cannot be started: ${error.message}`)));
  });
  return { child, ended };
}

/** A reader that was taken over may never end a line; what grows beyond any true one is cut off there. */
export async function* boundedLines(stream: Readable): AsyncGenerator<string> {
  let rest = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!.slice(0, LINE_CHARS_MAX);
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function watch(child: ChildProcess, order: Pick<ReaderOrder, "secondsMax" | "signal">): Promise<string | null> {
  let said = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    if (said.length < STDERR_CHARS_MAX) said += bytes.toString("latin1");
  });
  let why: string | null = null;
  const end = (reason: string) => {
    why = reason;
    // the whole group: bubblewrap takes its inside with it, prlimit has become the reader
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  const timer = setTimeout(
    () => end(`the reading took longer than ${order.secondsMax} s and was ended`),
    order.secondsMax * 1000,
  );
  const aborted = () => end("the reading was broken off");
  order.signal?.addEventListener("abort", aborted, { once: true });
  if (order.signal?.aborted) aborted();
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      order.signal?.removeEventListener("abort", aborted);
      if (why !== null) resolve(why);
      else if (code === 0) resolve(null);
      else resolve(`the reader ended with ${signal ?? `code ${code}`}${lastLine(said)}`);
    });
  });
}

function lastLine(said: string): string {
  const lines = said.split("\n").filter((line) => /\w*Error|cannot|denied|bwrap/.test(line));
  return lines.length === 0 ? "" : `: ${lines[0]!.slice(0, 300)}`;
}

function kindOf(path: string): "image" | "folder" {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(path);
  } catch (error) {
    return denied(path)(error as Error);
  }
  if (stats.isDirectory()) return "folder";
  if (stats.isFile()) return "image";
  throw new DoorError(`${path} is neither an image file nor a folder; copy a device into a file first`);
}

const denied =
  (path: string) =>
  (error: Error): never => {
    throw new DoorError(`${path} cannot be read: ${error.message}`, { cause: error });
  };

/** A room with nothing in it but Node and the program of those files. */
export const emptyRoom = (
  files: ReaderFiles,
  { workBytes, secondsMax }: Pick<Room, "workBytes" | "secondsMax">,
): Room => ({
  node: realpathSync(process.execPath),
  code: {
    reader: realpathSync(files.folder),
    main: files.main,
    modules: files.modules && realpathSync(files.modules),
    manifest: realpathSync(files.manifest),
  },
  socket: null,
  folder: null,
  root: process.getuid?.() === 0,
  user: readerUser(readFileSync("/etc/passwd", "utf8")),
  workBytes,
  secondsMax,
});

function roomFor(order: ReaderOrder, kind: "image" | "folder"): Room {
  const socket = order.clamd && existsSync(order.clamd.socket) ? order.clamd.socket : null;
  return {
    ...emptyRoom(readerFiles(), { workBytes: WORK_BYTES, secondsMax: order.secondsMax }),
    socket: socket === null ? null : { path: realpathSync(socket), group: groupOf(socket) },
    folder: kind === "folder" ? realpathSync(order.path) : null,
  };
}

/** Where only a group may speak to the scanner, the reader is in that one too; never in root's. */
function groupOf(socket: string): number | null {
  const stats = statSync(socket);
  return (stats.mode & 0o002) !== 0 || stats.gid === 0 ? null : stats.gid;
}

let known: Promise<boolean> | null = null;

/** Whether bubblewrap is there and this kernel lets it do its work. Asked once. */
export function works(): Promise<boolean> {
  known ??= new Promise((resolve) => {
    const [program = "", ...args] = probe(process.getuid?.() === 0);
    const child = spawn(program, args, { stdio: "ignore", timeout: PROBE_MS });
    child.once("error", () => resolve(false));
    child.once("close", (code) => resolve(code === 0));
  });
  return known;
}
