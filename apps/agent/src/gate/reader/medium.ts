/** Image → partitions, their files, and what lies outside: every reading that some system could make of it. */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { Area, Event } from "./events.ts";
import type { Examiner } from "./examine.ts";
import { foreign } from "./foreign.ts";
import { each } from "./lanes.ts";
import { outside, partitions } from "./partitions.ts";
import { LimitReached, type Source, slice } from "./source.ts";
import type { Range } from "./tables/range.ts";
import { type Bounds, reason, type Volume } from "./volume.ts";
import { volumesIn } from "./volumes/probe.ts";

const CHUNK_BYTES = 1024 * 1024;

type Tell = (event: Event) => void;

export async function readMedium(
  source: Source,
  examine: Examiner,
  bounds: Bounds,
  lanes: number,
  tell: Tell,
): Promise<void> {
  const tables = partitions(source);
  for (const problem of tables.problems) tell({ event: "problem", problem });
  const taken = [...tables.own, ...tables.partitions];
  const whole: Range = { number: 0, table: "none", from: 0, bytes: source.size };
  // a file system over the whole medium may lie under a partition table (discs made for booting do)
  const over = volumesIn(source);
  if (over.length > 0)
    taken.push({ from: 0, bytes: Math.min(source.size, Math.max(...over.map((volume) => volume.bytes))) });
  const other = tables.partitions.length > 0 && over.length === 0 ? foreign(source) : null;
  if (other !== null) tell({ event: "problem", problem: `under its partition table it is ${other} as well` });
  if (over.length > 0 || tables.partitions.length === 0)
    await readRange(whole, source, over, examine, bounds, lanes, tell);
  for (const range of tables.partitions) {
    const part = slice(source, range.from, range.bytes);
    await readRange(range, part, volumesIn(part), examine, bounds, lanes, tell);
  }
  if (taken.length === 0) return;
  for (const gap of outside(source.size, taken)) {
    tell({ event: "outside", outside: { ...gap, zeros: await onlyZeros(slice(source, gap.from, gap.bytes)) } });
  }
}

async function readRange(
  range: Range,
  source: Source,
  volumes: Volume[],
  examine: Examiner,
  bounds: Bounds,
  lanes: number,
  tell: Tell,
): Promise<void> {
  const area = (fileSystem: string | null, problem?: string, label?: string): Area => {
    const said = range.problem ?? problem;
    const named = range.label ?? label;
    const { number, table, from, bytes, type } = range;
    return {
      number,
      table,
      from,
      bytes,
      ...(type === undefined ? {} : { type }),
      fileSystem,
      ...(named === undefined ? {} : { label: named.slice(0, 200).toWellFormed() }),
      ...(said === undefined ? {} : { problem: said.slice(0, 500).toWellFormed() }),
    };
  };
  const other = foreign(source);
  if (volumes.length === 0)
    tell({ event: "partition", partition: area(null, other ?? "no file system that the gate reads") });
  else if (other !== null) tell({ event: "partition", partition: area(null, `it is ${other} as well`) });
  for (const volume of volumes) {
    tell({ event: "partition", partition: area(volume.fileSystem, volume.problem, volume.label) });
    await readVolume(volume, range.number === 0 ? undefined : range.number, examine, bounds, lanes, tell);
  }
}

export async function readVolume(
  volume: Volume,
  partition: number | undefined,
  examine: Examiner,
  bounds: Bounds,
  lanes: number,
  tell: Tell,
): Promise<void> {
  try {
    // twice as many as lanes, so that one that opens an archive keeps nobody waiting
    await each(volume.entries(bounds), lanes * 2, (entry) => examine.entry(entry, partition));
  } catch (error) {
    if (error instanceof LimitReached) tell({ event: "problem", problem: `the reading was ended: ${error.message}` });
    else tell({ event: "problem", problem: `its ${volume.fileSystem} ${reason(error)}` });
  }
}

async function onlyZeros(source: Source): Promise<boolean> {
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let at = 0; at < source.size; at += CHUNK_BYTES) {
    const bytes = source.read(at, Math.min(CHUNK_BYTES, source.size - at));
    if (!bytes.equals(zeros.subarray(0, bytes.length))) return false;
    await turn();
  }
  return true;
}

/** Beside the rest, giving way after each chunk. */
export async function hashWhole(source: Source): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < source.size; at += CHUNK_BYTES) {
    hash.update(source.read(at, Math.min(CHUNK_BYTES, source.size - at)));
    await turn();
  }
  return hash.digest("hex");
}
