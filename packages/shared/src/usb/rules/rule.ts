/** A rule of USBGuard's language (usbguard-rules.conf(5)) as a value. Strings are byte strings: one character a byte of
 *  UTF-8, as a device's name need not be Unicode and the language can spell any byte. */

export const TARGETS = ["allow", "block", "reject", "match", "device"] as const;
/** `match` and `device` describe and decide nothing. */
export type Target = (typeof TARGETS)[number];

export const OPERATORS = ["all-of", "one-of", "none-of", "equals-ordered", "equals", "match-all"] as const;
export type Operator = (typeof OPERATORS)[number];

/** In the order in which a rule is printed; `if` stands between with-interface and with-connect-type. */
export const ATTRIBUTES = [
  "id",
  "serial",
  "name",
  "hash",
  "parent-hash",
  "via-port",
  "with-interface",
  "with-connect-type",
  "label",
] as const;
export type AttributeName = (typeof ATTRIBUTES)[number];

export type ValueSet<T> = { operator: Operator; values: T[] };

export const CONDITIONS = [
  "localtime",
  "allowed-matches",
  "rule-applied",
  "rule-evaluated",
  "random",
  "true",
  "false",
] as const;
export type ConditionName = (typeof CONDITIONS)[number];

/** Seconds since midnight, both ends included. */
export type TimeRange = { from: number; to: number };

export type Condition = { negated: boolean; argument: string | null } & (
  | { name: "localtime"; range: TimeRange }
  | { name: "allowed-matches"; query: Rule }
  | { name: "rule-applied" | "rule-evaluated"; withinSeconds: number | null }
  | { name: "random"; probability: number }
  | { name: "true" | "false" }
);

export type Rule = {
  target: Target;
  attributes: Partial<Record<AttributeName, ValueSet<string>>>;
  conditions: ValueSet<Condition> | null;
  /** Where it stands in its text, from 1. */
  line: number;
};

/** Whether it asks when it was asked or applied before. */
export const asksPast = ({ conditions }: Rule): boolean =>
  conditions?.values.some(({ name }) => name === "rule-applied" || name === "rule-evaluated") ?? false;

/** Where and why a text is no rule; columns count characters from 1. */
export type RuleError = { line: number; column: number; message: string };

export const ruleErrorText = (error: RuleError): string =>
  `line ${error.line}, column ${error.column}: ${error.message}`;
