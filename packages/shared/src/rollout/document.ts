/** A plan as a person writes it, YAML or JSON, → the plan, or what is wrong with it in words. Pure. */
import { fail, ok, type Result } from "../base/result.ts";
import { readYaml } from "../policy/yaml.ts";
import { Plan } from "./plan.ts";

export const PLAN_CHARS_MAX = 64 * 1024;

export function readPlan(untrusted: string): Result<Plan, string[]> {
  const read = readYaml(untrusted, PLAN_CHARS_MAX);
  if (!read.ok) return fail([read.error]);
  const plan = Plan.safeParse(read.value ?? {});
  return plan.success ? ok(plan.data) : fail(plan.error.issues.map(issueWords));
}

/** "waves[1]: …" */
export function issueWords({ path, message }: { path: readonly PropertyKey[]; message: string }): string {
  const where = path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part)),
    "",
  );
  return where ? `${where}: ${message}` : message;
}
