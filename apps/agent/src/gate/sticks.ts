/** Drop folder → scan → spool. An image file laid into `sticks/` and left alone for a moment is scanned once, and again
 *  only when it changes; a source like any other, so that a newcomer can try the gate's reading half. */

import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import type { Dropped } from "../dom0/stick-folder.ts";
import { pause } from "../pace.ts";
import type { Source } from "../sources/source.ts";
import { prepareAhead } from "../spool/prepare.ts";
import { inTurns } from "./in-turns.ts";
import { listing, scanObservations } from "./records.ts";

export type WatchSticks = {
  list: () => Promise<Dropped[]>;
  /** Whether this file, as it is, was scanned before. */
  known: (dropped: Dropped) => boolean;
  scan: (dropped: Dropped) => Promise<ScanBody>;
  /** Resolves when the result is safe; only then is the file known. */
  onScan: (body: ScanBody, dropped: Dropped) => Promise<void>;
  /** Between two looks; a file must look the same in two of them. */
  pauseMs: number;
};

/** Runs until the signal. @throws DoorError where the folder itself cannot be read */
export async function watchSticks(watch: WatchSticks, signal: AbortSignal): Promise<void> {
  let before = new Map<string, string>();
  while (!signal.aborted) {
    const now = new Map<string, string>();
    for (const dropped of await watch.list()) {
      if (signal.aborted) return;
      const state = stateOf(dropped);
      now.set(dropped.name, state);
      const still = before.get(dropped.name) === state;
      if (!still || watch.known(dropped)) continue;
      const body = await watch.scan(dropped).catch((error: unknown) => unread(error, dropped));
      // a scan that was cut short by the end says nothing of the file
      if (signal.aborted) return;
      await watch.onScan(body, dropped);
    }
    before = now;
    await pause(watch.pauseMs, signal);
  }
}

/** A file that cannot be read at all is held like one that cannot be scanned, and recorded, whatever went wrong: one
 *  that only stopped the source would be met again at each start and keep back all behind it. */
function unread(error: unknown, { name }: Dropped): ScanBody {
  const said = (error instanceof Error ? error.message : String(error)).slice(0, 500).toWellFormed();
  const reason = said || "It could not be read, and nothing says why";
  const source = name.toWellFormed();
  return { verdict: "hold", rule: "unscannable", reason, problems: [reason], manifest: [], scanner: null, source };
}

export const stateOf = ({ inode, size, modifiedMs }: Dropped): string => canonicalText({ inode, size, modifiedMs });

export type SticksNeeds = {
  folder: string;
  list: (folder: string) => Promise<Dropped[]>;
  scan: (path: string, source: string, signal: AbortSignal) => Promise<ScanBody>;
  hash: Hash;
  now: () => number;
  pauseMs?: number;
};

const PAUSE_MS = 1_000;

/** Scanned exactly once over kill -9: the record and the file's state are stored together. */
export function sticksSource({ folder, list, scan, hash, now, pauseMs = PAUSE_MS }: SticksNeeds): Source {
  return {
    name: "sticks",
    async run(outlet, signal) {
      outlet.state({ state: "running", at: folder });
      const observed = async (body: ScanBody, dropped: Dropped) => {
        try {
          await inTurns(listing(body.manifest, hash));
          return scanObservations(body, now(), hash);
        } catch (error) {
          return scanObservations(unread(error, dropped), now(), hash);
        }
      };
      const position = (dropped: Dropped) => ({ name: `sticks/${dropped.name}`, value: stateOf(dropped) });
      await watchSticks(
        {
          list: () => list(folder),
          known: (dropped) => outlet.position(position(dropped).name) === stateOf(dropped),
          scan: (dropped) => scan(dropped.path, dropped.name.toWellFormed(), signal),
          onScan: async (body, dropped) => {
            const observations = await observed(body, dropped);
            await inTurns(prepareAhead(observations));
            await outlet.emit({ observations, position: position(dropped) });
          },
          pauseMs,
        },
        signal,
      );
    },
  };
}
