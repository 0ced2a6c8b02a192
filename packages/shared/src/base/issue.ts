/** What zod says of what does not fit, in words for people: its own messages are for programmers. A rule's own words stand. */
import type { z } from "zod";

/** How zod's own messages begin (its English locale); whatever else an issue says was written by us. */
const OF_ZOD = /^(?:Invalid |Too (?:small|big): |Unrecognized keys?: )/;
const CHOICES_MAX = 16;

const TYPES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map of settings",
  record: "a map",
  null: "nothing (null)",
};
const FORMATS: Readonly<Record<string, string>> = {
  datetime: "a time reads 2026-11-24T08:46:00Z",
  date: "a day reads 2026-11-24",
  uuid: "an id reads 11111111-2222-4333-8444-555555555555",
  email: "an e-mail address reads ada@example.org",
  url: "an address reads https://console.example.org",
};

/** One issue, as half a sentence. */
export function issueWords(issue: z.core.$ZodIssue): string {
  if (!OF_ZOD.test(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      if (issue.message.endsWith("received undefined")) return "it is missing";
      return `${TYPES[issue.expected] ?? issue.expected} is wanted here`;
    case "invalid_value":
      return choices(issue.values.map(String));
    case "too_small":
      if (issue.inclusive === false) return `more than ${issue.minimum}`;
      return bound("at least", Number(issue.minimum), issue.origin);
    case "too_big":
      if (issue.inclusive === false) return `less than ${issue.maximum}`;
      return bound("at most", Number(issue.maximum), issue.origin);
    case "not_multiple_of":
      return `a multiple of ${issue.divisor} is wanted here`;
    case "invalid_format":
      return FORMATS[issue.format] ?? "it is not written as it has to be";
    case "unrecognized_keys":
      return `there is no such setting: ${issue.keys.join(", ")}`;
    default:
      return "nothing that may stand here";
  }
}

/** "waves[1].percent" */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part)),
    "",
  );
}

/** After the place it is about. */
export const issueLine = (issue: z.core.$ZodIssue): string =>
  issue.path.length === 0 ? issueWords(issue) : `${pathText(issue.path)}: ${issueWords(issue)}`;

/** All of them, a line each. */
export const issuesWords = ({ issues }: z.core.$ZodError): string => issues.map(issueLine).join("\n");

function choices(values: string[]): string {
  if (values.length === 1) return `it can only be ${values[0]}`;
  const shown = values.slice(0, CHOICES_MAX);
  if (shown.length < values.length) return `one of ${shown.join(", ")} and ${values.length - shown.length} others`;
  return `one of ${shown.slice(0, -1).join(", ")} or ${shown.at(-1)}`;
}

function bound(side: "at least" | "at most", size: number, origin: string): string {
  if (origin === "string") return size === 1 && side === "at least" ? "it is empty" : `${side} ${size} characters`;
  if (origin !== "array" && origin !== "set" && origin !== "map") return `${side} ${size}`;
  return size === 1 && side === "at least" ? "there must be one at least" : `${side} ${size} of them`;
}
