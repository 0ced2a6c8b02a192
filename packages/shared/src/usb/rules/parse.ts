/** Text → rules, in the grammar of usbguard-rules.conf(5), one rule a line. More forgiving than USBGuard 1.1 in one
 *  thing: blanks before and after a rule are let be, as newer versions do. */
import { fail, ok, type Result } from "../../base/result.ts";
import { condition } from "./condition.ts";
import { Cursor, NoRule, quoted } from "./cursor.ts";
import {
  ATTRIBUTES,
  type AttributeName,
  OPERATORS,
  type Rule,
  type RuleError,
  TARGETS,
  type ValueSet,
} from "./rule.ts";

/** Rules of one text; a site's real ones are hundreds. */
export const RULES_MAX = 20_000;

export function parseRules(text: string): Result<Rule[], RuleError> {
  const rules: Rule[] = [];
  try {
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      const rule = parseLine(line, index + 1);
      if (rule !== null) rules.push(rule);
      if (rules.length > RULES_MAX)
        return fail({ line: index + 1, column: 1, message: `more than ${RULES_MAX} rules` });
    }
  } catch (error) {
    if (error instanceof NoRule) return fail(error.error);
    throw error;
  }
  return ok(rules);
}

/** Null for a line that is blank or a comment. */
function parseLine(text: string, line: number): Rule | null {
  const cursor = new Cursor(text, line);
  cursor.blanks();
  if (cursor.ended || cursor.sees("#")) return null;
  const rule: Rule = { target: target(cursor), attributes: {}, conditions: null, line };
  clauses(cursor, rule, true);
  return rule;
}

function target(cursor: Cursor): Rule["target"] {
  const found = TARGETS.find((name) => cursor.sees(name));
  if (found === undefined) return cursor.fail(`a rule begins with ${TARGETS.join(", ")}, not ${cursor.word()}`);
  cursor.at += found.length;
  return found;
}

/** The query of `allowed-matches`: a rule without its target. */
function parseQuery(text: string, line: number, offset: number): Rule {
  const cursor = new Cursor(text, line, offset);
  const rule: Rule = { target: "match", attributes: {}, conditions: null, line };
  clauses(cursor, rule, false);
  return rule;
}

/** `blank` says whether the first clause must stand apart from what is before it. */
function clauses(cursor: Cursor, rule: Rule, blank: boolean): void {
  let apart = !blank;
  for (let first = true; ; first = false) {
    const from = cursor.at;
    const blanks = cursor.blanks();
    if (cursor.ended || cursor.sees("#")) {
      if (first && !blank) cursor.fail("a device is expected");
      return;
    }
    if (blanks === 0 && !apart) cursor.fail(`a blank is expected before ${cursor.word()}`, from);
    apart = false;
    if (first && /[0-9a-fA-F*]/.test(cursor.text[cursor.at]!) && startsWithId(cursor)) {
      rule.attributes.id = { operator: "equals", values: [deviceId(cursor)] };
    } else clause(cursor, rule);
  }
}

const startsWithId = (cursor: Cursor): boolean =>
  /^(?:[0-9a-fA-F]{4}|\*):/.test(cursor.text.slice(cursor.at, cursor.at + 6));

function clause(cursor: Cursor, rule: Rule): void {
  const from = cursor.at;
  const word = cursor.matches(/[a-z-]+/y);
  const known = ATTRIBUTES.find((name) => name === word);
  if (known === undefined && word !== "if") {
    cursor.at = from;
    cursor.fail(`an attribute is expected (${ATTRIBUTES.join(", ")} or if), not ${cursor.word()}`);
  }
  if (cursor.blanks() === 0) cursor.fail(`a blank and a value are expected after ${word}`);
  if (known === undefined) {
    if (rule.conditions !== null) cursor.fail("conditions are there already", from);
    rule.conditions = valueSet(cursor, () => condition(cursor, parseQuery));
    return;
  }
  const before = rule.attributes[known];
  if (before !== undefined && known !== "label") cursor.fail(`${known} is there already`, from);
  const values = valueSet(cursor, () => VALUES[known](cursor));
  // labels add up, as USBGuard has it
  rule.attributes[known] = before
    ? { operator: values.operator, values: [...before.values, ...values.values] }
    : values;
}

const VALUES: Record<AttributeName, (cursor: Cursor) => string> = {
  id: deviceId,
  serial: quoted,
  name: quoted,
  hash: quoted,
  "parent-hash": quoted,
  "via-port": quoted,
  "with-interface": interfaceType,
  "with-connect-type": quoted,
  label: quoted,
};

function valueSet<T>(cursor: Cursor, value: () => T): ValueSet<T> {
  const operator = OPERATORS.find((name) =>
    new RegExp(`^${name}[ \\t]`).test(cursor.text.slice(cursor.at, cursor.at + 16)),
  );
  if (operator !== undefined) {
    cursor.at += operator.length;
    cursor.blanks();
    if (!cursor.sees("{")) cursor.fail(`{ is expected after ${operator}, not ${cursor.word()}`);
  }
  if (!cursor.sees("{")) return { operator: "equals", values: [value()] };
  return { operator: operator ?? "equals", values: braced(cursor, value) };
}

function braced<T>(cursor: Cursor, value: () => T): T[] {
  const from = cursor.at;
  cursor.take("{");
  cursor.blanks();
  const values: T[] = [];
  for (;;) {
    if (cursor.ended) cursor.fail("the brace that opens here is not closed", from);
    values.push(value());
    const blanks = cursor.blanks();
    if (cursor.take("}")) return values;
    if (cursor.ended) cursor.fail("the brace that opens here is not closed", from);
    if (blanks === 0) cursor.fail(`a blank or } is expected, not ${cursor.word()}`);
  }
}

function deviceId(cursor: Cursor): string {
  const from = cursor.at;
  const id = cursor.matches(/(?:[0-9a-fA-F]{4}|\*):(?:[0-9a-fA-F]{4}|\*)/y);
  if (id === null || /[0-9a-fA-F*:]/.test(cursor.text[cursor.at] ?? "")) {
    cursor.at = from;
    return cursor.fail(`a device id is two numbers of four hex digits, 1234:abcd, 1234:* or *:*, not ${cursor.word()}`);
  }
  if (id.startsWith("*") && id !== "*:*")
    return cursor.fail("any vendor's product makes no sense: *:* or a vendor's id", from);
  return id;
}

function interfaceType(cursor: Cursor): string {
  const from = cursor.at;
  const type = cursor.matches(/[0-9a-fA-F]{2}:(?:[0-9a-fA-F]{2}|\*):(?:[0-9a-fA-F]{2}|\*)/y);
  if (type === null || /[0-9a-fA-F*:]/.test(cursor.text[cursor.at] ?? "")) {
    cursor.at = from;
    return cursor.fail(
      `an interface is three numbers of two hex digits, 08:06:50, 08:06:* or 08:*:*, not ${cursor.word()}`,
    );
  }
  if (/:\*:[^*]/.test(type))
    return cursor.fail("a protocol without its subclass makes no sense: 08:*:* or 08:06:50", from);
  return type.toLowerCase();
}
