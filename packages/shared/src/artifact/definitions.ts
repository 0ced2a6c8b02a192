/** Definitions of the scanner: a signed database's header, lines of the plain ones, and a set's name. Pure. */
import { toHex, toUtf8 } from "../base/bytes.ts";
import { canonicalBytes } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import type { Sha256 } from "../base/ids.ts";
import { fail, ok, type Result } from "../base/result.ts";
import type { DefinitionsFormat } from "./artifact.ts";

export const CVD_HEADER_BYTES = 512;

export type CvdHeader = { made: string; version: string; signatures: number; md5: string };

/** `ClamAV-VDB:23 Nov 2026 08-25 +0000:27500:…:signatures:level:md5:signature:builder:seconds` (ClamAV's manual, "CVD"). */
export function readCvdHeader(untrusted: Uint8Array): Result<CvdHeader> {
  const text = String.fromCharCode(...untrusted.subarray(0, CVD_HEADER_BYTES));
  const [magic, made = "", version = "", signatures = "", , md5 = ""] = text.split(":");
  if (magic !== "ClamAV-VDB") return fail("It does not begin as a database of ClamAV's does (ClamAV-VDB).");
  const time = Date.parse(made.replace(/ (\d\d)-(\d\d) /, " $1:$2 "));
  if (Number.isNaN(time) || !/^\d{1,10}$/.test(version) || !/^\d{1,10}$/.test(signatures))
    return fail("The header of the database cannot be read.");
  return ok({ made: new Date(time).toISOString(), version, signatures: Number(signatures), md5 });
}

const HEX = "[0-9a-fA-F]";
/** One definition a line, where the form can be told without the scanner. */
const LINES: Partial<Record<DefinitionsFormat, RegExp>> = {
  hdb: new RegExp(`^${HEX}{32}:(?:\\d+|\\*):[^:]+(?::\\d*){0,2}$`),
  hsb: new RegExp(`^(?:${HEX}{40}|${HEX}{64}):(?:\\d+|\\*):[^:]+(?::\\d*){0,2}$`),
  mdb: new RegExp(`^(?:\\d+|\\*):${HEX}{32}:[^:]+(?::\\d*){0,2}$`),
  msb: new RegExp(`^(?:\\d+|\\*):(?:${HEX}{40}|${HEX}{64}):[^:]+(?::\\d*){0,2}$`),
  ndb: /^[^:]+:\d+:[^:]+:[^:]+(?::\d*){0,2}$/,
};
const BLOCKS: ReadonlySet<DefinitionsFormat> = new Set(["yar", "yara"]);

/** What is wrong with a line of a plain database, or nothing. Empty lines and comments are none. */
export function lineFault(format: DefinitionsFormat, line: string): string | undefined {
  if (line.trim() === "" || line.startsWith("#")) return undefined;
  if (/[\u0000-\u0008\u000e-\u001f]/.test(line)) return "is no text";
  const form = LINES[format];
  return form && !form.test(line) ? `is no definition of the kind .${format}` : undefined;
}

/** Whether each line that says something is one definition. */
export const countsLines = (format: DefinitionsFormat): boolean => !BLOCKS.has(format);

export type DefinitionsFile = { name: string; sha256: Sha256 };

/** A set's own name: the same files under the same names are the same set. */
export const setDigest = (hash: Hash, files: readonly DefinitionsFile[]): Sha256 =>
  toHex(
    hash(
      canonicalBytes([...files].sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ name, sha256 }) => [name, sha256])),
    ),
  ) as Sha256;

/** The file that makes a set tell itself: bytes that nothing else is, and a definition that finds them. */
export function witness(
  hash: Hash,
  digest: Sha256,
): { bytes: Uint8Array; signature: string; name: string; line: string } {
  const bytes = toUtf8(`sallyport definitions ${digest}\n`);
  const signature = `Sallyport.Set.${digest.slice(0, 32)}`;
  const line = `${toHex(hash(bytes))}:${bytes.length}:${signature}\n`;
  return { bytes, signature, name: "sallyport-set.hsb", line };
}
