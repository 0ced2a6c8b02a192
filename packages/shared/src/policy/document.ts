/** A policy as a person writes it, YAML or JSON, → the policy, or each fault with its path, line and column. Pure. */
import { type Document, isMap, isSeq, LineCounter, type Node, parseDocument, visit, type YAMLError } from "yaml";
import type { z } from "zod";
import { issueWords, pathText } from "../base/issue.ts";
import { POLICY_CHARS_MAX, tooDeep, unfoldsTooFar } from "./depth.ts";
import { tooMuch } from "./network/size.ts";
import { Policy } from "./policy.ts";

/** `line` and `column` count from 1. `path` is `usb.deviceRules[3]`, empty for the document as a whole. */
export type Fault = { path: string; line: number; column: number; message: string };
export type ReadPolicy = { ok: true; policy: Policy } | { ok: false; faults: Fault[] };

export { POLICY_CHARS_MAX };

const FAULTS_MAX = 50;

const START = { path: "", line: 1, column: 1 };

const wordsOf = ({ code, message }: YAMLError): string =>
  code === "MULTIPLE_DOCS" ? "a second document begins here; a policy is one" : message;

/** A tag makes of a value what no policy holds (`!!binary`, `!!set`), and means nothing to other readers. */
function taggedNode(document: Document): { offset: number; message: string } | undefined {
  let found: { offset: number; message: string } | undefined;
  visit(document, {
    Node: (_, node) => {
      if (!("tag" in node) || !node.tag) return undefined;
      found = { offset: node.range?.[0] ?? 0, message: `the tag ${node.tag.slice(0, 64)}: a policy has none` };
      return visit.BREAK;
    },
  });
  return found;
}

export function readPolicy(untrusted: string): ReadPolicy {
  if (untrusted.length > POLICY_CHARS_MAX)
    return {
      ok: false,
      faults: [{ ...START, message: `${untrusted.length} characters; at most ${POLICY_CHARS_MAX}` }],
    };
  const deep = tooDeep(untrusted);
  if (deep) return { ok: false, faults: [{ path: "", ...deep }] };
  const lines = new LineCounter();
  const document = parseDocument(untrusted, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0)
    return {
      ok: false,
      faults: document.errors
        .slice(0, FAULTS_MAX)
        .map((error) => ({ path: "", ...place(lines, error.pos[0]), message: wordsOf(error) })),
    };
  const tagged = taggedNode(document);
  if (tagged) return { ok: false, faults: [{ path: "", ...place(lines, tagged.offset), message: tagged.message }] };
  const unfolded = unfoldsTooFar(document);
  if (unfolded)
    return { ok: false, faults: [{ path: "", ...place(lines, unfolded.offset), message: unfolded.message }] };
  const value: unknown = document.toJS({ maxAliasCount: -1 }) ?? {}; // bounded just now
  const policy = Policy.safeParse(value);
  const faults: Found[] = policy.success
    ? tooMuch(policy.data.network).map((message) => ({ path: ["network", "rules"], message }))
    : policy.error.issues.flatMap((issue) => faultsOf(issue)).slice(0, FAULTS_MAX);
  if (policy.success && faults.length === 0) return { ok: true, policy: policy.data };
  return {
    ok: false,
    faults: faults.map(({ path, message, key }) => ({
      path: pathText(path),
      ...place(lines, offsetOf(document.contents, path, key)),
      message,
    })),
  };
}

type Found = { path: PropertyKey[]; message: string; key?: string };

/** A key that is not known is told where it stands, not where its parent begins. */
export function faultsOf(issue: z.core.$ZodIssue): Found[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path, message: issueWords(issue) }];
  return issue.keys.map((key) => ({ path: [...issue.path, key], message: "there is no such setting", key }));
}

/** Where the value at `path` begins, or the nearest thing above it that is written down. */
function offsetOf(contents: unknown, path: readonly PropertyKey[], key?: string): number {
  let node = contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => String((item.key as { value?: unknown } | null)?.value ?? item.key) === String(part),
      );
      if (!pair) return offset;
      offset = (pair.key as Node | null)?.range?.[0] ?? offset;
      if (part === key) return offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = (node.items[Number(part)] ?? null) as Node | null;
      offset = node?.range?.[0] ?? offset;
    } else return offset;
  }
  return node?.range?.[0] ?? offset;
}

function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}
