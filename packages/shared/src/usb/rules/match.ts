/** Rules and a device's facts → the rule that decides. First match wins; no match is USBGuard's implicit block. */
import { unreachable } from "../../base/unreachable.ts";
import { byteString } from "./cursor.ts";
import type { AttributeName, Condition, Rule, ValueSet } from "./rule.ts";

/** What is known of a device before any driver binds. Strings are its claims. */
export type DeviceFacts = {
  /** `1d6b:0002` */
  id: string;
  serial: string;
  name: string;
  /** Of descriptors and strings, by whoever read them. */
  hash: string;
  parentHash: string;
  /** `1-2.1`, `usb1` */
  viaPort: string;
  /** `08:06:50` for each interface, in order. */
  interfaces: string[];
  /** How many of them there are when alternate settings of one count once; absent: as many as are listed. */
  interfaceCount?: number;
  connectType: string;
};

/** What conditions ask about. Each may be unknown; then a rule that allows does not match, and one that blocks does. */
export type Circumstances = {
  /** Seconds since midnight by the local clock. */
  timeOfDay?: number;
  /** Devices that are allowed now. */
  allowed?: readonly DeviceFacts[];
  /** Seconds since this rule last applied, was evaluated: null for never. */
  sinceApplied?: (rule: Rule) => number | null;
  sinceEvaluated?: (rule: Rule) => number | null;
  /** From 0 up to 1. */
  random?: () => number;
  /** Told of each rule that is asked, in order, whether the device is one of its or not, and whether it applied. */
  asked?: (rule: Rule, applied: boolean) => void;
};

export type Decided = { rule: Rule; target: "allow" | "block" | "reject" };

export function matchRules(
  rules: readonly Rule[],
  device: DeviceFacts,
  circumstances: Circumstances = {},
): Decided | null {
  for (const rule of rules) {
    const { target } = rule;
    const decides = target === "match" || target === "device" ? null : target;
    const applies = fits(rule, device) && (conditionsMet(rule, circumstances) ?? target !== "allow");
    circumstances.asked?.(rule, applies);
    if (applies && decides) return { rule, target: decides };
  }
  return null;
}

/** Attributes alone. */
export function fits(rule: Rule, device: DeviceFacts): boolean {
  const text = (value: string) => [byteString(value)];
  const has: Record<AttributeName, string[]> = {
    id: [device.id],
    serial: text(device.serial),
    name: text(device.name),
    hash: text(device.hash),
    "parent-hash": text(device.parentHash),
    "via-port": text(device.viaPort),
    "with-interface": device.interfaces.map((type) => type.toLowerCase()),
    "with-connect-type": text(device.connectType),
    label: [],
  };
  return (Object.keys(rule.attributes) as AttributeName[]).every(
    (name) => name === "label" || setFits(rule.attributes[name]!, has[name], COMPARE[name] ?? same),
  );
}

type Compare = (wanted: string, has: string) => boolean;
const same: Compare = (wanted, has) => wanted === has;
const pattern: Compare = (wanted, has) => {
  const parts = has.toLowerCase().split(":");
  return wanted
    .toLowerCase()
    .split(":")
    .every((part, index) => part === "*" || part === parts[index]);
};
const COMPARE: Partial<Record<AttributeName, Compare>> = { id: pattern, "with-interface": pattern };

function setFits({ operator, values }: ValueSet<string>, has: readonly string[], compare: Compare): boolean {
  const found = (wanted: string) => has.some((each) => compare(wanted, each));
  const covered = (each: string) => values.some((wanted) => compare(wanted, each));
  switch (operator) {
    case "all-of":
      return values.every(found);
    case "one-of":
      return values.some(found);
    case "none-of":
      return !values.some(found);
    case "equals":
      // both ways: USBGuard looks one way only, so that { 08:06:50 08:06:50 } lets a stick with a keyboard pass
      return values.length === has.length && values.every(found) && has.every(covered);
    case "equals-ordered":
      return values.length === has.length && values.every((wanted, index) => compare(wanted, has[index]!));
    case "match-all":
      return has.every(covered);
    default:
      return unreachable(operator);
  }
}

/** Null: cannot be known. */
function conditionsMet(rule: Rule, circumstances: Circumstances): boolean | null {
  if (rule.conditions === null) return true;
  const { operator, values } = rule.conditions;
  const states = values.map((condition) => met(condition, rule, circumstances));
  switch (operator) {
    case "one-of":
      return any(states);
    case "none-of": {
      const some = any(states);
      return some === null ? null : !some;
    }
    case "all-of":
    case "equals":
    case "equals-ordered":
    case "match-all":
      return states.includes(false) ? false : states.includes(null) ? null : true;
    default:
      return unreachable(operator);
  }
}

const any = (states: (boolean | null)[]): boolean | null =>
  states.includes(true) ? true : states.includes(null) ? null : false;

function met(condition: Condition, rule: Rule, circumstances: Circumstances): boolean | null {
  const state = plain(condition, rule, circumstances);
  return state === null ? null : state !== condition.negated;
}

function plain(condition: Condition, rule: Rule, circumstances: Circumstances): boolean | null {
  switch (condition.name) {
    case "true":
      return true;
    case "false":
      return false;
    case "localtime": {
      const { timeOfDay } = circumstances;
      return timeOfDay === undefined ? null : timeOfDay >= condition.range.from && timeOfDay <= condition.range.to;
    }
    case "allowed-matches":
      return circumstances.allowed?.some((device) => fits(condition.query, device)) ?? null;
    case "rule-applied":
      return within(circumstances.sinceApplied, rule, condition.withinSeconds);
    case "rule-evaluated":
      return within(circumstances.sinceEvaluated, rule, condition.withinSeconds);
    case "random":
      return circumstances.random === undefined ? null : circumstances.random() < condition.probability;
    default:
      return unreachable(condition);
  }
}

function within(
  since: ((rule: Rule) => number | null) | undefined,
  rule: Rule,
  seconds: number | null,
): boolean | null {
  if (since === undefined) return null;
  const passed = since(rule);
  return passed !== null && (seconds === null || passed <= seconds);
}
