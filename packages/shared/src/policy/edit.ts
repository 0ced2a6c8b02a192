/** One change of a value → the same text with that change: comments, order and spelling stay where the change is not. The
 *  text is cut where the value stands; what that cannot do, YAML's own document does. Either is read again, and an edit
 *  that would say anything else than what was asked is refused. Pure. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  parseDocument,
  stringify,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { canonicalText } from "../base/canonical.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { POLICY_CHARS_MAX, tooDeep, unfoldsTooFar } from "./depth.ts";
import { pathText } from "./document.ts";
import { Policy } from "./policy.ts";

export type Path = readonly (string | number)[];

/** `set` with undefined takes a setting away, so that its default holds. Lists that are not written begin as their
 *  default. */
export type Edit =
  | { op: "set"; path: Path; value: unknown }
  | { op: "insert"; path: Path; at: number; value: unknown }
  | { op: "remove"; path: Path; at: number }
  | { op: "move"; path: Path; from: number; to: number };

const OPTIONS = { lineWidth: 0 } as const;

/** The document's value as it is written, valid or not; nothing where it cannot be read. */
export function rawPolicy(text: string): { value: unknown } | undefined {
  if (text.length > POLICY_CHARS_MAX || tooDeep(text)) return undefined;
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0 || unfoldsTooFar(document)) return undefined;
  return { value: document.toJS({ maxAliasCount: -1 }) ?? {} };
}

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === "object" && at !== null && Object.hasOwn(at, part) ? (at as never)[part] : undefined),
    value,
  );
}

export function editPolicy(text: string, edit: Edit): Result<string> {
  const raw = rawPolicy(text);
  if (!raw) return fail("The text cannot be read. Put it right there first.");
  const whole = settle(raw.value, edit);
  const wanted = canonicalText(change(raw.value, whole) as never);
  for (const attempt of [cut, redraw]) {
    const made = attempt(text, whole);
    const read = made === undefined ? undefined : rawPolicy(made);
    if (made !== undefined && read && canonicalText(read.value as never) === wanted) return ok(made);
  }
  return fail(`${pathText([...edit.path])} is written in a way that only the text can change (an alias, a tag).`);
}

/** A change in a list that is not written is one of the whole list. */
function settle(value: unknown, edit: Edit): Edit {
  if (edit.op === "set" || Array.isArray(valueAt(value, edit.path))) return edit;
  const list = valueAt(Policy.parse({}), edit.path);
  return { op: "set", path: edit.path, value: changeList(Array.isArray(list) ? list : [], edit) };
}

function change(value: unknown, edit: Edit): unknown {
  const next = edit.op === "set" ? edit.value : changeList(valueAt(value, edit.path) as unknown[], edit);
  return put(value, edit.path, next);
}

function changeList(list: readonly unknown[], edit: Exclude<Edit, { op: "set" }>): unknown[] {
  if (edit.op === "insert") return list.toSpliced(edit.at, 0, edit.value);
  if (edit.op === "remove") return list.toSpliced(edit.at, 1);
  return list.toSpliced(edit.from, 1).toSpliced(edit.to, 0, list[edit.from]);
}

function put(at: unknown, [part, ...rest]: Path, value: unknown): unknown {
  if (part === undefined) return value;
  if (Array.isArray(at)) return at.with(Number(part), put(at[Number(part)], rest, value));
  const object = typeof at === "object" && at !== null ? (at as Record<string, unknown>) : {};
  const next = put(Object.hasOwn(object, part) ? object[part] : undefined, rest, value);
  const { [part]: _, ...others } = object;
  if (next === undefined) return others;
  return Object.hasOwn(object, part) ? { ...object, [part]: next } : { ...object, [part]: next };
}

