/** Gate → the confined reader. Starts the one program that meets a stick's bytes: own user, no network, no privileges, few
 *  system calls, a root of its own with nothing in it but that program, an open image and a door to clamd; bounded in time,
 *  memory and processes. Root reads nothing without that room. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import type { Order, ScannerLimits } from "../gate/reader/events.ts";
import { bubblewrap, nodeAlone, probe, type Room, readerUser } from "./confine-args.ts";
import { callFilter } from "./confine-filter.ts";
import { DoorError } from "./dom0.ts";
import { type ReaderFiles, readerFiles } from "./own-files.ts";
import { openScannerDoor, type ScannerDoor, type ScannerPlace } from "./scanner-door.ts";

export type ReaderOrder = Pick<Order, "bounds" | "lanes" | "hashImage"> & {
  clamd: (ScannerPlace & ScannerLimits) | null;
  /** An image file or a folder. */
  path: string;
  secondsMax: number;
  signal?: AbortSignal;
  /** bubblewrap's name; for tests, one that does not work. */
  wrapper?: string;
  /** Where the reader lies, if not where it was installed. */
  files?: ReaderFiles;
};

export type Reading = {
  confined: "bubblewrap" | "node";
  /** Why what the reader says is to be doubted, for people; it counts as unscannable. */
  doubt?: string;
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

/** @throws DoorError where the path is neither, or cannot be read; as root, where the sandbox does not work */
export const startReader: StartReader = async (order) => {
  const kind = kindOf(order.path);
  const wrapper = await wrapperFor(order.wrapper);
  const wrapped = wrapper.ok;
  let image: FileHandle | null = null;
  let door: ScannerDoor | null = null;
  let isRead = false;
  try {
    if (kind === "image") image = await open(order.path, "r").catch(denied(order.path));
    const target: Order["target"] = image
      ? { kind: "image", fd: 3, size: (await image.stat()).size }
      : { kind: "folder", path: wrapped ? "/scan" : realpathSync(order.path) };
    const empty = emptyRoom(order.files ?? readerFiles(), { workBytes: WORK_BYTES, secondsMax: order.secondsMax });
    let clamd: Order["clamd"] = null;
    if (order.clamd && existsSync(order.clamd.socket)) {
      const { socket, trays, ...limits } = order.clamd;
      // Node alone lets the reader write nowhere
      door = await openScannerDoor({ socket, trays: wrapped ? trays : null }, empty.user);
      clamd = { ...limits, socket: wrapped ? "/clamd" : door.path, tray: door.tray && "/tray" };
    }
    const room: Room = {
      ...empty,
      socket: door?.path ?? null,
      tray: door?.tray ?? null,
      folder: kind === "folder" ? realpathSync(order.path) : null,
    };
    const told: Order = {
      target,
      clamd,
      bounds: order.bounds,
      lanes: order.lanes,
      workDir: wrapped ? "/tmp" : null,
      hashImage: order.hashImage,
    };
    const stdio = ["ignore", "pipe", "pipe", image ? image.fd : "ignore"] as const;
    const started = await startConfined(room, wrapped ? wrapper.value : null, told, stdio, order);
    isRead = true;
    const ended = started.ended.then(async (why) => {
      await door?.close();
      return why;
    });
    const { child } = started;
    const lines = boundedLines(child.stdout as Readable);
    if (wrapped) return { confined: "bubblewrap", kind, lines, ended };
    return {
      confined: "node",
      doubt: `Node's permissions alone confined the reader: ${wrapper.error}`,
      kind,
      lines,
      ended,
    };
  } finally {
    await image?.close();
    if (!isRead) await door?.close();
  }
};

/** The room's program with its order as its one argument, and how it ends. Without a wrapper Node alone confines it. The
 *  first three of `stdio` are standard, the others what it may touch. @throws DoorError where it cannot be started */
export async function startConfined(
  room: Room,
  wrapper: Wrapper | null,
  told: object,
  stdio: readonly (StdioOptions[number] & ("pipe" | "ignore" | number))[],
  bound: Pick<ReaderOrder, "secondsMax" | "signal">,
): Promise<{ child: ChildProcess; ended: Promise<string | null> }> {
  const order = JSON.stringify(told);
  const child = wrapper
    ? startWrapped(wrapper, bubblewrap(room, { ...wrapper, filterFd: stdio.length }), order, stdio)
    : startAlone(nodeAlone(room), order, stdio);
  const ended = watch(child, bound);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new DoorError(`the sandbox cannot be started: ${error.message}`)));
  });
  return { child, ended };
}

