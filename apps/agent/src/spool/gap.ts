/** What was lost → the record that names it. Pure. */
import type { Index } from "@sallyport/shared/base/ids.ts";
import { type Prepared, prepare } from "./prepare.ts";

/** Contents of records `from` (inclusive) to `to` (exclusive), `bytes` in all. */
export type GivenUp = { from: number; to: number; contents: number; bytes: number };

/** Entries that stand while their contents went, to make room. */
export const gap = (now: number, { from, to, contents, bytes }: GivenUp): Prepared =>
  prepare({
    kind: "agent.gap",
    severity: "error",
    time: now,
    text: `The spool is full: the contents of ${contents} records from ${from} to ${to - 1} were given up`,
    body: { from: from as Index, to: to as Index, contents, bytes, reason: "spool-full" },
  });

/** What had no room and so has no index; it would have stood before `at`. */
export const unindexed = (
  now: number,
  at: number,
  contents: number,
  bytes: number,
  reason: "spool-full" | "disk-refused",
): Prepared =>
  prepare({
    kind: "agent.gap",
    severity: "error",
    time: now,
    text: `${reason === "disk-refused" ? "The disk refused the spool's writes" : "The spool is full"}: ${contents} observations were lost`,
    body: { from: at as Index, to: at as Index, contents, bytes, reason },
  });
