/** What Suricata says when it tests its files (`suricata -T -v`) and of the rules it could not load. Pure. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import { z } from "zod";
import type { Ran } from "./dom0.ts";

/** `first`: the first rules that it does not understand, each in a sentence. */
export type TestedRules = { loaded: number; failed: number; first: string[] };

const NAMED_MAX = 3;
const WORDS_CHARS_MAX = 240;

/** One rule that is not understood makes it exit with 1, as does a configuration it cannot start with: the count is said
 *  only in the first case. */
export function testedRules({ code, stdout, stderr }: Pick<Ran, "code" | "stdout" | "stderr">): Result<TestedRules> {
  const counted = /\b(\d+) rules successfully loaded, (\d+) rules failed/.exec(stdout);
  const errors = stderr.split("\n").flatMap((line) => /^\s*(?:E|Error): (.*)/.exec(line)?.[1] ?? []);
  if (counted) {
    const [loaded, failed] = [Number(counted[1]), Number(counted[2])];
    if (code === 0 || failed > 0) return ok({ loaded, failed, first: ruleWords(errors) });
  }
  // where no rule at all is loaded the count is not said
  const failed = errors.filter((line) => NOT_A_RULE.test(line)).length;
  if (failed > 0) return ok({ loaded: 0, failed, first: ruleWords(errors) });
  if (code === 0) return ok({ loaded: 0, failed: 0, first: [] });
  return fail((errors[0] ?? stdout.split("\n").find(Boolean) ?? `exit ${code}`).slice(0, 500));
}

const NOT_A_RULE = /^detect: error parsing signature "(.*)" from file \S+ at line (\d+)/;

/** The reason stands before the rule it is about. */
function ruleWords(errors: readonly string[]): string[] {
  const words: string[] = [];
  let reason: string | undefined;
  for (const line of errors) {
    const rule = NOT_A_RULE.exec(line);
    if (rule) {
      words.push(sentence(rule[1]!, Number(rule[2]), reason));
      reason = undefined;
      if (words.length === NAMED_MAX) break;
    } else reason ??= line.replace(/^[a-z0-9-]+: /, "");
  }
  return words;
}

function sentence(rule: string, line: number, reason: string | undefined): string {
  const sid = /\bsid\s*:\s*(\d+)/.exec(rule)?.[1];
  const which = sid === undefined ? `the rule in line ${line}` : `signature ${sid} in line ${line}`;
  return (reason === undefined ? which : `${which}: ${reason}`).slice(0, WORDS_CHARS_MAX);
}

const FailedRules = z.array(z.object({ rule: z.string(), line: z.number(), error: z.string().optional() }));

/** The answer to `ruleset-failed-rules`. */
export function failedRules(untrustedAnswer: Json): string[] {
  const answer = FailedRules.safeParse(untrustedAnswer).data ?? [];
  return answer.slice(0, NAMED_MAX).map(({ rule, line, error }) => sentence(rule, line, error));
}
