/** One group, as its file says it and as the console has it → what is done with it, in words, or why it cannot be. Pure. */
import { plural } from "../../base/count.ts";
import { planFaults } from "../../rollout/plan.ts";
import { cutOffWords } from "../cut-off.ts";
import type { Change } from "../diff/change.ts";
import { summariseDiff } from "../diff/summary.ts";
import { diffPolicy } from "../diff.ts";
import { Policy } from "../policy.ts";
import type { Read } from "./files.ts";

/** A group as the console has it. */
export type GroupNow = {
  id: string;
  name: string;
  repository: string | null;
  isRetired: boolean;
  threshold: number;
  /** The newest order there is; 0 before the first. */
  newest: number;
  /** What the whole group should have; `policy` as it was signed, perhaps by another version. */
  whole: { order: number; digest: string; policy: unknown; source: string } | null;
  /** The rollout that is under way. */
  moving: { order: number; digest: string; state: string } | null;
  /** The newest rollout of all, where it was taken back. */
  aborted: { order: number; digest: string; reason: string } | null;
  /** What waits for people's signatures, and is not in force before: the digests of policies. */
  proposed: { id: string; digest: string }[];
  /** Enrolled, and by label. */
  workstations: number;
  labels: Readonly<Record<string, number>>;
  /** In any state but revoked. */
  members: number;
  /** One-time tokens into it that still work. */
  tokens: number;
};

export const STEP_ACTS = ["create", "change", "delete", "none"] as const;
export type StepAct = (typeof STEP_ACTS)[number];

export type Step = {
  act: StepAct;
  group: string;
  id: string | null;
  file: string | null;
  /** The newest order that was looked at. */
  newest: number;
  /** The policies' digests; null where there is none. */
  before: string | null;
  after: string | null;
  how: "publish" | "roll out" | null;
  /** The repository becomes the source of the group's policy. */
  takes: boolean;
  /** A retired group of this name comes back, with its history. */
  revives: boolean;
  words: string;
  changes: Change[];
  notes: string[];
  /** Why it cannot be done; then nothing of the plan is. */
  refused: string[];
};

export function stepOf(read: Read, group: GroupNow | undefined, repository: string | null, again: boolean): Step {
  const { digest, file } = read;
  const before = group?.whole ?? null;
  const base = {
    group: group?.name ?? read.name,
    id: group?.id ?? null,
    file: file.file,
    newest: group?.newest ?? 0,
    before: before?.digest ?? null,
    after: digest,
    takes: repository !== null && group?.repository !== repository,
    revives: group?.isRetired ?? false,
    refused: group ? foreign(group, repository) : [],
  };
  if (group?.moving?.digest === digest)
    return staying(base, repository, `a rollout of it is under way (r${group.moving.order}, ${group.moving.state})`);
  if (before?.digest === digest && !group?.moving) {
    const isText = before.source === file.source;
    return { ...staying(base, repository, `as r${before.order}`), notes: isText ? [] : [ONLY_WRITING] };
  }
  const proposed = group?.proposed.find((each) => each.digest === digest);
  if (proposed) return staying(base, repository, `it waits for its approvers’ signatures (${proposed.id})`);
  return changing(base, read, group, repository, again);
}

const ONLY_WRITING = "Only its writing differs (comments, order, spelling): the console keeps the text it has.";
type Base = Omit<Step, "act" | "how" | "words" | "changes" | "notes">;

/** The group has this very policy, or will: at most it comes back, or comes to the repository. `what` says where it stands. */
function staying(base: Base, repository: string | null, what: string): Step {
  const acts = base.takes || base.revives;
  const more = [base.revives && "comes back", base.takes && `is managed from ${repository} from now on`]
    .filter(Boolean)
    .join(", and ");
  return {
    ...base,
    refused: acts ? base.refused : [],
    act: acts ? "change" : "none",
    how: null,
    words: acts ? `${more}; its policy stays, ${what}` : what,
    changes: [],
    notes: [],
  };
}

function changing(
  base: Base,
  { policy, digest, plan }: Read,
  group: GroupNow | undefined,
  repository: string | null,
  again: boolean,
): Step {
  const { takes, revives } = base;
  const before = group?.whole ?? null;
  const changes = diffPolicy(policyOf(before?.policy), policy);
  const how = plan && group && group.workstations > 0 ? "roll out" : "publish";
  const notes = group ? cutOffWords(policyOf(before?.policy), policy) : [];
  if (before && !Policy.safeParse(before.policy).success)
    notes.push("What it has now was written by a newer console: the differences are against the strict defaults.");
  if (group?.moving)
    notes.push(`It ends the rollout of r${group.moving.order} that is under way (${group.moving.state}).`);
  if (plan && how === "publish")
    notes.push("No workstation is in it, so there is nobody to roll out to: it is published.");
  const refused = [...base.refused];
  if (how === "roll out" && plan && group)
    refused.push(...planFaults(plan, { ...group, reportSeconds: reportSeconds(policy, before?.policy) }));
  if (group?.aborted?.digest === digest && !again)
    refused.push(
      `The rollout of this very policy (r${group.aborted.order}) was taken back: ${group.aborted.reason}. Change the file, or say --again.`,
    );
  if (group && group.threshold > 1)
    notes.push(`${group.threshold} keys must sign: apply asks for that, and nothing is in force before.`);
  const done =
    how === "roll out"
      ? `it is rolled out to ${plural(group?.workstations ?? 0, "workstation")} in ${plural(plan?.waves.length ?? 0, "wave")}`
      : group?.members
        ? `it is published to ${plural(group.members, "workstation")} at once`
        : "it is published; nobody is in the group yet";
  const first = group ? "" : "the group is made; ";
  const back = revives ? "it comes back; " : "";
  const managed = takes ? ` Managed from ${repository} from now on.` : "";
  return {
    ...base,
    act: group && !revives ? "change" : "create",
    how,
    words: `${first}${back}${done}. ${summariseDiff(changes)}${managed}`,
    changes,
    notes,
    refused,
  };
}

export function retire(group: GroupNow): Step {
  const refused: string[] = [];
  if (group.members > 0)
    refused.push(
      `${plural(group.members, "workstation")} ${group.members === 1 ? "is" : "are"} in ${group.name}: move or revoke them first, or put its file back.`,
    );
  if (group.tokens > 0)
    refused.push(
      `${group.tokens} enrolment ${group.tokens === 1 ? "token leads" : "tokens lead"} into ${group.name}: revoke them first.`,
    );
  return {
    act: "delete",
    group: group.name,
    id: group.id,
    file: null,
    newest: group.newest,
    before: group.whole?.digest ?? null,
    after: null,
    how: null,
    takes: false,
    revives: false,
    words: `it is retired: nobody can be put into it any more. Its revisions stay on record${group.moving ? `, and the rollout of r${group.moving.order} ends` : ""}.`,
    changes: [],
    notes: [],
    refused,
  };
}

const foreign = (group: GroupNow, repository: string | null): string[] =>
  group.repository === null || group.repository === repository
    ? []
    : [`It is managed from ${group.repository}. An owner takes it back on its page first.`];

const policyOf = (carried: unknown): Policy => {
  const read = Policy.safeParse(carried ?? {});
  return read.success ? read.data : Policy.parse({});
};
const reportSeconds = (policy: Policy, before: unknown): number =>
  Math.max(policy.agent.reportSeconds, before === undefined ? 0 : policyOf(before).agent.reportSeconds);
