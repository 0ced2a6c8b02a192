/** A plan as a person writes it, YAML or JSON, → the plan, or what is wrong with it in words. Pure. */
import { issueLine } from "../base/issue.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { readYaml } from "../policy/yaml.ts";
import { Plan } from "./plan.ts";

export const PLAN_CHARS_MAX = 64 * 1024;

export function readPlan(untrusted: string): Result<Plan, string[]> {
  const read = readYaml(untrusted, PLAN_CHARS_MAX);
  if (!read.ok) return fail([read.error]);
  const plan = Plan.safeParse(read.value ?? {});
  return plan.success ? ok(plan.data) : fail(plan.error.issues.map(issueLine));
}
