/** clamd.conf → where it listens and which limits make its OK mean nothing (clamd.conf(5)). */
import type { ScannerLimits } from "./reader/events.ts";

/** `database`: the folder of its definitions. `doubts`: for people, why its OK says less than it should of any file. */
export type ClamdConf = { socket: string | null; database: string; doubts: string[] } & ScannerLimits;

const MIB = 1024 * 1024;
/** What Debian's file says, and the least of what versions have had where a file says nothing. */
const FILE_BYTES_DEFAULT = 25 * MIB;
/** Beyond any of these it does not look at a file with all that it knows; of the last it says nothing. */
const FILE_LIMITS = ["StreamMaxLength", "MaxFileSize", "MaxScanSize", "PCREMaxFileSize"];
const SCAN_MS_DEFAULT = 120_000;
const SHAPES = {
  page: { MaxHTMLNormalize: 10 * MIB, MaxHTMLNoTags: 2 * MIB },
  text: { MaxScriptNormalize: 5 * MIB },
  program: { MaxEmbeddedPE: 10 * MIB },
};
/** Zero lifts a limit; clamd itself never takes more. */
const UNLIMITED_BYTES = 2 * 1024 * MIB - 1;

/** A limit at which nobody stumbles over it every day. */
const WIDE_BYTES = 1024 * MIB;

const DATABASE_DEFAULT = "/var/lib/clamav";

export const CLAMD_CONF = "/etc/clamav/clamd.conf";

export function readClamdConf(text: string): ClamdConf {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, quoted, plain] = /^\s*([A-Za-z]\w*)\s+(?:"([^"]*)"|(.*?)\s*$)/.exec(line) ?? [];
    // of what stands twice clamd takes the first
    if (name !== undefined && !values.has(name)) values.set(name, quoted ?? plain!);
  }
  const bytes = (name: string, otherwise = FILE_BYTES_DEFAULT) => size(values.get(name)) ?? otherwise;
  const time = Number(values.get("MaxScanTime") ?? SCAN_MS_DEFAULT);
  return {
    socket: values.get("LocalSocket") ?? null,
    database: values.get("DatabaseDirectory") ?? DATABASE_DEFAULT,
    fileBytes: Math.min(...FILE_LIMITS.map((name) => bytes(name))),
    scanMs: time > 0 ? time : Number.MAX_SAFE_INTEGER,
    shapes: {
      page: least(SHAPES.page, bytes),
      text: least(SHAPES.text, bytes),
      program: least(SHAPES.program, bytes),
    },
    limitsReported: YES.test(values.get("AlertExceedsMax") ?? "no"),
    remembers: !YES.test(values.get("DisableCache") ?? "no"),
    doubts: doubtsOf(values),
  };
}

function least(settings: Record<string, number>, bytes: (name: string, otherwise: number) => number) {
  const each = Object.entries(settings).map(([setting, otherwise]) => ({ bytes: bytes(setting, otherwise), setting }));
  return each.reduce((one, other) => (other.bytes < one.bytes ? other : one));
}

/** For people: what these limits hold that a stick of every day has; nothing where they are wide. */
export function heldBySize({ fileBytes, shapes }: Pick<ClamdConf, "fileBytes" | "shapes">): string | undefined {
  const kinds = Object.entries({ programs: shapes?.program, pages: shapes?.page, texts: shapes?.text });
  const parts = kinds.flatMap(([kind, least]) =>
    least && least.bytes < fileBytes ? [`${kind} beyond ${megabytes(least.bytes)}`] : [],
  );
  if (fileBytes < WIDE_BYTES) parts.unshift(`files beyond ${megabytes(fileBytes)}`);
  if (parts.length === 0) return undefined;
  return `The scanner's own limits hold ${parts.join(", ")}: docs/scanner.md (Large files) says what to write into clamd.conf.`;
}

const megabytes = (bytes: number) => `${Math.floor(bytes / MIB)} MB`;

const YES = /^(yes|true|1)$/i;
const NO = /^(no|false|0)$/i;
/** What is on unless it is switched off, and leaves something unlooked at then; found by clamd 1.4's own answers. */
const SWITCHES = /^(Scan\w+|HeuristicAlerts|AlgorithmicDetection|Bytecode)$/;
/** Off by itself: mails in several parts, and the file system's own watcher, which is not asked here. */
const OTHER_SWITCHES = /^Scan(PartialMessages|OnAccess)$/;
/** Below these it stops within ordinary documents, and without AlertExceedsMax says nothing of it. */
const COUNTS: Record<string, number> = { MaxFiles: 1_000, MaxRecursion: 10 };
/** And below these, which are what Debian's file says, with it neither. */
const SILENT_COUNTS: Record<string, number> = {
  PCREMatchLimit: 10_000,
  PCRERecMatchLimit: 2_000,
  MaxIconsPE: 100,
  MaxRecHWP3: 16,
};

function doubtsOf(values: Map<string, string>): string[] {
  const doubts: string[] = [];
  const doubt = (name: string, why: string) => doubts.push(`clamd.conf says ${name} ${values.get(name)}: ${why}`);
  for (const [name, value] of values) {
    if (SWITCHES.test(name) && !OTHER_SWITCHES.test(name) && NO.test(value))
      doubt(name, "it calls clean what it has not looked into; set it to yes and start clamd again");
  }
  const counts = YES.test(values.get("AlertExceedsMax") ?? "no") ? SILENT_COUNTS : { ...COUNTS, ...SILENT_COUNTS };
  for (const [name, least] of Object.entries(counts)) {
    const count = Number(values.get(name) ?? least);
    if (count > 0 && count < least)
      doubt(name, `it stops inside of documents and calls them clean; set it to ${least} or more`);
  }
  return doubts;
}

function size(text: string | undefined): number | null {
  const match = /^(\d{1,12})([KMG]?)$/i.exec(text ?? "");
  if (!match) return null;
  const unit = { "": 1, K: 1024, M: MIB, G: 1024 * MIB }[match[2]!.toUpperCase()]!;
  const bytes = Number(match[1]) * unit;
  return bytes === 0 ? UNLIMITED_BYTES : Math.min(bytes, UNLIMITED_BYTES);
}
