/** The guests' consoles as xenconsoled writes them, one file each → guest.log. New guests are found as they come. */
import { setTimeout as delay } from "node:timers/promises";
import { type FilesDoor, follow } from "../follow/follow.ts";
import type { Decode } from "../follow/reading.ts";
import type { GuestMap } from "../guest.ts";
import type { Outlet, Source, SourceState } from "../source.ts";
import { lineReader } from "../syslog/record.ts";

/** A guest that is restarted under ever new names must not take all of dom0's memory. */
export const CONSOLES_MAX = 256;
const LOOK_EVERY_MS = 2_000;

export type Consoles = {
  folder: string;
  /** A file name with one `*` in the place of the guest's name. */
  pattern: string;
  guests: GuestMap;
  dom0: FilesDoor;
  graceMs?: number;
  lookEveryMs?: number;
};

export function consoleFiles(consoles: Consoles): Source {
  const { folder, pattern, dom0, lookEveryMs = LOOK_EVERY_MS } = consoles;
  return {
    name: `console/${folder}/${pattern}`,
    async run(outlet, signal) {
      const followed = new Map<string, Promise<void>>();
      let said = "";
      while (!signal.aborted) {
        const names = await dom0.list(folder);
        for (const file of names ?? []) {
          const guest = guestName(file, pattern);
          if (guest === undefined || followed.has(file) || followed.size >= CONSOLES_MAX) continue;
          const work = followOne(consoles, file, guest, outlet, signal)
            .catch((error: Error) => outlet.state({ state: "failed", reason: `${folder}/${file}: ${error.message}` }))
            .finally(() => followed.delete(file));
          followed.set(file, work);
        }
        const state: SourceState = names
          ? { state: "running", at: `${folder}/${pattern}, ${followed.size} followed` }
          : { state: "absent", reason: `there is no folder ${folder}` };
        if (said !== JSON.stringify(state)) outlet.state(state);
        said = JSON.stringify(state);
        await delay(lookEveryMs, undefined, { signal }).catch(() => {});
      }
      await Promise.all(followed.values());
    },
  };
}

/** What stands at the star; nothing where the name does not fit. */
export function guestName(file: string, pattern: string): string | undefined {
  const [before = "", after = ""] = pattern.split("*");
  const fits = file.startsWith(before) && file.endsWith(after) && file.length > before.length + after.length;
  return fits ? file.slice(before.length, file.length - after.length) : undefined;
}

function followOne(
  { folder, guests, dom0, graceMs }: Consoles,
  file: string,
  guest: string,
  outlet: Outlet,
  signal: AbortSignal,
) {
  const path = `${folder}/${file}`;
  const decode = consoleDecoder(path, guest, guests);
  const origin = { via: "console" as const, from: path, guest: guests.byConsole(guest), position: path };
  const options = {
    path,
    kind: "console",
    dom0,
    // parts of a long line are read all or none
    decode: ((piece, now) =>
      !piece.part && outlet.admits?.(origin, piece.bytes.length) === false ? [] : decode(piece, now)) satisfies Decode,
    lineBytesMax: (now: Outlet) => now.settings().log.lineBytesMax,
    ...(graceMs !== undefined && { graceMs }),
  };
  return follow(options, { ...outlet, state: () => {} }, signal);
}

/** A console has no header: each line is as the guest wrote it, escapes and all. */
export function consoleDecoder(path: string, guest: string, guests: GuestMap): Decode {
  const read = lineReader({ via: "console", from: path, guest: guests.byConsole(guest) }, "plain");
  return (piece, now) => [read(piece, now)];
}
