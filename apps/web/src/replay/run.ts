/** A candidate over a group's recorded inputs: page after page, as long as somebody waits for it. Nothing is written. */
import type { Policy } from "@sallyport/shared/policy/policy.ts";
import type { Flips } from "@sallyport/shared/replay/flip.ts";
import { HOUR_MINUTES, type Input, MINUTE_MS, type Seen } from "@sallyport/shared/replay/input.ts";
import { Replay } from "@sallyport/shared/replay/replay.ts";
import type { ReplayResult } from "@sallyport/shared/replay/result.ts";
import type { Pool } from "pg";
import {
  type DeniedFile,
  listDenied,
  listInputs,
  listSeen,
  listTrails,
  PAGE_ROWS_MAX,
  type ReplayedTrail,
} from "./store.ts";

const TELL_MS = 500;

export type Running = {
  pool: Pool;
  group: string;
  before: Policy;
  after: Policy;
  sinceMs: number;
  nowMs: number;
  signal: AbortSignal;
  pageRows?: number;
};
export type Told =
  | { progress: { share: number; decisions: number; flips: Flips } }
  | { result: ReplayResult & { waiting: number } };

export async function* runReplay(running: Running): AsyncGenerator<Told, void> {
  const { pool, group, before, after, sinceMs, signal } = running;
  const trails = await listTrails(pool, group);
  const replay = new Replay({ before, after, denied: await deniedIn(pool, trails, before, after) });
  const fromBucket = Math.floor(sinceMs / MINUTE_MS / HOUR_MINUTES) * HOUR_MINUTES;
  let toldAt = 0;
  for (const [at, trail] of trails.entries()) {
    for await (const rows of pages(running, trail.num, fromBucket)) {
      if (signal.aborted) return;
      for (const [id, input] of await lacking(pool, replay, rows)) replay.tell(id, input);
      for (const row of rows) replay.add(trail.workstation, row);
      if (performance.now() - toldAt < TELL_MS) continue;
      toldAt = performance.now();
      yield { progress: { share: shareOf(running, at, trails.length, rows), ...seenBy(replay) } };
    }
    if (signal.aborted) return;
  }
  const waiting = trails.reduce((sum, each) => sum + each.waiting, 0);
  const result = replay.result();
  yield { result: { ...result, notes: [...result.notes, ...waitingWords(waiting)], waiting } };
}

const seenBy = ({ decisions, flips }: Replay) => ({ decisions, flips });
const lacking = (pool: Pool, replay: Replay, rows: readonly Seen[]): Promise<Map<number, Input>> =>
  listInputs(pool, replay.lacks(rows.map(({ input }) => input)));

/** The next page is asked for while this one is worked on. */
async function* pages({ pool, signal, pageRows = PAGE_ROWS_MAX }: Running, trail: number, fromBucket: number) {
  let next = listSeen(pool, trail, { bucket: fromBucket, input: -1, guest: "" }, pageRows);
  for (;;) {
    const rows = await next;
    const last = rows.at(-1);
    const hasMore = rows.length === pageRows && last !== undefined && !signal.aborted;
    if (hasMore) {
      next = listSeen(pool, trail, last, pageRows);
      next.catch(() => undefined); // told where it is awaited
    }
    if (rows.length > 0) yield rows;
    if (!hasMore) return;
  }
}

function shareOf({ sinceMs, nowMs }: Running, at: number, trails: number, rows: readonly Seen[]): number {
  const within = ((rows.at(-1)?.bucket ?? 0) * MINUTE_MS - sinceMs) / Math.max(1, nowMs - sinceMs);
  return (at + Math.min(1, Math.max(0, within))) / trails;
}

/** Asked only where files may flip by their hash. */
async function deniedIn(
  pool: Pool,
  trails: readonly ReplayedTrail[],
  before: Policy,
  after: Policy,
): Promise<(trail: number, first: number, last: number) => string[]> {
  const hashes = [...new Set([...before.usb.denySha256, ...after.usb.denySha256])];
  const byTrail = new Map<number, DeniedFile[]>();
  for (const file of await listDenied(
    pool,
    trails.map(({ num }) => num),
    hashes,
  ))
    push(byTrail, file);
  return (trail, first, last) =>
    (byTrail.get(trail) ?? []).filter(({ index }) => first <= index && index <= last).map(({ sha256 }) => sha256);
}

function push(byTrail: Map<number, DeniedFile[]>, file: DeniedFile): void {
  const files = byTrail.get(file.trail);
  if (files) files.push(file);
  else byTrail.set(file.trail, [file]);
}

const waitingWords = (waiting: number): string[] =>
  waiting === 0
    ? []
    : [`${waiting.toLocaleString("en")} records are not among the inputs yet: the worker is still reading them.`];