/** Where bubblewrap is looked for; it gives nothing of it on. */
const path = () => ({ PATH: process.env.PATH ?? "/usr/bin:/bin" });

type Stdio = Parameters<typeof startConfined>[3];

function startWrapped({ name }: Wrapper, [, ...args]: string[], order: string, stdio: Stdio): ChildProcess {
  const child = spawn(name, [...args, order], { stdio: [...stdio, "pipe"], env: path(), detached: true });
  const filter = child.stdio.at(-1) as Writable;
  filter.on("error", () => {}); // one that ends before it has read it says so by how it ends
  filter.end(callFilter());
  return child;
}

function startAlone([program = "", ...args]: string[], order: string, stdio: Stdio): ChildProcess {
  const env = { PATH: "/usr/bin:/bin" };
  return spawn(program, [...args, order], { stdio: [...stdio], env, detached: true });
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
    const isOver = child.exitCode !== null || child.signalCode !== null;
    if (child.pid !== undefined && !isOver) process.kill(-child.pid, "SIGKILL");
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
  tray: null,
  folder: null,
  root: process.getuid?.() === 0,
  user: readerUser(readFileSync("/etc/passwd", "utf8")),
  workBytes,
  secondsMax,
});

/** A bubblewrap that was seen to do its work here. */
export type Wrapper = { name: string; nestless: boolean };

const BUBBLEWRAP = "bwrap";
const seen = new Map<string, Wrapper>();

/** Whether bubblewrap is there and this kernel lets it do its work, by trying the room it will make; a no is asked again
 *  each time. As root there is no other way. @throws DoorError as root, with what failed and what to do */
export async function wrapperFor(name = BUBBLEWRAP): Promise<Result<Wrapper>> {
  const known = seen.get(name);
  if (known) return ok(known);
  const tried = await tryOut(name);
  if (tried.ok) seen.set(name, tried.value);
  else if (process.getuid?.() === 0)
    throw new DoorError(
      `nothing of it is read, because the sandbox for that does not work: ${tried.error}. Install bubblewrap, or mend what it names; "sallyport-agent scan FILE" tries it again`,
    );
  return tried;
}

async function tryOut(name: string): Promise<Result<Wrapper>> {
  if (process.arch !== "x64") return fail(`its filter of system calls is for x86-64, this is ${process.arch}`);
  const help = await attempt(name, ["--help"], null);
  if (!help.ok) return help;
  const wrapper = { name, nestless: help.value.includes("--disable-userns") };
  const room = emptyRoom(readerFiles(), { workBytes: WORK_BYTES, secondsMax: PROBE_MS / 1000 });
  const [, ...args] = probe(room, { ...wrapper, filterFd: 3 });
  const ran = await attempt(name, args, callFilter());
  return ran.ok ? ok(wrapper) : ran;
}

/** What it prints, or why it ended otherwise, in its own words. */
function attempt(name: string, args: string[], filter: Buffer | null): Promise<Result<string>> {
  const stdio: StdioOptions = ["ignore", "pipe", "pipe", ...(filter ? (["pipe"] as const) : [])];
  const child = spawn(name, args, { stdio, env: path(), timeout: PROBE_MS, killSignal: "SIGKILL" });
  let [said, wrong] = ["", ""];
  child.stdout?.on("data", (bytes: Buffer) => {
    if (said.length < LINE_CHARS_MAX) said += bytes.toString("latin1");
  });
  child.stderr?.on("data", (bytes: Buffer) => {
    if (wrong.length < STDERR_CHARS_MAX) wrong += bytes.toString("latin1");
  });
  if (filter) {
    const pipe = child.stdio[3] as Writable;
    pipe.on("error", () => {});
    pipe.end(filter);
  }
  return new Promise((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      resolve(fail(error.code === "ENOENT" ? `there is no ${name}` : `${name} cannot be started: ${error.message}`)),
    );
    child.once("close", (code, signal) => {
      if (code === 0) return resolve(ok(said));
      const how = signal ? `it was ended by ${signal}` : `it ended with code ${code}`;
      resolve(fail(wrong.trim().split("\n").at(-1)?.slice(0, 300) || `${name}: ${how}`));
    });
  });
}
