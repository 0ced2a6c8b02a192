/** Records as they are committed → one watching browser, at its pace. While it is slow only ranges are remembered, never
 *  rows; what it then gets is the newest, and that lines were skipped is said. */
import type { Pool } from "pg";
import type { Filter } from "./filter.ts";
import type { Heard, Moved } from "./heard.ts";
import { listMoved, listRecords, type RecordRow } from "./store.ts";

/** Lines in one frame: a screen and more. The page keeps as many again. */
export const FRAME_ROWS_MAX = 200;
/** Faster than this nobody reads. */
const PACE_MS = 250;
/** Whether the session still stands is asked this often when nothing happens, and before each frame. */
const LOOK_MS = 5_000;
/** After a disconnect: clocks of several workers differ, and a line may be committed after a newer one. The page knows
 *  lines it has already. */
const OVERLAP_MS = 30_000;

/** `rows` newest first. `skipped`: lines that matched before the oldest of these were left out. */
export type Frame = { rows: RecordRow[]; skipped: boolean };

export type TailParts = {
  pool: Pool;
  heard: Heard;
  filter: Filter;
  /** Resumes after the line received then. */
  after: string | undefined;
  signal: AbortSignal;
  /** Whether this person may read contents now. @throws when the session or the role is gone */
  contents: () => Promise<boolean>;
};

export async function* tailRecords(parts: TailParts): AsyncGenerator<Frame, void> {
  const { pool, heard, filter, after, signal, contents } = parts;
  const pending = new Map<number, Moved>();
  let wake: () => void = () => undefined;
  const { ready, stop } = heard.watch((moved) => {
    for (const each of moved) pending.set(each.trail, merge(pending.get(each.trail), each));
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort);
  const sleep = async (ms: number, untilWoken: boolean): Promise<void> => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      wake = () => {
        if (untilWoken || signal.aborted) resolve();
      };
    });
    clearTimeout(timer);
    wake = () => undefined;
  };
  try {
    // before that nobody would tell of what is committed after the first page was read
    await Promise.race([ready, new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))]);
    yield await begin(parts, await contents());
    while (!signal.aborted) {
      if (pending.size === 0) await sleep(LOOK_MS, true);
      if (signal.aborted) return;
      const may = await contents();
      if (pending.size === 0) continue;
      const moved = [...pending.values()];
      pending.clear();
      const wanted = may ? filter : { ...filter, text: undefined };
      const rows = await listMoved(pool, wanted as Filter, moved, FRAME_ROWS_MAX + 1, may);
      if (rows.length > 0) yield { rows: rows.slice(0, FRAME_ROWS_MAX), skipped: rows.length > FRAME_ROWS_MAX };
      await sleep(PACE_MS, false);
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    stop();
  }

  async function begin({ pool }: TailParts, may: boolean): Promise<Frame> {
    const since = after && new Date(Date.parse(after) - OVERLAP_MS).toISOString();
    const from = since && (!filter.since || filter.since < since) ? since : filter.since;
    const wanted = { ...filter, ...(from && { since: from }), ...(!may && { text: undefined }) };
    const { rows, next } = await listRecords(pool, wanted as Filter, undefined, FRAME_ROWS_MAX, may);
    const oldest = rows.at(-1)?.received;
    return { rows, skipped: after !== undefined && next !== null && oldest !== undefined && oldest > after };
  }
}

const merge = (before: Moved | undefined, next: Moved): Moved =>
  before ? { trail: next.trail, from: Math.min(before.from, next.from), to: Math.max(before.to, next.to) } : next;
