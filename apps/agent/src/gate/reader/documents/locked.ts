/** Documents that a password closes: the scanner sees only what is encrypted and says OK, so the gate looks for itself. */
import { Damaged, type Source } from "../source.ts";
import { reason } from "../volume.ts";
import { isCompound, lockedCompound } from "./compound.ts";
import { isPdf, lockedPdf } from "./pdf.ts";

/** The list of an OpenDocument's members, which says which of them are encrypted; the zip around them does not. */
const MANIFEST = "urn:oasis:names:tc:opendocument:xmlns:manifest";
const MANIFEST_BYTES_MAX = 16 * 1024 * 1024;
const isManifest = (head: Buffer): boolean => head.subarray(0, 4096).includes(MANIFEST);

export const documentHead = (head: Buffer): boolean => isPdf(head) || isCompound(head) || isManifest(head);

/** Why nobody without a password could look into it, or null. */
export function lockedDocument(head: Buffer, source: Source): string | null {
  try {
    if (isCompound(head)) return lockedCompound(source) ? "encrypted" : null;
    if (isPdf(head)) return lockedPdf(source) ? "encrypted" : null;
    if (!isManifest(head)) return null;
    if (source.size > MANIFEST_BYTES_MAX)
      throw new Damaged("is a list of a document's members larger than any real one");
    return source.read(0, source.size).includes("encryption-data") ? "the document is encrypted" : null;
  } catch (error) {
    return `is a document that ${reason(error)}`;
  }
}
