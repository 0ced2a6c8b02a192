/** Gate → the confined rebuilder: gets the sealed image to read, an empty one to write, and the list of what passed; no
 *  other file, no network, no privileges, bounded in time, memory and length. */
import { constants, type FileHandle, open } from "node:fs/promises";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { RebuildOrder } from "../gate/rebuild/main.ts";
import type { Passing } from "../gate/rebuild/plan.ts";
import { boundedLines, emptyRoom, startConfined, wrapperFor } from "./confine.ts";
import type { Room } from "./confine-args.ts";
import { DoorError } from "./dom0.ts";
import { rebuilderFiles } from "./own-files.ts";

export type Rebuild = {
  /** The sealed image. */
  image: string;
  /** Written to, from its beginning; nothing where a copy is checked. */
  out?: FileHandle;
  order: Omit<RebuildOrder, "size">;
  passing: readonly Passing[];
  secondsMax: number;
  signal?: AbortSignal;
  /** bubblewrap's name; for tests, one that does not work. */
  wrapper?: string;
};
export type Rebuilding = {
  /** Untrusted lines. */
  lines: AsyncIterable<string>;
  /** Null: it ended as it should. Else why not, for people. */
  ended: Promise<string | null>;
};
export type StartRebuild = (rebuild: Rebuild) => Promise<Rebuilding>;

/** It works in memory; nothing is written beside the copy. */
const WORK_BYTES = 16 * 1024 * 1024;
const LINES_AT_ONCE = 512;

/** Never without bubblewrap, whoever we are: what comes of it is a guest's. @throws DoorError where it cannot be started */
export const startRebuild: StartRebuild = async (rebuild) => {
  const { image, out, order, passing, secondsMax, signal } = rebuild;
  const wrapper = await wrapperFor(rebuild.wrapper);
  if (!wrapper.ok)
    throw new DoorError(`nothing is rebuilt, because the sandbox for that does not work: ${wrapper.error}`);
  const source = await open(image, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: Error) => {
    throw new DoorError(`${image} cannot be read: ${error.message}`, { cause: error });
  });
  try {
    const told: RebuildOrder = { ...order, size: (await source.stat()).size };
    const room: Room = {
      ...emptyRoom(rebuilderFiles(), { workBytes: WORK_BYTES, secondsMax }),
      fileBytes: order.bytesMax,
    };
    const stdio = ["pipe", "pipe", "pipe", source.fd, ...(out ? [out.fd] : [])] as const;
    const bound = { secondsMax, ...(signal ? { signal } : {}) };
    const { child, ended } = await startConfined(room, wrapper.value, told, stdio, bound);
    // one that ends early says so by how it ends
    pipeline(Readable.from(inLines(passing)), child.stdin as Writable).catch(() => {});
    return { lines: boundedLines(child.stdout as Readable), ended };
  } finally {
    await source.close();
  }
};

/** No more than it takes at once: the next are written when it has read those. */
function* inLines(passing: readonly Passing[]): Generator<string> {
  for (let from = 0; from < passing.length; from += LINES_AT_ONCE) {
    const some = passing.slice(from, from + LINES_AT_ONCE);
    yield some.map((file) => `${JSON.stringify(file)}\n`).join("");
  }
}
