/** clamd's socket → one of our own, which the confined reader gets in its place. clamd takes every command of whoever
 *  reaches it (SHUTDOWN, RELOAD, SCAN of any path it may read); here one stream to scan passes on a connection, or the
 *  question for the version, or one file after another of the reader's own tray, and nothing else or after it (clamd(8)).
 *  Bytes are passed on and not looked at. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DoorError } from "./dom0.ts";
import { makeTray, removeTray } from "./scanner-tray.ts";

/** `tray`: a folder that the reader alone may write to and clamd may read, by its path for both; null: there is none. */
export type ScannerDoor = { path: string; tray: string | null; close(): Promise<void> };

/** `trays`: a folder of the agent's in memory that clamd sees under the same path; null: there is none. */
export type ScannerPlace = { socket: string; trays: string | null };

const STREAM = "zINSTREAM\0";
const VERSION = "zVERSION\0";
const SESSION = "zIDSESSION\0";
/** Of a file in the tray, by its number, in a session; what is not whole may become one. */
const FILE = /^zSCAN (\d{1,6})\0$/;
const FILE_BEGUN = /^z(?:S(?:C(?:A(?:N(?: \d{0,6})?)?)?)?)?$/;
/** Each lane of the reader has one, and what it gave up a moment ago may still be closing. */
const CONNECTIONS_MAX = 64;

/** @throws DoorError where there is no room for a socket */
export async function openScannerDoor(clamd: ScannerPlace, user: { uid: number }): Promise<ScannerDoor> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-door-"));
  const path = join(folder, "clamd");
  const tray = clamd.trays === null ? null : await makeTray(clamd.trays, user.uid);
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (reader) => {
    open.add(reader);
    reader.once("close", () => open.delete(reader));
    pass(reader, clamd.socket, tray);
  });
  server.maxConnections = CONNECTIONS_MAX;
  const close = async () => {
    for (const each of open) each.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await rm(folder, { recursive: true, force: true });
    if (tray !== null) await removeTray(tray);
  };
  try {
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
    await chmod(path, 0o666); // its folder is ours alone: what is bound into the sandbox is reached, and nobody else reaches it
  } catch (error) {
    await close();
    throw new DoorError(`no socket can be made for the reader at ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return { path, tray, close };
}

function pass(reader: Socket, clamd: string, tray: string | null): void {
  let begun = Buffer.alloc(0);
  let scanner: Socket | undefined;
  const end = () => {
    reader.destroy();
    scanner?.destroy();
  };
  const known = [STREAM, VERSION, ...(tray === null ? [] : [SESSION])];
  const command = (bytes: Buffer) => {
    begun = Buffer.concat([begun, bytes]);
    const said = upToNul(begun);
    if (!known.some((each) => each.startsWith(said))) return end();
    if (!known.includes(said)) return;
    reader.off("data", command);
    scanner = connect(clamd);
    scanner.on("error", end).on("close", end);
    const more = begun.subarray(said.length);
    scanner.write(said);
    if (said === SESSION) inTurn(reader, scanner, tray!, more, end);
    if (said === STREAM) forward(reader, scanner, more, end);
    scanner.pipe(reader);
  };
  reader.on("data", command);
  // one that gives a stream up half-way only ends, since either side may: nobody waits for the scanner's own time-out
  reader.on("error", end).on("end", end).on("close", end);
}

const upToNul = (bytes: Buffer): string => {
  const stop = bytes.indexOf(0);
  return bytes.subarray(0, stop < 0 ? undefined : stop + 1).toString("latin1");
};

/** One file of the tray after another; the next is asked about once the one before was answered. */
function inTurn(reader: Socket, scanner: Socket, tray: string, first: Buffer, end: () => void): void {
  let begun = first;
  let isAsked = false;
  const take = () => {
    if (begun.length === 0) return;
    const said = upToNul(begun);
    const file = FILE.exec(said)?.[1];
    if (isAsked || (file === undefined && !FILE_BEGUN.test(said))) return end();
    if (file === undefined) return;
    begun = begun.subarray(said.length);
    isAsked = true;
    scanner.write(`zSCAN ${tray}/${file}\0`);
    take();
  };
  scanner.on("data", (bytes: Buffer) => {
    if (bytes.includes(0)) isAsked = false;
  });
  reader.on("data", (bytes: Buffer) => {
    begun = Buffer.concat([begun, bytes]);
    take();
  });
  take();
}

/** Chunks with their lengths before them, up to the one of no bytes. */
function forward(reader: Socket, scanner: Socket, first: Buffer, end: () => void): void {
  const chunks = chunkCounter();
  const take = (bytes: Buffer) => {
    const own = chunks(bytes);
    if (own > 0 && !scanner.write(own === bytes.length ? bytes : bytes.subarray(0, own))) {
      reader.pause();
      scanner.once("drain", () => reader.resume());
    }
    // more than the stream is a second command
    if (own < bytes.length) end();
  };
  reader.on("data", take);
  if (first.length > 0) take(first);
}

/** Of the bytes that come next, how many belong to the stream. */
export function chunkCounter(): (bytes: Uint8Array) => number {
  /** Bytes of the chunk that are still to come; then those of the next length, and what of it is here. */
  let left = 0;
  let header = 0;
  let length = 0;
  let ended = false;
  return (bytes) => {
    let at = 0;
    while (at < bytes.length && !ended) {
      if (left > 0) {
        const step = Math.min(left, bytes.length - at);
        left -= step;
        at += step;
        continue;
      }
      length = length * 256 + bytes[at++]!;
      if (++header < 4) continue;
      [left, header, length] = [length, 0, 0];
      ended = left === 0;
    }
    return at;
  };
}
