/** This machine's files, as a follower sees them. */
import { open, readdir, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { FileFacts } from "../../src/dom0/dom0.ts";
import type { FilesDoor } from "../../src/sources/follow/follow.ts";

const factsOf = (found: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint }): FileFacts => ({
  device: String(found.dev),
  inode: String(found.ino),
  size: Number(found.size),
  modifiedMs: Number(found.mtimeNs) / 1e6,
});
const orNothing = <T>(promise: Promise<T>) => promise.catch(() => undefined);

export const filesDoor: FilesDoor = {
  now: Date.now,
  monotonic: () => performance.now(),
  facts: (path) => orNothing(stat(path, { bigint: true }).then(factsOf)),
  list: (folder) => orNothing(readdir(folder)),
  async open(path) {
    const file = await orNothing(open(path, "r"));
    return (
      file && {
        facts: async () => factsOf(await file.stat({ bigint: true })),
        async read(offset, bytesMax) {
          const { bytesRead, buffer } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, offset);
          return buffer.subarray(0, bytesRead);
        },
        close: () => file.close(),
      }
    );
  },
  async *watch(_path, _everyMs, signal) {
    while (!signal.aborted) {
      yield;
      await delay(5, undefined, { signal }).catch(() => {});
    }
  },
};
