/** `new-blocks > 20`: when a pipeline should stop. Pure. */
import { fail, ok, type Result } from "../base/result.ts";
import { countFlips, FLIPS, type Flip } from "./flip.ts";
import type { ReplayResult } from "./result.ts";

/** Beside each way to flip: all of them, what could not be told, and records that were not replayed yet. */
export const MEASURES = [...FLIPS, "flips", "unknown", "decisions", "waiting"] as const;
export type Measure = (typeof MEASURES)[number];
export const OPERATORS = [">=", "<=", ">", "<", "="] as const;
export type Condition = { measure: Measure; operator: (typeof OPERATORS)[number]; than: number };

const CONDITION = /^\s*([a-z-]+)\s*(>=|<=|==|>|<|=)\s*(\d{1,15})\s*$/;

export function readCondition(text: string): Result<Condition> {
  const [, word, operator, than] = CONDITION.exec(text) ?? [];
  if (word === undefined) return fail(`"${text}" is no condition; one reads: new-blocks > 20`);
  const measure = MEASURES.find((each) => each === word);
  if (!measure) return fail(`there is no ${word}; there are ${MEASURES.join(", ")}`);
  return ok({ measure, operator: operator === "==" ? "=" : (operator as Condition["operator"]), than: Number(than) });
}

type Measured = Pick<ReplayResult, "flips" | "unknown" | "decisions" | "waiting">;

export function measured(result: Measured, measure: Measure): number {
  switch (measure) {
    case "flips":
      return countFlips(result.flips);
    case "unknown":
      return result.unknown.reduce((sum, { decisions }) => sum + decisions, 0);
    case "decisions":
      return result.decisions;
    case "waiting":
      return result.waiting ?? 0;
    default:
      return result.flips[measure satisfies Flip];
  }
}

export function holds({ measure, operator, than }: Condition, result: ReplayResult): boolean {
  const value = measured(result, measure);
  const answers = {
    ">": value > than,
    ">=": value >= than,
    "<": value < than,
    "<=": value <= than,
    "=": value === than,
  };
  return answers[operator];
}
