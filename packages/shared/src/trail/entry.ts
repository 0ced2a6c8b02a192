/** The leaf of a trail's tree: small whatever the content's size, and enough to prove a record without showing it. */
import { z } from "zod";
import { concat, toUtf8 } from "../base/bytes.ts";
import { canonicalText } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import { GuestId, Index, Sha256, Time } from "../base/ids.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { Kind } from "../record/kinds.ts";
import { Severity } from "../record/severity.ts";

/** Closed for ever: a new member would need a new version of the batch. `content` is the commitment. */
export const Entry = z.strictObject({
  index: Index,
  time: Time,
  kind: Kind,
  severity: Severity,
  guest: GuestId.optional(),
  content: Sha256,
});
export type Entry = z.infer<typeof Entry>;

/** An entry is at most this long; C2SP bundles allow 65,535. */
export const ENTRY_BYTES_MAX = 1024;

/** The entry's canonical JSON: exactly the bytes that are hashed, sent and exported. */
export const entryText = (entry: Entry): string => canonicalText(entry);

/** Reads an entry and insists on its one spelling: any other is refused, so columns can rebuild the very bytes. */
export function readEntry(untrusted: string): Result<Entry> {
  if (untrusted.length > ENTRY_BYTES_MAX)
    return fail(`an entry of ${untrusted.length} characters; at most ${ENTRY_BYTES_MAX}`);
  let value: unknown;
  try {
    value = JSON.parse(untrusted);
  } catch (error) {
    return fail(`an entry is no JSON: ${(error as Error).message}`);
  }
  const entry = Entry.safeParse(value);
  if (!entry.success) return fail(z.prettifyError(entry.error));
  return entryText(entry.data) === untrusted ? ok(entry.data) : fail("an entry is not in canonical form");
}

const LEAF = Uint8Array.of(0);

/** RFC 6962 leaf hash: sha256(0x00 ‖ entry bytes). */
export const leafHash = (hash: Hash, entry: string): Uint8Array => hash(concat(LEAF, toUtf8(entry)));
