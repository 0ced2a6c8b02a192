/** A folder of policies, one file a group, held against the groups there are → what would be made, changed and retired.
 *  Plan and apply ask the same function; what it answers has a digest, so that nothing else is ever applied. Pure. */
import { z } from "zod";
import { toHex } from "../base/bytes.ts";
import { canonicalBytes } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import { PLAN_CHARS_MAX, readPlan } from "../rollout/document.ts";
import { type Plan, planFaults } from "../rollout/plan.ts";
import { cutOffWords } from "./cut-off.ts";
import type { Change } from "./diff/change.ts";
import { summariseDiff } from "./diff/summary.ts";
import { diffPolicy } from "./diff.ts";
import { POLICY_CHARS_MAX, readPolicy } from "./document.ts";
import { alike, GroupName } from "./group-name.ts";
import { Policy, policyDigest } from "./policy.ts";

export const FILES_MAX = 500;

/** One printable line: an address, or what people call it. */
export const Repository = z
  .string()
  .trim()
  .min(3, "say where the repository is: its address, or what people call it")
  .max(256)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "a repository's address is one line of printable ASCII");

export const RepositoryFile = z.strictObject({
  /** As the person knows it; for messages. */
  file: z.string().min(1).max(256),
  group: z.string().max(256),
  source: z.string().max(POLICY_CHARS_MAX),
  /** Waves and guards: changes of this group are rolled out, not published. */
  rollout: z.strictObject({ file: z.string().min(1).max(256), source: z.string().max(PLAN_CHARS_MAX) }).optional(),
});
export type RepositoryFile = z.infer<typeof RepositoryFile>;

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

export type RepositoryPlan = {
  repository: string | null;
  steps: Step[];
  /** Groups that are neither in the folder nor of this repository: not touched. */
  left: string[];
  digest: string;
};

export type Planned = { ok: true; plan: RepositoryPlan } | { ok: false; faults: string[] };

export type Planning = {
  repository: string | null;
  files: readonly RepositoryFile[];
  groups: readonly GroupNow[];
  /** A policy whose rollout was taken back is begun again. */
  again: boolean;
};

type Read = { file: RepositoryFile; name: string; policy: Policy; digest: string; plan: Plan | undefined };

/** Steps in order of their groups' names. Faults are of the files: then nothing is planned. */
export function planRepository(hash: Hash, { repository, files, groups, again }: Planning): Planned {
  const read = readFiles(hash, files);
  if (!read.ok) return read;
  const byName = new Map(groups.map((group) => [alike(group.name), group]));
  const steps = read.all.map((each) => stepOf(each, byName.get(alike(each.name)), repository, again));
  const named = new Set(read.all.map(({ name }) => alike(name)));
  const rest = groups.filter(({ name, isRetired }) => !isRetired && !named.has(alike(name)));
  const isOurs = (group: GroupNow) => repository !== null && group.repository === repository;
  steps.push(...rest.filter(isOurs).map(retire));
  steps.sort((a, b) => (alike(a.group) < alike(b.group) ? -1 : 1));
  const left = rest
    .filter((group) => !isOurs(group))
    .map(({ name }) => name)
    .sort();
  const digest = planDigest(hash, repository, steps, files);
  return { ok: true, plan: { repository, steps, left, digest } };
}

/** Over all that an apply would do and all that it looked at for it; not over its words, nor over what stays. */
function planDigest(
  hash: Hash,
  repository: string | null,
  steps: readonly Step[],
  files: readonly RepositoryFile[],
): string {
  const acts = steps
    .filter(({ act }) => act !== "none")
    .map(({ words, notes, ...step }) => {
      const file = files.find((each) => each.file === step.file);
      return { ...step, source: file?.source ?? null, rollout: file?.rollout?.source ?? null };
    });
  return toHex(hash(canonicalBytes({ repository, acts })));
}

function readFiles(
  hash: Hash,
  files: readonly RepositoryFile[],
): { ok: true; all: Read[] } | { ok: false; faults: string[] } {
  const faults: string[] = [];
  const seen = new Map<string, string>();
  const all = files.flatMap((file): Read[] => {
    const name = GroupName.safeParse(file.group);
    if (!name.success) {
      faults.push(
        `${file.file}: its name is its group's: ${name.error.issues.map(({ message }) => message).join("; ")}`,
      );
      return [];
    }
    const twin = seen.get(alike(name.data));
    if (twin !== undefined) faults.push(`${file.file}: ${twin} is for the same group`);
    seen.set(alike(name.data), file.file);
    const policy = readPolicy(file.source);
    if (!policy.ok) {
      for (const { line, column, path, message } of policy.faults)
        faults.push(`${file.file}:${line}:${column}: ${path && `${path}: `}${message}`);
      return [];
    }
    const plan = file.rollout && readPlan(file.rollout.source);
    if (plan && !plan.ok) faults.push(...plan.error.map((fault) => `${file.rollout?.file}: ${fault}`));
    const digest = policyDigest(hash, policy.policy);
    return [{ file, name: name.data, policy: policy.policy, digest, plan: plan?.ok ? plan.value : undefined }];
  });
  return faults.length > 0 ? { ok: false, faults } : { ok: true, all };
}

function stepOf(read: Read, group: GroupNow | undefined, repository: string | null, again: boolean): Step {
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
      ? `it is rolled out to ${count(group?.workstations ?? 0)} in ${plan?.waves.length} waves`
      : group?.members
        ? `it is published to ${count(group.members)} at once`
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

function retire(group: GroupNow): Step {
  const refused: string[] = [];
  if (group.members > 0)
    refused.push(
      `${count(group.members)} ${group.members === 1 ? "is" : "are"} in ${group.name}: move or revoke them first, or put its file back.`,
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
const count = (workstations: number): string => `${workstations} workstation${workstations === 1 ? "" : "s"}`;

/** Why nothing of it can be done, a line for each reason; empty where it can. */
export const planRefusals = ({ steps }: RepositoryPlan): string[] =>
  steps.flatMap(({ group, refused }) => refused.map((why) => `${group}: ${why}`));

/** How many groups each act is for. */
export function planCounts({ steps }: RepositoryPlan): Record<StepAct, number> {
  const counts: Record<StepAct, number> = { create: 0, change: 0, delete: 0, none: 0 };
  for (const { act } of steps) counts[act]++;
  return counts;
}
