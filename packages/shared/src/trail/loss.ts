/** The console's signed word that records of a trail are nowhere any more: they were committed here, a backup put an
 *  older state in their place, and the workstation no longer has them. */
import { z } from "zod";
import type { Hash, Verify } from "../base/crypto.ts";
import { Index, TrailId, WorkstationId } from "../base/ids.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { isSignedBy, readSigned, type Signed, type Signer, signValue } from "./signed.ts";

/** Records `from` (inclusive) to `to` (exclusive) of `trail`. `epoch` is the console's when it found out, `time` its
 *  clock; `reason` is the one that the trail which goes on from this one gives. */
export const Loss = z
  .object({
    workstation: WorkstationId,
    trail: TrailId,
    from: Index,
    to: Index,
    epoch: z.int().min(0),
    reason: z.string().max(64),
    time: z.iso.datetime(),
  })
  .refine(({ from, to }) => from < to, "a loss names at least one record");
export type Loss = z.infer<typeof Loss>;

/** @throws TypeError where the loss is no JSON value */
export const signLoss = (hash: Hash, signer: Signer, loss: Loss): Signed =>
  signValue(hash, signer, "sallyport/loss/1", loss);

/** The loss, if the console's key signed it. */
export function openLoss(verify: Verify, consoleKey: Uint8Array, untrusted: unknown): Result<Loss> {
  const read = readSigned(Loss, untrusted);
  if (!read.ok) return fail(`the loss: ${read.error}`);
  return isSignedBy(verify, consoleKey, "sallyport/loss/1", read.value.signed)
    ? ok(read.value.value)
    : fail("the loss is not signed by this console's key");
}
