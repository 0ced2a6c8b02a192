/** What a person wrote → whether it is a policy, and USBGuard rules as one. */
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { cutOffWords } from "@sallyport/shared/policy/cut-off.ts";
import type { Change } from "@sallyport/shared/policy/diff/change.ts";
import { summariseDiff } from "@sallyport/shared/policy/diff/summary.ts";
import { diffPolicy } from "@sallyport/shared/policy/diff.ts";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { Policy, policyDigest, policyJsonSchema } from "@sallyport/shared/policy/policy.ts";
import { parseRules } from "@sallyport/shared/usb/rules/parse.ts";
import { printRule } from "@sallyport/shared/usb/rules/print.ts";
import { hash } from "./crypto.ts";
import { Fault } from "./fault.ts";

export function checkPolicy(file: string, text: string): { valid: boolean; value: object; text: string } {
  const read = readPolicy(text);
  if (!read.ok) {
    const lines = read.faults.map(
      ({ line, column, path, message }) => `${file}:${line}:${column}: ${path ? `${path}: ` : ""}${message}`,
    );
    return { valid: false, value: { valid: false, faults: read.faults }, text: lines.join("\n") };
  }
  const rules = { deviceRules: read.policy.usb.deviceRules, directRules: read.policy.usb.directRules };
  const faults = Object.entries(rules).flatMap(([name, lines]) =>
    lines.flatMap((line, at) => {
      const parsed = parseRules(line);
      return parsed.ok
        ? []
        : [{ path: `usb.${name}[${at}]`, line: 0, column: parsed.error.column, message: parsed.error.message }];
    }),
  );
  if (faults.length > 0)
    return {
      valid: false,
      value: { valid: false, faults },
      text: faults.map(({ path, column, message }) => `${file}: ${path}, column ${column}: ${message}`).join("\n"),
    };
  const digest = policyDigest(hash, read.policy);
  // an empty file is a policy too, and seldom the one that was meant
  const isDefault = digest === policyDigest(hash, Policy.parse({}));
  const verdict = isDefault
    ? "Valid, and it sets nothing of its own: every section is the default, the strict one."
    : "Valid.";
  return {
    valid: true,
    value: { valid: true, digest, policy: read.policy },
    text: `${verdict} Its digest is ${digest}.`,
  };
}

export type Difference = {
  value: { before: string; after: string; summary: string; cutsOff: string[]; changes: Change[] };
  text: string;
  /** Something that was in force is lost or loosened: what a second person should look at. */
  loosens: boolean;
};

/** Two documents → what the second changes, in words, losses and loosenings first. @throws Fault where either is none */
export function diffPolicies(
  before: { file: string; text: string },
  after: { file: string; text: string },
): Difference {
  const [old, now] = [policyOf(before), policyOf(after)];
  const changes = diffPolicy(old, now);
  const summary = summariseDiff(changes);
  const cutsOff = cutOffWords(old, now);
  const lines = changes.map(({ section, effect, words }) => `${effect.padEnd(7)}  ${section.padEnd(7)}  ${words}`);
  return {
    value: { before: policyDigest(hash, old), after: policyDigest(hash, now), summary, cutsOff, changes },
    text: [...cutsOff, summary, ...lines].map(escapeForDisplay).join("\n"),
    loosens: changes.some(({ effect }) => effect === "removed" || effect === "looser"),
  };
}

function policyOf({ file, text }: { file: string; text: string }): Policy {
  const read = readPolicy(text);
  if (read.ok) return read.policy;
  const [first] = read.faults;
  const more = read.faults.length > 1 ? ` (and ${read.faults.length - 1} more: sallyport policy check ${file})` : "";
  const at = first ? `${first.line}:${first.column}: ${first.path ? `${first.path}: ` : ""}${first.message}` : "";
  throw new Fault(`${file}:${at}${more}`);
}

/** As packages/shared/policy.schema.json keeps it, and as the console serves it at /policy.schema.json. */
export const policySchema = (): string => `${JSON.stringify(policyJsonSchema(), null, 2)}\n`;

function rulesOf(file: string, text: string) {
  const rules = parseRules(text);
  if (rules.ok) return rules.value;
  const { line, column, message } = rules.error;
  throw new Fault(`${file}:${line}:${column}: ${message}`, 3);
}

export const usbRules = (file: string, text: string): string[] => rulesOf(file, text).map(printRule);

/** The rules as they were written, in order, in a document that may go on from there. JSON strings are YAML's too. */
export function importUsbguard(file: string, text: string): string {
  const lines = text.split(/\r?\n/);
  const rules = rulesOf(file, text).map((rule) => lines[rule.line - 1]!.trim());
  const list = rules.length > 0 ? `\n${rules.map((rule) => `    - ${JSON.stringify(rule)}`).join("\n")}` : " []";
  return `version: 1\nusb:\n  # first match wins, no match blocks\n  deviceRules:${list}\n`;
}
