/** The files of a folder of policies, one for each group → what each says, or every fault that there is in them. Pure. */
import { z } from "zod";
import type { Hash } from "../../base/crypto.ts";
import { PLAN_CHARS_MAX, readPlan } from "../../rollout/document.ts";
import type { Plan } from "../../rollout/plan.ts";
import { POLICY_CHARS_MAX, readPolicy } from "../document.ts";
import { alike, GroupName } from "../group-name.ts";
import { type Policy, policyDigest } from "../policy.ts";

export const FILES_MAX = 500;

export const RepositoryFile = z.strictObject({
  /** As the person knows it; for messages. */
  file: z.string().min(1).max(256),
  group: z.string().max(256),
  source: z.string().max(POLICY_CHARS_MAX),
  /** Waves and guards: changes of this group are rolled out, not published. */
  rollout: z.strictObject({ file: z.string().min(1).max(256), source: z.string().max(PLAN_CHARS_MAX) }).optional(),
});
export type RepositoryFile = z.infer<typeof RepositoryFile>;

export type Read = { file: RepositoryFile; name: string; policy: Policy; digest: string; plan: Plan | undefined };

export function readFiles(
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
