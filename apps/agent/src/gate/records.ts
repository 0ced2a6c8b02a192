/** A scan's body → `usb.scan` observations: one, or several that each hold a part of a long manifest under one root. */
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Severity } from "@sallyport/shared/record/severity.ts";
import { countFindings, manifestDigest, splitManifest } from "@sallyport/shared/usb/manifest.ts";
import type { ScanBody, Verdict } from "@sallyport/shared/usb/scan.ts";

/** Below a record's 256 KiB with room for partitions, gaps and problems. */
const PART_BYTES_MAX = 120 * 1024;
const TEXT_CHARS_MAX = 500;

export function scanObservations(body: ScanBody, time: number, hash: Hash): Observation<"usb.scan">[] {
  const parts = splitManifest(body.manifest, PART_BYTES_MAX);
  const root = manifestDigest(body.manifest, hash);
  const counts = countFindings(body.manifest);
  const found = `${counts.files} files, ${counts.infected} infected, ${counts.unscannable} unscannable`;
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
