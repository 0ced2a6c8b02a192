/** `if` conditions: their names, arguments and ranges. */
import type { Cursor } from "./cursor.ts";
import { CONDITIONS, type Condition, type ConditionName, type Rule, type TimeRange } from "./rule.ts";

/** Reads the query of `allowed-matches`; given from outside, as it is the rule's own grammar again. */
export type ReadQuery = (text: string, line: number, offset: number) => Rule;

export function condition(cursor: Cursor, readQuery: ReadQuery): Condition {
  const negated = cursor.take("!");
  const from = cursor.at;
  const word = cursor.matches(/[a-zA-Z-][a-zA-Z0-9-]*/y);
  if (word === null) cursor.fail(`a condition is expected, not ${cursor.word()}`);
  const name = CONDITIONS.find((known) => known === word);
  if (name === undefined) cursor.fail(`there is no condition ${word}; there are ${CONDITIONS.join(", ")}`, from);
  const argumentAt = cursor.at + 1;
  const argument = bracketed(cursor);
  if (argument === "") cursor.fail("the brackets are empty; leave them out, or fill them", argumentAt - 1);
  return { negated, argument, ...meaning(name, argument, cursor, argumentAt, readQuery) };
}

type Meaning = Condition extends infer Each
  ? Each extends unknown
    ? Omit<Each, "negated" | "argument">
    : never
  : never;

function meaning(
  name: ConditionName,
  argument: string | null,
  cursor: Cursor,
  at: number,
  readQuery: ReadQuery,
): Meaning {
  switch (name) {
    case "localtime": {
      const range = argument === null ? null : timeRange(argument);
      if (range === null)
        return cursor.fail("localtime wants HH:MM[:SS] or HH:MM[:SS]-HH:MM[:SS], the earlier first", at);
      return { name, range };
    }
    case "allowed-matches":
      if (argument === null) return cursor.fail("allowed-matches wants a description of a device in brackets", at - 1);
      return { name, query: readQuery(argument, cursor.line, cursor.offset + at) };
    case "rule-applied":
    case "rule-evaluated": {
      const withinSeconds = argument === null ? null : duration(argument);
      if (argument !== null && withinSeconds === null) return cursor.fail(`${name} wants SS, HH:MM or HH:MM:SS`, at);
      return { name, withinSeconds };
    }
    case "random": {
      const probability = argument === null ? 0.5 : Number(argument);
      if (argument !== null && !/^\s*[-+.\deE]+$/.test(argument))
        return cursor.fail("random wants a number from 0 to 1", at);
      if (Number.isNaN(probability)) return cursor.fail("random wants a number from 0 to 1", at);
      return { name, probability };
    }
    case "true":
    case "false":
      return { name };
  }
}

/** As written, escapes and all; null where there are no brackets. */
function bracketed(cursor: Cursor): string | null {
  const from = cursor.at;
  if (!cursor.take("(")) return null;
  for (let at = cursor.at; at < cursor.text.length; at++) {
    if (cursor.text[at] === "\\") at += 1;
    else if (cursor.text[at] === ")") {
      const inside = cursor.text.slice(cursor.at, at);
      cursor.at = at + 1;
      return inside;
    }
  }
  return cursor.fail("the bracket that opens here is not closed", from);
}

function timeRange(text: string): TimeRange | null {
  const [first, second, more] = text.split("-").map((part) => part.trim());
  const from = timeOfDay(first!);
  const to = second === undefined ? from : timeOfDay(second);
  if (from === null || to === null || more !== undefined) return null;
  // a time alone is that minute, or that second where it names one
  const last = second === undefined && first!.split(":").length === 2 ? to + 59 : to;
  return last < from ? null : { from, to: last };
}

function timeOfDay(text: string): number | null {
  const match = /^(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?$/.exec(text);
  if (!match) return null;
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  return hours > 23 || minutes > 59 || seconds > 59 ? null : hours * 3600 + minutes * 60 + seconds;
}

function duration(text: string): number | null {
  const match = /^(\d{1,6})(?::(\d{1,6}))?(?::(\d{1,6}))?$/.exec(text);
  if (!match) return null;
  const [first, second, third] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  return match[2] === undefined ? first : first * 3600 + second * 60 + third;
}