/** By YAML's own document: every comment is kept, some of the spacing is its own. JSON stays JSON. */
function redraw(text: string, edit: Edit): string | undefined {
  const json = asJson(text);
  if (json) return `${JSON.stringify(change(json.value, edit), null, json.indent)}${text.endsWith("\n") ? "\n" : ""}`;
  const document = parseDocument(text) as unknown as Document;
  if (document.contents === null) document.contents = document.createNode({}) as never;
  try {
    if (edit.op === "set") {
      clear(document, edit.path);
      if (edit.value === undefined) document.deleteIn(edit.path);
      else document.setIn(edit.path, document.createNode(edit.value));
    } else {
      const list = document.getIn(edit.path, true);
      if (!isSeq(list)) return undefined;
      changeItems(document, list, edit);
    }
    return document.toString(OPTIONS);
  } catch {
    return undefined; // what it cannot do is told by who asked
  }
}

function changeItems(document: Document, list: YAMLSeq, edit: Exclude<Edit, { op: "set" }>): void {
  if (list.items.length === 0) list.flow = false;
  if (edit.op === "insert") list.items.splice(edit.at, 0, document.createNode(edit.value));
  else if (edit.op === "remove") list.items.splice(edit.at, 1);
  else list.items.splice(edit.to, 0, ...list.items.splice(edit.from, 1));
  if (list.items.length === 0) list.flow = true;
}

/** A key that stands there with nothing (`usb:`) becomes a map, so that something can be put into it. */
function clear(document: Document, path: Path): void {
  for (let depth = 1; depth < path.length; depth++) {
    const node = document.getIn(path.slice(0, depth), true);
    if (isScalar(node) && node.value === null) document.setIn(path.slice(0, depth), document.createNode({}));
  }
}

function asJson(text: string): { value: unknown; indent: string | number } | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    return { value: JSON.parse(text), indent: /\n([ \t]+)"/.exec(text)?.[1] ?? (text.includes("\n") ? 2 : 0) };
  } catch {
    return undefined; // YAML in braces
  }
}

/** Where the value alone stands in the text, it alone is written anew. Nothing where it does not stand alone. */
function cut(text: string, edit: Edit): string | undefined {
  const document = parseDocument(text);
  const node = nodeAt(document.contents as Node | null, edit.path);
  if (edit.op !== "set") return isSeq(node) && !node.flow ? cutItems(text, node, edit) : undefined;
  const parent = nodeAt(document.contents as Node | null, edit.path.slice(0, -1));
  if (edit.value === undefined)
    return isMap(parent) && !parent.flow ? cutKey(text, parent, String(edit.path.at(-1))) : undefined;
  if (isScalar(node) && node.range && isInline(edit.value)) {
    if (node.type !== "PLAIN" && node.type !== "QUOTE_DOUBLE" && node.type !== "QUOTE_SINGLE") return undefined;
    if (node.range[0] === node.range[1]) return undefined; // written as nothing
    return text.slice(0, node.range[0]) + inline(edit.value, node.type) + text.slice(node.range[1]);
  }
  if (node !== undefined) return undefined;
  // below the nearest map that is written
  let [above, value] = [edit.path.slice(0, -1), edit.value];
  let key = String(edit.path.at(-1));
  while (above.length > 0 && nodeAt(document.contents as Node | null, above) === undefined) {
    value = { [key]: value };
    key = String(above.at(-1));
    above = above.slice(0, -1);
  }
  const map = nodeAt(document.contents as Node | null, above);
  if (isMap(map) && !map.flow) return addKey(text, map, key, value);
  return undefined;
}

function nodeAt(at: Node | null | undefined, path: Path): Node | null | undefined {
  let node = at;
  for (const part of path) {
    if (isAlias(node)) return undefined;
    if (isMap(node))
      node = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part))?.value as
        | Node
        | undefined;
    else if (isSeq(node)) node = node.items[Number(part)] as Node | undefined;
    else return undefined;
  }
  return node;
}

