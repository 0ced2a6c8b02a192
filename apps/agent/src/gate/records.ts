/** A scan's body → `usb.scan` observations: one, or several that each hold a part of a long manifest under one root. */
import { plural } from "@sallyport/shared/base/count.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Severity } from "@sallyport/shared/record/severity.ts";
import {
  countFindings,
  fileBytes,
  linesDigest,
  type Manifest,
  type ManifestFile,
  manifestLine,
  splitBy,
} from "@sallyport/shared/usb/manifest.ts";
import type { ScanBody, Verdict } from "@sallyport/shared/usb/scan.ts";
import { atOnce, each, sorted, type Work } from "./in-turns.ts";

/** Below a record's 256 KiB with room for partitions, gaps and problems. */
const PART_BYTES_MAX = 120 * 1024;
const TEXT_CHARS_MAX = 500;

export type Listing = { parts: ManifestFile[][]; digest: string };
/** A manifest does not change once it was made. */
const listings = new WeakMap<Manifest, Listing>();

/** What takes long with many files. Worked out in turns before its records are made, it is known then. */
export function* listing(manifest: Manifest, hash: Hash): Work<Listing> {
  const known = listings.get(manifest);
  if (known) return known;
  const bytes = yield* each(manifest, fileBytes);
  const lines = yield* each(manifest, manifestLine);
  const digest = linesDigest(yield* sorted(lines, (a, b) => (a < b ? -1 : a > b ? 1 : 0)), hash);
  const made = { parts: splitBy(manifest, bytes, PART_BYTES_MAX), digest };
  listings.set(manifest, made);
  return made;
}

export function scanObservations(body: ScanBody, time: number, hash: Hash): Observation<"usb.scan">[] {
  const { parts, digest: root } = atOnce(listing(body.manifest, hash));
  const counts = countFindings(body.manifest);
  const found = `${plural(counts.files, "file")}, ${counts.infected} infected, ${counts.unscannable} unscannable`;
  const text = escapeForDisplay(`${body.source ?? "a stick"}: ${body.verdict}, ${found}; ${body.reason}`)
    .slice(0, TEXT_CHARS_MAX)
    .toWellFormed();
  return parts.map((manifest, index) => ({
    kind: "usb.scan",
    severity: severityOf(body.verdict),
    time,
    text: parts.length === 1 ? text : `${text} (part ${index + 1} of ${parts.length})`,
    body: { ...body, manifest, ...(parts.length > 1 ? { parts: { index, of: parts.length, root } } : {}) },
  }));
}

function severityOf(verdict: Verdict): Severity {
  switch (verdict) {
    case "allow":
      return "info";
    case "hold":
      return "warning";
    case "block":
      return "error";
    default:
      return unreachable(verdict);
  }
}
