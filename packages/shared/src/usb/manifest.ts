/** A scan's list of files. The bytes of a name are the stick's claim: a name that is not UTF-8 travels as base64. */
import { z } from "zod";
import { toHex, toUtf8 } from "../base/bytes.ts";
import { canonicalText } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";

/** What a scan says of one file. `unscannable`: limit, encrypted, error, time-out, stale definitions; never clean. */
export const Finding = z.enum(["clean", "infected", "unscannable"]);
export type Finding = z.infer<typeof Finding>;

/** An archive's member is `archive.zip!/member`, for as many archives as there are. */
export const MEMBER_MARK = "!/";

const wellFormed = (text: string) => text.isWellFormed();
const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `${bytes} bytes in lower-case hex`);

export const ManifestFile = z
  .object({
    path: z.string().max(16_384).refine(wellFormed, "a path is valid Unicode").optional(),
    pathBase64: z.base64().max(32_768).optional(),
    /** Where the medium has a partition table: the partition's number in it, from 1. */
    partition: z.int().min(0).optional(),
    /** Whether it lies in an archive; said of each member, and of each other file whose name holds the mark. In a manifest
     *  from before it was said, neither has it. */
    member: z.boolean().optional(),
    /** Bytes, as the file system or the archive says. */
    size: z.int().min(0),
    /** Null where the content could not be read whole (encrypted, damaged, beyond a limit). */
    md5: hex(16).nullable(),
    sha256: hex(32).nullable(),
    /** Media type by content, `inode/…` for what is no regular file. */
    type: z.string().max(256),
    finding: Finding,
    /** The signature's name, or why nothing can be said. */
    detail: z.string().max(1024).optional(),
  })
  .refine((file) => (file.path === undefined) !== (file.pathBase64 === undefined), "either path or pathBase64");
export type ManifestFile = z.infer<typeof ManifestFile>;

export const Manifest = z.array(ManifestFile);
export type Manifest = z.infer<typeof Manifest>;

/** What an exception is bound to: sha256 over the sorted lines of (path, size, sha256), partition first where there
 *  is one. Neither the order of reading nor findings change it. */
export const manifestDigest = (manifest: readonly ManifestFile[], sha256: Hash): string =>
  linesDigest(manifest.map(manifestLine).sort(), sha256);

export const manifestLine = (file: ManifestFile): string =>
  canonicalText([file.partition ?? 0, file.path ?? null, file.pathBase64 ?? null, file.size, file.sha256]);

/** Of all of a manifest's lines, sorted by UTF-16 code units. */
export const linesDigest = (sorted: readonly string[], sha256: Hash): string =>
  toHex(sha256(toUtf8(`${sorted.join("\n")}\n`)));

export type Counts = { files: number; clean: number; infected: number; unscannable: number };

export function countFindings(manifest: readonly ManifestFile[]): Counts {
  const counts: Counts = { files: manifest.length, clean: 0, infected: 0, unscannable: 0 };
  for (const file of manifest) counts[file.finding] += 1;
  return counts;
}

/** What a person looks at first: what is infected, then what nothing could be said of. */
export function notClean<File extends { finding: Finding }>(manifest: readonly File[]): File[] {
  return (["infected", "unscannable"] as const).flatMap((each) => manifest.filter(({ finding }) => finding === each));
}

/** Splits a manifest so that each part's canonical text stays within `bytesMax`; one file is never split. */
export function splitManifest(manifest: readonly ManifestFile[], bytesMax: number): ManifestFile[][] {
  return splitBy(manifest, manifest.map(fileBytes), bytesMax);
}

/** Of a file's canonical text and what parts it from the next. */
export const fileBytes = (file: ManifestFile): number => toUtf8(canonicalText(file)).length + 1;

/** `bytes` has each file's own. */
export function splitBy(
  manifest: readonly ManifestFile[],
  bytes: readonly number[],
  bytesMax: number,
): ManifestFile[][] {
  const parts: ManifestFile[][] = [[]];
  let sum = 0;
  for (const [at, file] of manifest.entries()) {
    if (sum + bytes[at]! > bytesMax && parts.at(-1)!.length > 0) {
      parts.push([]);
      sum = 0;
    }
    parts.at(-1)!.push(file);
    sum += bytes[at]!;
  }
  return parts;
}
