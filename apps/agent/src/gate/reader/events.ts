/** What the confined reader tells its parent, one JSON object a line. The parent decodes it as untrusted. */
import type { ArchiveBounds } from "./archives/member.ts";
import type { Version } from "./clamd.ts";
import type { ShapeLimits } from "./documents/shape.ts";
import type { Range } from "./tables/range.ts";

export type Row = {
  path?: string;
  pathBase64?: string;
  partition?: number;
  member?: boolean;
  size: number;
  md5: string | null;
  sha256: string | null;
  type: string;
  finding: "clean" | "infected" | "unscannable";
  detail?: string;
};

/** A range of the medium, and what was found to read it by; null: nothing. */
export type Area = Range & { fileSystem: string | null };

export type Event =
  | { event: "scanner"; scanner: Version | null }
  | { event: "partition"; partition: Area }
  | { event: "outside"; outside: { from: number; bytes: number; zeros: boolean } }
  | { event: "file"; file: Row }
  | { event: "problem"; problem: string }
  | { event: "progress"; files: number; bytes: number }
  | { event: "image"; image: { sha256: string; size: number } }
  | { event: "end" };

/** Containers whose plain ones the gate and clamd unpack to the same bytes. */
export type Unpackable = "zip" | "gzip";

/** What the scanner is set to: past one of these its OK means nothing. */
export type ScannerLimits = {
  /** The least of its limits on one file, one scan and one stream. */
  fileBytes: number;
  /** A scan that takes this long was cut short. */
  scanMs: number;
  /** Of some kinds of files it looks into smaller ones only, and says OK. */
  shapes?: ShapeLimits;
  /** Whether it says so when a limit inside a document stopped it. */
  limitsReported: boolean;
  /** Whether it may answer for a file what it found of another with the same MD5; taken for so where nothing says. */
  remembers?: boolean;
  /** Archives that it was just seen to look into (scanner-unpacks.ts). */
  unpacks?: readonly Unpackable[];
};

export type Order = {
  target: { kind: "image"; fd: number; size: number } | { kind: "folder"; path: string };
  /** `tray`: a folder from which it opens what is laid there (tray.ts); null: there is none. */
  clamd: ({ socket: string; tray: string | null } & ScannerLimits) | null;
  bounds: { files: number; fileMs: number; archives: ArchiveBounds };
  /** Files under way at once. */
  lanes: number;
  /** A folder of its own, bounded by its file system, for what has to lie in a file; null where there is none. */
  workDir: string | null;
  /** Hash the whole image; not needed where the copy from the stick has. */
  hashImage: boolean;
};
