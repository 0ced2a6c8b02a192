/** Everything that goes down to a workstation is one signed statement: type, audience, order, validity, and the hash
 *  of what it carries. */
import { z } from "zod";
import { toHex, toUtf8 } from "../base/bytes.ts";
import { canonicalText } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import { GroupId, KeyId, PolicyDigest, Sha256, WorkstationId } from "../base/ids.ts";
import { KeyText } from "../base/key.ts";
import { Signature, SignedText, type Signer, signText } from "../trail/signed.ts";

/** Grows only. What the console's key alone may send: `overlay`, `revocation`, and a `command` that isolates or looks. */
export const StatementType = z.enum(["policy", "membership", "keys", "exception", "overlay", "command", "revocation"]);
export type StatementType = z.infer<typeof StatementType>;

export const Audience = z.union([
  z.strictObject({ workstation: WorkstationId }),
  z.strictObject({ group: GroupId }),
  z.strictObject({ fleet: z.literal(true) }),
]);
export type Audience = z.infer<typeof Audience>;

/** `order` rises within one type and audience; an agent takes only a higher one than it has seen. `digest` is sha256
 *  over the carried text. `fallback` is a digest signed in advance that an abort may return to. Times are the
 *  console's; without `notAfter` a statement stays valid (and is reported as old). */
export const Statement = z.object({
  type: StatementType,
  audience: Audience,
  order: z.int().min(1),
  issued: z.iso.datetime(),
  notBefore: z.iso.datetime().optional(),
  notAfter: z.iso.datetime().optional(),
  digest: Sha256,
  fallback: Sha256.optional(),
});
export type Statement = z.infer<typeof Statement>;

export const STATEMENT_CHARS_MAX = 4096;
export const CARRIED_CHARS_MAX = 512 * 1024;

/** On the wire: `text` is the statement's JSON as signed, `carried` the text its digest is over. */
export const SignedStatement = z.object({
  text: SignedText(STATEMENT_CHARS_MAX),
  signatures: z.array(Signature).min(1).max(32),
  carried: SignedText(CARRIED_CHARS_MAX),
});
export type SignedStatement = z.infer<typeof SignedStatement>;

/** Who may sign for a group, and how many of them must. `role` tells the console's own key from people's: it is one of
 *  those who must sign, so that a threshold of 3 is the console and two approvers, or three approvers. */
export const Signers = z
  .strictObject({
    threshold: z.int().min(1).max(16),
    keys: z
      .array(z.strictObject({ id: KeyId, publicKey: KeyText, role: z.enum(["console", "approver"]) }))
      .min(1)
      .max(32),
  })
  .refine(({ threshold, keys }) => threshold <= keys.length, "the threshold is higher than there are keys");
export type Signers = z.infer<typeof Signers>;

type Keys = readonly { publicKey: string; role: "console" | "approver" }[];

/** The console's own keys: two while one follows the other, and one voice all the same. */
export const consoleKeysOf = (keys: Keys): string[] => [
  ...new Set(keys.filter(({ role }) => role === "console").map(({ publicKey }) => publicKey)),
];

/** People's keys, each once. A key of the console is never one of them, whatever it is listed as besides. */
export function approversOf(keys: Keys): string[] {
  const console = new Set(consoleKeysOf(keys));
  return [...new Set(keys.map(({ publicKey }) => publicKey))].filter((key) => !console.has(key));
}

/** How many people must sign where the console does. */
export const approversNeeded = ({ threshold, keys }: Signers): number =>
  threshold - (consoleKeysOf(keys).length > 0 ? 1 : 0);

/** Whether, with the console's key in a thief's hand, nobody can sign under `after` who could not under `before`: those
 *  who are new there may all be the thief's. */
export function isAsStrict(before: Signers, after: Signers): boolean {
  const known = new Set(approversOf(before.keys));
  const strangers = approversOf(after.keys).filter((key) => !known.has(key)).length;
  return approversNeeded(after) - strangers >= approversNeeded(before);
}

/** What a `membership` statement carries: the one group a workstation is in, and that group's signers. */
export const Membership = z.object({
  workstation: WorkstationId,
  group: GroupId,
  groupName: z.string().max(128),
  signers: Signers,
});
export type Membership = z.infer<typeof Membership>;

/** What a `policy` statement carries. The digest names the policy inside, so two statements may carry one revision. */
export const CarriedPolicy = z.object({ group: GroupId, digest: PolicyDigest, policy: z.unknown() });
export type CarriedPolicy = z.infer<typeof CarriedPolicy>;

/** What a `keys` statement carries: the console's next keys, and CAs ahead of a rotation. */
export const CarriedKeys = z.object({
  consoleKeys: z.array(KeyText).min(1).max(8),
  cas: z.array(z.string()).max(8),
});
export type CarriedKeys = z.infer<typeof CarriedKeys>;

/** Down on `desired`, retained: everything a workstation should have taken, membership first. */
export const Desired = z.object({ statements: z.array(SignedStatement).max(64) });
export type Desired = z.infer<typeof Desired>;
export const DESIRED_CHARS_MAX = 1024 * 1024;

/** Each signature is over `sallyport/statement/1`, LF and the statement's canonical JSON; its digest is over what is
 *  carried, in canonical JSON as well. @throws TypeError where either is none */
export function signStatement(
  hash: Hash,
  signers: readonly Signer[],
  statement: Omit<Statement, "digest">,
  carried: unknown,
): SignedStatement {
  const carriedText = canonicalText(carried);
  const text = canonicalText({ ...statement, digest: toHex(hash(toUtf8(carriedText))) });
  return {
    text,
    signatures: signers.map((signer) => signText(hash, signer, "sallyport/statement/1", text)),
    carried: carriedText,
  };
}
