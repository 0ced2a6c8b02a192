/** clamd.conf → where it listens and which limits make its OK mean nothing (clamd.conf(5)). */
import type { ScannerLimits } from "./reader/events.ts";

/** `database`: the folder of its definitions. */
export type ClamdConf = { socket: string | null; database: string } & ScannerLimits;

const MIB = 1024 * 1024;
/** What Debian's file says, and the least of what versions have had where a file says nothing. */
const FILE_BYTES_DEFAULT = 25 * MIB;
const SCAN_MS_DEFAULT = 120_000;
/** Zero lifts a limit; clamd itself never takes more. */
const UNLIMITED_BYTES = 2 * 1024 * MIB - 1;

const DATABASE_DEFAULT = "/var/lib/clamav";

export const CLAMD_CONF = "/etc/clamav/clamd.conf";

export function readClamdConf(text: string): ClamdConf {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*([A-Za-z]\w*)\s+(.*?)\s*$/.exec(line);
    if (match) values.set(match[1]!, match[2]!);
  }
  const bytes = (name: string) => size(values.get(name)) ?? FILE_BYTES_DEFAULT;
  const time = Number(values.get("MaxScanTime") ?? SCAN_MS_DEFAULT);
  return {
    socket: values.get("LocalSocket") ?? null,
    database: values.get("DatabaseDirectory") ?? DATABASE_DEFAULT,
    fileBytes: Math.min(bytes("StreamMaxLength"), bytes("MaxFileSize"), bytes("MaxScanSize")),
    scanMs: time > 0 ? time : Number.MAX_SAFE_INTEGER,
    limitsReported: /^(yes|true|1)$/i.test(values.get("AlertExceedsMax") ?? "no"),
  };
}

function size(text: string | undefined): number | null {
  const match = /^(\d{1,12})([KMG]?)$/i.exec(text ?? "");
  if (!match) return null;
  const unit = { "": 1, K: 1024, M: MIB, G: 1024 * MIB }[match[2]!.toUpperCase()]!;
  const bytes = Number(match[1]) * unit;
  return bytes === 0 ? UNLIMITED_BYTES : Math.min(bytes, UNLIMITED_BYTES);
}
