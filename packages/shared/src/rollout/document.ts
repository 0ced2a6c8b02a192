/** A plan as a person writes it, YAML or JSON, → the plan, or what is wrong with it in words. Pure. */
import { parse } from "yaml";
import { fail, ok, type Result } from "../base/result.ts";
import { Plan } from "./plan.ts";

export const PLAN_CHARS_MAX = 64 * 1024;

export function readPlan(untrusted: string): Result<Plan, string[]> {
  if (untrusted.length > PLAN_CHARS_MAX)
    return fail([`${untrusted.length} characters; a plan has at most ${PLAN_CHARS_MAX}`]);
  let value: unknown;
  try {
    value = parse(untrusted, { maxAliasCount: 0, prettyErrors: true });
  } catch (error) {
    return fail([(error as Error).message]);
  }
  const plan = Plan.safeParse(value ?? {});
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
