/** What partition tables say, as ranges of a medium in bytes. */
import { foreign } from "../foreign.ts";
import type { Source } from "../source.ts";
import { volumesIn } from "../volumes/probe.ts";

export type Range = {
  /** From 1; 0 is the whole medium. */
  number: number;
  table: "none" | "mbr" | "gpt";
  from: number;
  bytes: number;
  type?: string;
  label?: string;
  problem?: string;
};

export type Tables = {
  partitions: Range[];
  /** Ranges the tables themselves take. */
  own: { from: number; bytes: number }[];
  problems: string[];
};

export const place = ({ from, bytes }: Range): string => `${from}:${bytes}`;

/** No further than the medium goes. */
export const within = (range: Range, size: number): Range => ({
  ...range,
  bytes: Math.min(range.bytes, size - range.from),
});

/** Whether something that is known begins there. */
export const holds = (source: Source): boolean => volumesIn(source).length > 0 || foreign(source) !== null;
