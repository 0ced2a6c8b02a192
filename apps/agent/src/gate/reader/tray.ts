/** Chunks → a file in the tray, a folder that clamd sees too and opens it from: so a file's bytes cross no socket and are
 *  not written down once more (docs/decisions/2026-11-29-tray.md). What is too long for the tray, or finds no room in it,
 *  is streamed; from the first one on that clamd did not open there, all are. */
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { type Answer, fileAsker, type ScanStream, startScan } from "./clamd.ts";
import { CHUNK_BYTES } from "./source.ts";

/** Begins to ask about one file, which may take that long. */
export type Begin = (timeMs: number) => ScanStream;

/** It is memory of dom0's. What is longer clamd writes where it keeps its temporary files. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;

/** `folder`: the tray as the reader sees it; null where there is none. */
export function asking(socket: string, folder: string | null): Begin {
  if (folder === null) return (timeMs) => startScan(socket, timeMs);
  const places = tray(folder);
  const files = fileAsker(socket);
  const stream: Begin = (timeMs) => {
    files.makeRoom(); // each lane has one connection at a time
    return startScan(socket, timeMs);
  };
  let opened = true;
  return (timeMs) => {
    if (!opened) return stream(timeMs);
    return laid(
      places,
      async (name) => {
        const answer = await files.ask(name, timeMs);
        if (answer === null) opened = false;
        return answer;
      },
      () => stream(timeMs),
    );
  };
}

type Place = { name: string; fd: number; longest: number };
type Tray = { take(): Place; giveBack(place: Place): void; throwAway(place: Place): void };

/** Files are used again: the memory that they are made of is got and given back once. */
function tray(folder: string): Tray {
  const free: Place[] = [];
  let made = 0;
  return {
    take() {
      const before = free.pop();
      if (before) return before;
      const name = String(++made);
      return { name, fd: openSync(`${folder}/${name}`, "wx+", 0o644), longest: 0 };
    },
    giveBack: (place) => void free.push(place),
    throwAway({ name, fd }) {
      closeSync(fd);
      rmSync(`${folder}/${name}`, { force: true }); // clamd's VirusEvent may have been there before
    },
  };
}

/** `ask`: null where clamd did not open it. */
function laid(tray: Tray, ask: (name: string) => Promise<Answer | null>, stream: () => ScanStream): ScanStream {
  let place: Place | null = null;
  let bytes = 0;
  let streamed: ScanStream | null = null;

  function put(chunk: Buffer): boolean {
    if (bytes + chunk.length > FILE_BYTES_MAX) return false;
    try {
      place ??= tray.take();
      place.longest = Math.max(place.longest, bytes + chunk.length); // also where only a part of it finds room
      for (let at = 0; at < chunk.length; ) at += writeSync(place.fd, chunk, at, chunk.length - at, bytes + at);
    } catch {
      return false; // no room is left
    }
    bytes += chunk.length;
    return true;
  }

  function drop(how: "giveBack" | "throwAway"): void {
    if (place) tray[how](place);
    place = null;
  }

  /** What lies in the tray, and what comes behind it. */
  async function instead(): Promise<ScanStream> {
    streamed = stream();
    const room = Buffer.allocUnsafe(Math.min(bytes, CHUNK_BYTES));
    for (let at = 0; place && at < bytes; ) {
      const got = readSync(place.fd, room, 0, Math.min(room.length, bytes - at), at);
      if (got === 0) throw new Error(`the tray's file ${place.name} ends before its size`);
      await streamed.write(room.subarray(0, got));
      at += got;
    }
    drop("throwAway");
    return streamed;
  }

  return {
    async write(chunk) {
      if (streamed === null && put(chunk)) return;
      await (streamed ?? (await instead())).write(chunk);
    },
    async finish() {
      if (streamed || place === null) return (streamed ?? (await instead())).finish();
      if (place.longest > bytes) ftruncateSync(place.fd, bytes);
      place.longest = bytes;
      const answer = await ask(place.name);
      if (answer === null) return (await instead()).finish();
      // one that gave no answer may still read it
      drop(answer.answer === "gone" ? "throwAway" : "giveBack");
      return answer;
    },
    abandon() {
      streamed?.abandon();
      drop("giveBack");
    },
  };
}
