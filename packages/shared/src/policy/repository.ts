/** A folder of policies, one file a group, held against the groups there are → what would be made, changed and retired.
 *  Plan and apply ask the same function; what it answers has a digest, so that nothing else is ever applied. Pure. */
import { z } from "zod";
import { toHex } from "../base/bytes.ts";
import { canonicalBytes } from "../base/canonical.ts";
import type { Hash } from "../base/crypto.ts";
import { alike } from "./group-name.ts";
import { type RepositoryFile, readFiles } from "./repository/files.ts";
import { type GroupNow, retire, type Step, type StepAct, stepOf } from "./repository/step.ts";

/** One printable line: an address, or what people call it. */
export const Repository = z
  .string()
  .trim()
  .min(3, "say where the repository is: its address, or what people call it")
  .max(256)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "a repository's address is one line of printable ASCII");

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

/** Why nothing of it can be done, a line for each reason; empty where it can. */
export const planRefusals = ({ steps }: RepositoryPlan): string[] =>
  steps.flatMap(({ group, refused }) => refused.map((why) => `${group}: ${why}`));

/** How many groups each act is for. */
export function planCounts({ steps }: RepositoryPlan): Record<StepAct, number> {
  const counts: Record<StepAct, number> = { create: 0, change: 0, delete: 0, none: 0 };
  for (const { act } of steps) counts[act]++;
  return counts;
}
