/** What waits for people's signatures, as it travels between the console and an approver. Nothing in it is believed but
 *  the statements' own text: what they say is worked out by who signs (words.ts). */
import { z } from "zod";
import { GroupId } from "../base/ids.ts";
import { KeyText } from "../base/key.ts";
import { SignedStatement, Signers } from "../policy/statement.ts";
import { Signature } from "../trail/signed.ts";

/** Grows at the end only. */
export const ProposalKind = z.enum(["policy", "rollout", "signers", "move", "exception", "command", "keys"]);
export type ProposalKind = z.infer<typeof ProposalKind>;

/** `failed`: enough had signed, and by then it could not be done any more. */
export const ProposalState = z.enum(["waiting", "done", "withdrawn", "expired", "superseded", "failed"]);
export type ProposalState = z.infer<typeof ProposalState>;

export const ProposalId = z.uuid({ version: "v4" });
/** One for each workstation of a group, where its signers change. */
export const STATEMENTS_MAX = 20_000;

export const ProposalHead = z.object({
  id: ProposalId,
  kind: ProposalKind,
  state: ProposalState,
  group: z.object({ id: GroupId, name: z.string().max(128) }),
  /** The console's words and the asker's, for lists: claims. */
  text: z.string().max(1024),
  message: z.string().max(1024),
  by: z.string().max(320),
  askedAt: z.iso.datetime(),
  expires: z.iso.datetime(),
  /** How many people must sign, and the public keys of those who have. */
  needed: z.int().min(0),
  signed: z.array(z.object({ publicKey: KeyText, name: z.string().max(128), at: z.iso.datetime() })).max(32),
});
export type ProposalHead = z.infer<typeof ProposalHead>;

export const Proposal = ProposalHead.extend({
  /** Who may sign for the group by now, and what the console calls them, by public key. */
  signers: Signers,
  names: z.record(z.string(), z.string().max(128)),
  /** Signed by the console, in the order in which signatures are given. */
  statements: z.array(SignedStatement).min(1).max(STATEMENTS_MAX),
  /** What the console says the whole group should have now; null before its first policy. */
  inForce: SignedStatement.nullable(),
  /** The console's names, by workstation and by group. */
  called: z.record(z.string(), z.string().max(253)),
});
export type Proposal = z.infer<typeof Proposal>;

/** One approver's signatures, one for each statement, in their order. */
export const Signing = z.object({
  proposal: ProposalId,
  key: KeyText,
  signatures: z.array(Signature).min(1).max(STATEMENTS_MAX),
});
export type Signing = z.infer<typeof Signing>;

/** What came of handing one in. `missing` more people must sign. */
export const Signed = z.object({
  state: ProposalState,
  missing: z.int().min(0),
  reason: z.string().nullable(),
});
export type Signed = z.infer<typeof Signed>;
