/** The console's signed word that every record below `size` is committed; it alone releases the spool. */
import { z } from "zod";
import type { Hash, Verify } from "../base/crypto.ts";
import { Index, Sha256, TrailId, WorkstationId } from "../base/ids.ts";
import { readJson } from "../base/json.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { isSignedBy, readSigned, type Signed, type Signer, signValue } from "./signed.ts";

/** `answer` is to the batch that caused it, or `stand` where none did (asked on connecting, moved `safe`). `safe` ≤
 *  `size`: content below it is also replicated or backed up and may be released. `epoch` rises only when a console is
 *  restored. `time` is the console's clock: a floor for what depends on time. */
export const Receipt = z.object({
  workstation: WorkstationId,
  trail: TrailId,
  epoch: z.int().min(0),
  size: Index,
  root: Sha256,
  safe: Index,
  answer: z.enum(["new", "duplicate", "ahead", "fork", "refused", "stand"]),
  reason: z.string().max(512).optional(),
  time: z.iso.datetime(),
});
export type Receipt = z.infer<typeof Receipt>;

/** By the console's key, over canonical JSON under `sallyport/receipt/1`. */
export const signReceipt = (hash: Hash, signer: Signer, receipt: Receipt): Signed =>
  signValue(hash, signer, "sallyport/receipt/1", receipt);

/** Characters of a message; one of ours has below a thousand. */
export const RECEIPT_BYTES_MAX = 4096;

/** The receipt, if the console's key signed it. */
export function openReceipt(verify: Verify, consoleKey: Uint8Array, untrusted: string): Result<Receipt> {
  const json = readJson(untrusted, RECEIPT_BYTES_MAX);
  if (!json.ok) return fail(`the receipt: ${json.error}`);
  const read = readSigned(Receipt, json.value);
  if (!read.ok) return fail(`the receipt: ${read.error}`);
  const { signed, value } = read.value;
  if (value.safe > value.size) return fail("the receipt's safe lies beyond its size");
  return isSignedBy(verify, consoleKey, "sallyport/receipt/1", signed)
    ? ok(value)
    : fail("the receipt is not signed by this console's key");
}
