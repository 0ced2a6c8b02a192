/** What is kept of guest logs, and how much a noisy guest may cost. */
import { z } from "zod";
import { Mode } from "./mode.ts";

/** A line up to this counts as one (what each receiver should take, RFC 5424, 6.1), a longer one as so many times more: all
 *  guests' lines take the same way to the console, one behind the other. */
export const LINE_BYTES = 2_048;

export const LogSection = z.strictObject({
  mode: Mode.default("enforce"),
  /** Token bucket per guest and source, in lines of LINE_BYTES; what it holds back is counted in `guest.suppressed`. */
  linesPerSecond: z.int().min(1).max(100_000).default(500),
  burstLines: z.int().min(1).max(1_000_000).default(2_000),
  /** A longer line is split into parts with a mark. */
  lineBytesMax: z.int().min(480).max(131_072).default(8_192),
  /** Records of lower severity are counted as suppressed instead of kept. */
  leastSeverity: z.enum(["debug", "info", "notice", "warning", "error", "critical"]).default("debug"),
  /** How long a guest's line may wait for others to fill a batch. */
  lingerMs: z.int().min(0).max(10_000).default(1_000),
});
export type LogSection = z.infer<typeof LogSection>;
