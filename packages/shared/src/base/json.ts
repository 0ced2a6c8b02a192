/** Text from outside → JSON, judged before anything recursive reads it: a schema falls off the stack on what merely
 *  nests deep. */
import { JSON_DEPTH_MAX } from "./canonical.ts";
import { fail, ok, type Result } from "./result.ts";

/** Of what JSON.parse made: not deeper than canonical JSON may be, and no number that JSON cannot say (1e999 parses, as
 *  infinity). */
export function isShallow(value: unknown, depth = 0): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth > JSON_DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.every((each) => isShallow(each, depth + 1));
  for (const key in value) if (!isShallow((value as Record<string, unknown>)[key], depth + 1)) return false;
  return true;
}

/** At most `charactersMax` UTF-16 units, and no deeper than canonical JSON may be. The error says which. */
export function readJson(untrusted: string, charactersMax: number): Result<unknown> {
  if (untrusted.length > charactersMax) return fail(`${untrusted.length} characters; at most ${charactersMax}`);
  let value: unknown;
  try {
    value = JSON.parse(untrusted);
  } catch (error) {
    return fail(`no JSON: ${(error as Error).message}`);
  }
  return isShallow(value)
    ? ok(value)
    : fail(`JSON that nests deeper than ${JSON_DEPTH_MAX} levels, or has a number too large for one`);
}
