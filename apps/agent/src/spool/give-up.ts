/** Contents of one way → gone, oldest first, until enough room is made. Inside the caller's transaction. */
import type { GivenUp } from "./gap.ts";
import type { Store } from "./store.ts";

/** Rows looked at in one go. */
const ROWS_MAX = 1_024;

/** From index `start` on, below `size`; nothing where there was nothing to give. */
export function giveUp(
  store: Pick<Store, "oldest" | "giveUp">,
  way: 0 | 1,
  bytesWanted: number,
  start: number,
  size: number,
): GivenUp | undefined {
  const given: GivenUp = { from: -1, to: start, contents: 0, bytes: 0 };
  while (given.bytes < bytesWanted && given.to < size) {
    const rows = store.oldest(given.to, way, ROWS_MAX);
    if (rows.length === 0) break;
    const from = rows[0]!.idx;
    if (given.from < 0) given.from = from;
    for (const { idx, bytes } of rows) {
      if (given.bytes >= bytesWanted) break;
      given.bytes += bytes;
      given.contents++;
      given.to = idx + 1;
    }
    store.giveUp(from, given.to - 1, way);
  }
  return given.contents > 0 ? given : undefined;
}
