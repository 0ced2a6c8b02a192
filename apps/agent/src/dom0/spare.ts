/** What the disk did not take → a place that is no disk and outlives the agent, until it does. It is good for going on from
 *  the very text that the disk has, and for nothing else: what has been written since is newer. Where that text cannot be read,
 *  only what takes away may be taken from it. */
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { replaceFile } from "../enrol/folder.ts";

export type Spare = {
  /** What was believed beyond `disk` by a life before this one; beyond what cannot be read any more where that is not given. */
  beyond(disk: string | undefined): string | undefined;
  keep(disk: string, text: string): void;
  drop(): void;
};

export const NO_SPARE: Spare = { beyond: () => undefined, keep() {}, drop() {} };

const Spared = z.object({ beyond: z.string(), text: z.string() });
const sumOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** `folder`: the unit's own in /run; none where the agent is no unit. It may be full as well: then memory is all there is. */
export function spareIn(folder: string | undefined, name: string): Spare {
  if (folder === undefined) return NO_SPARE;
  const path = join(folder, name);
  return {
    beyond(disk) {
      try {
        const { beyond, text } = Spared.parse(JSON.parse(readFileSync(path, "utf8")));
        if (disk === undefined || beyond === sumOf(disk)) return text;
        // older than the disk, by a kill before it was dropped: nor may it be taken up where that cannot be read any more
        rmSync(path, { force: true });
        return undefined;
      } catch {
        return undefined;
      }
    },
    keep(disk, text) {
      try {
        replaceFile(path, JSON.stringify({ beyond: sumOf(disk), text } satisfies z.infer<typeof Spared>));
      } catch {
        // the disk's own refusal is told
      }
    },
    drop() {
      try {
        rmSync(path, { force: true });
      } catch {
        // it is beyond what the disk no longer has
      }
    },
  };
}