const isInline = (value: unknown): boolean => typeof value !== "object" || value === null;
/** In JSON's quotes everywhere that a bare word might be read as something else. */
function inline(value: unknown, as: string): string {
  const isBare =
    typeof value !== "string" ||
    (as === "PLAIN" && /^[A-Za-z][\w./*-]*$/.test(value) && parseDocument(value).toJS() === value);
  return isBare ? String(value) : JSON.stringify(value);
}

const lineStart = (text: string, offset: number): number => text.lastIndexOf("\n", offset - 1) + 1;
/** Past the line's end; the last line may have none. */
function lineEnd(text: string, offset: number): number {
  const at = text.indexOf("\n", offset);
  return at === -1 ? text.length : at + 1;
}
/** The end of the last line that a node has something on. */
function nodeEnd(text: string, node: Node): number {
  let last = node.range![1];
  while (last > node.range![0] && /\s/.test(text[last - 1]!)) last--;
  return lineEnd(text, Math.max(last - 1, node.range![0]));
}

function cutKey(text: string, map: YAMLMap, key: string): string | undefined {
  const pair = map.items.find((each) => isScalar(each.key) && String(each.key.value) === key);
  if (!pair || !isNode(pair.key) || !pair.key.range || map.items.length === 1) return undefined;
  const from = lineStart(text, pair.key.range[0]);
  if (text.slice(from, pair.key.range[0]).trim() !== "") return undefined; // first of an item: `- key: …`
  const to = isNode(pair.value) && pair.value.range ? nodeEnd(text, pair.value) : lineEnd(text, pair.key.range[0]);
  return text.slice(0, from) + text.slice(to);
}

function addKey(text: string, map: YAMLMap, key: string, value: unknown): string | undefined {
  const first = map.items[0]?.key;
  const last = map.items.at(-1);
  const end = isNode(last?.value) && last.value.range ? last.value : last?.key;
  if (!isNode(first) || !first.range || !isNode(end) || !end.range) return undefined;
  const column = first.range[0] - lineStart(text, first.range[0]);
  return insertLines(text, nodeEnd(text, end), indent(stringify({ [key]: value }, OPTIONS), column));
}

function cutItems(text: string, list: YAMLSeq, edit: Exclude<Edit, { op: "set" }>): string | undefined {
  const items = list.items as Node[];
  if (items.some((item) => !isNode(item) || !item.range)) return undefined;
  const ends = items.map((item) => nodeEnd(text, item));
  const [first] = items;
  if (!first?.range) return undefined;
  // an item's own lines, and the comments above it
  const begin = commentsAbove(text, lineStart(text, first.range[0]));
  const from = items.map((_, at) => (at === 0 ? begin : ends[at - 1]!));
  const chunks = items.map((_, at) => text.slice(from[at], ends[at]));
  if (chunks.some((chunk) => !/^[ \t]*-/m.test(chunk))) return undefined;
  const dash = /^([ \t]*)-/m.exec(chunks[0]!)?.[1] ?? "";
  if (edit.op === "remove" && items.length === 1) return undefined;
  const inserted = edit.op === "insert" ? indent(stringify([edit.value], OPTIONS), dash.length) : "";
  const next = edit.op === "insert" ? chunks.toSpliced(edit.at, 0, inserted) : (changeList(chunks, edit) as string[]);
  const lines = next.map((chunk) => (chunk.endsWith("\n") ? chunk : `${chunk}\n`)).join("");
  const rest = text.slice(ends.at(-1));
  return text.slice(0, begin) + (rest === "" && !text.endsWith("\n") ? lines.replace(/\n$/, "") : lines) + rest;
}

function commentsAbove(text: string, offset: number): number {
  let at = offset;
  while (at > 0) {
    const above = lineStart(text, at - 1);
    if (!/^[ \t]*#/.test(text.slice(above, at))) break;
    at = above;
  }
  return at;
}

const indent = (lines: string, by: number): string => lines.replace(/^(?=.)/gm, " ".repeat(by));
function insertLines(text: string, at: number, lines: string): string {
  const before = text.slice(0, at);
  return `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${lines}${text.slice(at)}`;
}
