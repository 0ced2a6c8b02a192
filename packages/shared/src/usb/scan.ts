/** `usb.scan`: what dom0 found on a stick, an image or a folder by reading it whole, and the gate's verdict on it. */
import { z } from "zod";
import { Manifest } from "./manifest.ts";

/** What the gate does with a device: `hold` waits for a person. */
export const Verdict = z.enum(["allow", "block", "hold"]);
export type Verdict = z.infer<typeof Verdict>;

const hex32 = z.string().regex(/^[0-9a-f]{64}$/, "32 bytes in lower-case hex");

/** Who scanned. Version and date are null where definitions are the site's own and name neither. */
export const Scanner = z.object({
  engine: z.string().max(128),
  definitions: z.string().max(64).nullable(),
  date: z.iso.datetime().nullable(),
  /** The set that a policy names, where the scanner was seen to have it: sha256 of its files' names and sums. */
  set: hex32.optional(),
});
export type Scanner = z.infer<typeof Scanner>;

/** A range of the medium that was read as one file system, or could not be. */
export const Partition = z.object({
  /** The number in the table, from 1; 0 is the whole medium. */
  number: z.int().min(0),
  table: z.enum(["none", "mbr", "gpt"]),
  from: z.int().min(0),
  bytes: z.int().min(0),
  /** The table's own type: an MBR byte in hex or a GPT type id. */
  type: z.string().max(64).optional(),
  /** Null where the gate reads nothing in it; then `problem` says why. */
  fileSystem: z.string().max(32).nullable(),
  label: z.string().max(256).optional(),
  /** Why what is listed may not be all there is. Counts as unscannable. */
  problem: z.string().max(512).optional(),
});
export type Partition = z.infer<typeof Partition>;

/** Bytes that no partition holds. `zeros`: nothing but zero bytes there. */
export const Outside = z.object({ from: z.int().min(0), bytes: z.int().min(0), zeros: z.boolean() });
export type Outside = z.infer<typeof Outside>;

export const ScanFacts = z.object({
  /** The image's or folder's name as given; a claim, for people. */
  source: z.string().max(1024).optional(),
  image: z.object({ sha256: hex32, size: z.int().min(0) }).optional(),
  manifest: Manifest,
  scanner: Scanner.nullable(),
  partitions: z.array(Partition).optional(),
  outside: z.array(Outside).optional(),
  /** What went wrong with the reading as a whole: the reader died, a limit was reached. Counts as unscannable. */
  problems: z.array(z.string().max(512)).optional(),
  /** What confined the reader: `bubblewrap`, or `node` alone where that is absent. */
  confined: z.enum(["bubblewrap", "node"]).optional(),
  elapsedMs: z.int().min(0).optional(),
  /** This record holds one part of a manifest; `root` is the whole one's digest, `index` counts from 0. */
  parts: z.object({ index: z.int().min(0), of: z.int().min(1), root: hex32 }).optional(),
});
export type ScanFacts = z.infer<typeof ScanFacts>;

export const ScanBody = ScanFacts.extend({
  verdict: Verdict,
  reason: z.string().max(1024),
  /** The rule that decided: `infected`, `unscannable`, `clean`, `audit`, or a device rule's canonical text. */
  rule: z.string().max(4096).optional(),
  /** In audit mode: what the verdict would have been. */
  audited: Verdict.optional(),
  /** Allowed by this exception. */
  exception: z.string().max(128).optional(),
});
export type ScanBody = z.infer<typeof ScanBody>;
