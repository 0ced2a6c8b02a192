/** One proposal as a page shows it: what it does, in words worked out from its statements' own text, compared with what the
 *  rows say. An approver's own command works them out anew and believes none of this. */
import type { Proposal } from "@sallyport/shared/approval/proposal.ts";
import type { Said } from "@sallyport/shared/approval/words/statement.ts";
import { sayStatements } from "@sallyport/shared/approval/words.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { CarriedPolicy, Statement } from "@sallyport/shared/policy/statement.ts";
import { hash } from "../trail/crypto.ts";

/** The policy that would be in force, as a text that a replay takes; null where it proposes none. */
export function proposedPolicy({ kind, statements: [first] }: Proposal): string | null {
  if (!first || (kind !== "policy" && kind !== "rollout")) return null;
  return JSON.stringify(CarriedPolicy.parse(JSON.parse(first.carried)).policy);
}

/** What is said, or why nothing can be. */
export function describeProposal({ group, signers, statements, inForce, names, called }: Proposal): Said | string {
  const before = inForce && {
    policy: Policy.safeParse(CarriedPolicy.parse(JSON.parse(inForce.carried)).policy),
    order: Statement.parse(JSON.parse(inForce.text)).order,
  };
  const said = sayStatements(hash, statements, {
    group: group.id,
    signers,
    names: { ...called, ...names, [group.id]: group.name },
    ...(before?.policy.success && {
      policies: [{ policy: before.policy.data, words: `r${before.order}, which the whole group should have` }],
    }),
  });
  return said.ok ? said.value : said.error;
}
