/** What waits for signatures, fetched, said in words that are worked out here from the very text, signed, handed in. The
 *  console's own words are shown as the claims they are. */
import { Proposal, ProposalHead, Signed, type Signing } from "@sallyport/shared/approval/proposal.ts";
import type { Known, Revision, Said } from "@sallyport/shared/approval/words/statement.ts";
import { sayStatements } from "@sallyport/shared/approval/words.ts";
import { toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import {
  approversOf,
  CarriedPolicy,
  Membership,
  type SignedStatement,
  type Signers,
  Statement,
} from "@sallyport/shared/policy/statement.ts";
import { voices } from "@sallyport/shared/policy/verify.ts";
import { type Signer, signText } from "@sallyport/shared/trail/signed.ts";
import { z } from "zod";
import { hash, verify } from "./crypto.ts";
import { Fault } from "./fault.ts";
import { askConsole, askPages, type Reach } from "./reach.ts";
import type { Seen } from "./seen.ts";

const List = z.object({ waiting: z.array(ProposalHead.extend({ missing: z.int() })) });
export type Waiting = z.infer<typeof List>["waiting"][number];

const understood = <T>(schema: z.ZodType<T>, answer: unknown): T => {
  const read = schema.safeParse(answer);
  if (!read.success) throw new Fault("The console's answer is not understood: is it older or newer than this command?");
  return read.data;
};

export const listWaiting = (reach: Reach): Promise<Waiting[]> =>
  askPages(reach, "/api/approval", (answer) => understood(List, answer).waiting);

export const fetchProposal = async (reach: Reach, id: string): Promise<Proposal> =>
  understood(Proposal, await askConsole(reach, `/api/approval/${encodeURIComponent(id)}`));

export const handIn = async (reach: Reach, signing: Signing): Promise<Signed> =>
  understood(Signed, await askConsole(reach, `/api/approval/${encodeURIComponent(signing.proposal)}`, signing));

/** @throws Fault where it is none */
export function readProposal(file: string, text: string): Proposal {
  try {
    return Proposal.parse(JSON.parse(text));
  } catch (cause) {
    throw new Fault(`${file} is nothing that waits for signatures (sallyport approval fetch writes one).`, 1, {
      cause,
    });
  }
}

/** What one signature covers, in one value: what a person confirms is this and nothing else. */
export const codeOf = (statements: readonly SignedStatement[]): string =>
  toHex(hash(toUtf8(statements.map(({ text }) => text).join("\n"))));

export type Described = { said: Said; warnings: string[]; code: string; text: string };

/** `own` is the reader's public key (base64), `seen` what they signed before.
 *  @throws Fault with code 3 where it cannot be said whole: then it is not to be signed */
export function describe(proposal: Proposal, own?: { publicKey: string; seen: Seen }): Described {
  const { group, statements } = proposal;
  const before = own?.seen.groups[group.id];
  const { known, warnings } = knownOf(proposal, own);
  const said = sayStatements(hash, statements, known);
  if (!said.ok) throw new Fault(`Do not sign this: ${escapeForDisplay(said.error)}.`, 3);
  if (before?.signers && canonicalText(before.signers) !== canonicalText(proposal.signers))
    warnings.push("who signs for this group is not as you last signed it; the console says it has changed since");
  if (before?.name !== undefined && before.name !== group.name)
    warnings.push(
      `the console called this group ${before.name} when you last signed for it, and calls it ${group.name} now`,
    );
  const code = codeOf(statements);
  const { head, destroys, looser, other, exact } = said.value;
  const list = (title: string, lines: readonly string[], max = 400) =>
    lines.length === 0
      ? []
      : [
          title,
          ...lines.slice(0, max).map((line) => `  - ${line}`),
          ...(lines.length > max ? [`  - and ${lines.length - max} more`] : []),
        ];
  const people = proposal.signed.map(({ name, publicKey }) => name || publicKey).join(", ") || "nobody";
  const text = [
    head,
    ...list("DESTROYS", destroys),
    ...list("LOOSER", looser),
    ...list("Otherwise", other),
    ...list("Exactly", exact, 12),
    ...list("Beware", warnings),
    `The console says: ${proposal.text}; asked by ${proposal.by} at ${proposal.askedAt}${proposal.message ? `: ${proposal.message}` : ""}`,
    `Signed until now by ${people}; ${proposal.needed} must. It waits until ${proposal.expires}.`,
    ...(statements.some(({ text }) => text.includes('"type":"policy"'))
      ? [
          `What it would have decided: sallyport approval show ${proposal.id} --policy | sallyport policy replay - --group ${group.id}`,
        ]
      : []),
    `To confirm: ${code.slice(0, CODE_CHARS)}`,
  ];
  return { said: said.value, warnings, code, text: text.map(escapeForDisplay).join("\n") };
}

/** As many as a person compares, too many to be found by trying. */
export const CODE_CHARS = 24;

function knownOf(
  { group, inForce, signers, names, called }: Proposal,
  own: { publicKey: string; seen: Seen } | undefined,
): { known: Known; warnings: string[] } {
  const warnings: string[] = [];
  const before = own?.seen.groups[group.id];
  const claimed = inForce ? policyOf(inForce) : undefined;
  const remembered = before?.policy && policyOf(before.policy);
  const policies = comparedWith(
    claimed && { ...claimed, isBacked: isBacked(before?.signers ?? signers, inForce!) },
    remembered,
    warnings,
  );
  const known: Known = {
    group: group.id,
    policies,
    signers: before?.signers ?? signers,
    names: { ...called, ...names, [group.id]: group.name },
  };
  if (own && !approversOf(signers.keys).includes(own.publicKey))
    warnings.push("the console says that your key is none of this group's approvers");
  return { known, warnings };
}

type Taken = { policy: Policy; order: number };

/** What the console says is in force, and, where that may hide a newer one, what this person signed last: it may be in force,
 *  or have waited in vain. Compared with both, neither hides a loosening. */
function comparedWith(
  claimed: (Taken & { isBacked: boolean }) | undefined,
  remembered: Taken | undefined,
  warnings: string[],
): Revision[] {
  const compared: Revision[] = [];
  if (claimed) {
    const backing = claimed.isBacked ? ", and signed by as many as must" : "";
    compared.push({ policy: claimed.policy, words: `r${claimed.order}, in force as the console says${backing}` });
    if (!claimed.isBacked)
      warnings.push(
        `r${claimed.order} is in force by the console's word alone: not as many approvers have signed it as must`,
      );
  }
  if (remembered && (!claimed?.isBacked || remembered.order > claimed.order)) {
    compared.push({ policy: remembered.policy, words: `r${remembered.order}, which you signed last` });
    warnings.push(
      `you have signed r${remembered.order}, and the console says that ${claimed ? `r${claimed.order}` : "nothing"} is in force: it waited in vain, or the console hides it`,
    );
  }
  return compared;
}

function isBacked(signers: Signers, signed: SignedStatement): boolean {
  const { console, approvers } = voices(verify, signers.keys, signed);
  return approvers.length + (console.length > 0 ? 1 : 0) >= signers.threshold;
}

function policyOf(signed: SignedStatement): { policy: Policy; order: number } | undefined {
  try {
    const { order, type } = Statement.parse(JSON.parse(signed.text));
    const read = Policy.safeParse(CarriedPolicy.parse(JSON.parse(signed.carried)).policy);
    return type === "policy" && read.success ? { policy: read.data, order } : undefined;
  } catch {
    return undefined; // the console's claim makes no sense: there is nothing to compare with
  }
}

/** The policy that is proposed, as a document that replay and diff take. @throws Fault where it proposes none */
export function policyText({ statements }: Proposal): string {
  const found = statements[0] && policyOf(statements[0]);
  if (!found) throw new Fault("It proposes no policy.", 3);
  return JSON.stringify(found.policy, null, 2);
}

export const signProposal = (signer: Signer, publicKey: string, { id, statements }: Proposal): Signing => ({
  proposal: id,
  key: publicKey,
  signatures: statements.map(({ text }) => signText(hash, signer, "sallyport/statement/1", text)),
});

/** What is known after signing: the policy, or who signs from then on. */
export function remember(seen: Seen, { group, statements }: Proposal, now: Date): Seen {
  const [first] = statements;
  if (!first) return seen;
  const { type } = Statement.parse(JSON.parse(first.text));
  const membership = type === "membership" ? Membership.safeParse(JSON.parse(first.carried)) : undefined;
  const before = { ...seen.groups[group.id], name: group.name, at: now.toISOString() };
  const after =
    type === "policy"
      ? { ...before, policy: first }
      : membership?.success && membership.data.group === group.id
        ? { ...before, signers: membership.data.signers }
        : before;
  return { groups: { ...seen.groups, [group.id]: after } };
}
