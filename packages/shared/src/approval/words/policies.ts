/** A policy, or a rollout with what its abort goes back to → what it changes, in words. Pure. */
import { z } from "zod";
import type { Hash } from "../../base/crypto.ts";
import { fail, ok, type Result } from "../../base/result.ts";
import { cutOffWords } from "../../policy/cut-off.ts";
import { summariseDiff } from "../../policy/diff/summary.ts";
import { diffPolicy } from "../../policy/diff.ts";
import { carriedDigest, Policy } from "../../policy/policy.ts";
import { CarriedPolicy, type Statement } from "../../policy/statement.ts";
import { audienceKey } from "../../policy/verify.ts";
import { exactOf, type Known, named, type Read, type Said, until } from "./statement.ts";

const CHANGES_MAX = 500;

export function sayPolicies(hash: Hash, read: Read[], known: Known): Result<Said> {
  const policies: { policy: Policy; digest: string; group: string; statement: Statement }[] = [];
  for (const { statement, carried } of read) {
    const load = CarriedPolicy.safeParse(carried);
    if (!load.success) return fail(z.prettifyError(load.error));
    const { group, digest, policy: untrusted } = load.data;
    if (Object.keys(carried as object).length !== 3) return fail("it says more than this version knows");
    const policy = Policy.safeParse(untrusted);
    if (!policy.success) return fail(`the policy in it: ${z.prettifyError(policy.error)}`);
    if (carriedDigest(hash, untrusted) !== digest) return fail("the policy in it is not the revision it is called");
    const audience = audienceKey(statement.audience);
    if (audience !== `group/${group}`) return fail(`a policy of group ${group} that is meant for ${audience}`);
    if (known.group !== undefined && group !== known.group)
      return fail(`a policy of group ${group}, handed over as one of group ${known.group}`);
    policies.push({ policy: policy.data, digest, group, statement });
  }
  const [next, back, more] = policies;
  if (!next || more) return fail("it holds more policies than one and what an abort goes back to");
  if (back && back.digest !== next.statement.fallback)
    return fail("the second policy in it is not the one that the first names as its fallback");
  const defaults = { policy: Policy.parse({}), words: "the strict defaults (nothing else is known)" };
  const befores = known.policies && known.policies.length > 0 ? known.policies : [defaults];
  const looser: string[] = [];
  const other: string[] = [];
  for (const before of befores) {
    const against = befores.length > 1 ? `against ${before.words}: ` : "";
    const said = changes(before.policy, next.policy);
    looser.push(...said.looser.map((words) => against + words));
    const cutOff = cutOffWords(before.policy, next.policy);
    other.push(`Compared with ${before.words}: ${said.summary}`);
    other.push(...[...cutOff, ...said.other].map((words) => against + words));
    if (!back) continue;
    const undone = changes(before.policy, back.policy);
    looser.push(...undone.looser.map((words) => `${against}after an abort: ${words}`));
    other.push(
      `${against && `${against.slice(0, -2)}, `}if the rollout is aborted, the group goes back to revision ${back.digest.slice(0, 12)}: ${undone.summary}`,
    );
  }
  const head = `${back ? "A rollout of" : "A"} policy for group ${named(known, next.group)}, revision ${next.digest.slice(0, 12)} (r${next.statement.order})`;
  other.push(...until(next.statement));
  return ok({ head, destroys: [], looser, other, exact: [`revision ${next.digest}`, ...read.map(exactOf)] });
}

function changes(before: Policy, after: Policy): { looser: string[]; other: string[]; summary: string } {
  const all = diffPolicy(before, after);
  const isLooser = (effect: string) => effect === "removed" || effect === "looser";
  const say = ({ section, effect, words }: (typeof all)[number]) => `${section}, ${effect}: ${words}`;
  const cut = (lines: string[]) =>
    lines.length > CHANGES_MAX ? [...lines.slice(0, CHANGES_MAX), `and ${lines.length - CHANGES_MAX} more`] : lines;
  return {
    looser: cut(all.filter(({ effect }) => isLooser(effect)).map(say)),
    other: cut(all.filter(({ effect }) => !isLooser(effect)).map(say)),
    summary: summariseDiff(all),
  };
}
