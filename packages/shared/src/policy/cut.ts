/** A change cut into the text where the value stands, so that all around it stays as it is written. What it cannot do it
 *  leaves (undefined); whoever asks reads the result again. Pure. */
import {
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
import { changeList, type Edit, type Path } from "./change.ts";

const OPTIONS = { lineWidth: 0 } as const;

/** Where the value alone stands in the text, it alone is written anew. Nothing where it does not stand alone. */
export function cut(text: string, edit: Edit): string | undefined {
  const document = parseDocument(text);
  const at = (path: Path) => nodeAt(document.contents as Node | null, path);
  const [node, parent] = [at(edit.path), at(edit.path.slice(0, -1))];
  const key = String(edit.path.at(-1));
  const map = isMap(parent) && !parent.flow ? parent : undefined;
  if (edit.op !== "set") {
    if (!isSeq(node)) return undefined;
    const next = changeList(node.toJS(document) as unknown[], edit);
    if (node.items.length === 0 || next.length === 0) return map && putKey(text, map, key, next);
    return node.flow ? cutFlow(text, node, edit) : cutItems(text, node, edit);
  }
  const braces = isMap(parent) && parent.flow ? parent : undefined;
  if (edit.value === undefined) return braces ? cutBraces(text, braces, key, undefined) : map && cutKey(text, map, key);
  if (isScalar(node) && node.range && isInline(edit.value)) {
    if (node.type !== "PLAIN" && node.type !== "QUOTE_DOUBLE" && node.type !== "QUOTE_SINGLE") return undefined;
    if (node.range[0] === node.range[1]) return undefined; // written as nothing
    return text.slice(0, node.range[0]) + inline(edit.value, node.type) + text.slice(node.range[1]);
  }
  if (braces) return cutBraces(text, braces, key, edit.value);
  if (node !== undefined) return map && putKey(text, map, key, edit.value);
  // below the nearest map that is written
  let [above, value, name] = [edit.path.slice(0, -1), edit.value, key];
  while (above.length > 0 && at(above) === undefined) {
    value = { [name]: value };
    name = String(above.at(-1));
    above = above.slice(0, -1);
  }
  const nearest = at(above);
  return isMap(nearest) && !nearest.flow ? addKey(text, nearest, name, value) : undefined;
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

/** The key's lines are written anew. Not where a comment stands among them. */
function putKey(text: string, map: YAMLMap, key: string, value: unknown): string | undefined {
  const pair = map.items.find((each) => isScalar(each.key) && String(each.key.value) === key);
  if (!isNode(pair?.key) || !pair.key.range || !isNode(pair.value) || !pair.value.range) return undefined;
  const [from, to] = [pair.key.range[0], nodeEnd(text, pair.value)];
  if (text.slice(from, to).includes("#")) return undefined;
  const column = from - lineStart(text, from);
  const lines = indent(stringify({ [key]: value }, OPTIONS), column).slice(column);
  return (
    text.slice(0, from) + (text.slice(from, to).endsWith("\n") ? lines : lines.replace(/\n$/, "")) + text.slice(to)
  );
}

/** Between braces: each setting as it is written, the new value in JSON. */
function cutBraces(text: string, map: YAMLMap, key: string, value: unknown): string | undefined {
  if (!map.range) return undefined;
  const [from, to] = [map.range[0], map.range[1]];
  if (text.slice(from, to).includes("#")) return undefined;
  const settings: string[] = [];
  let isThere = false;
  for (const pair of map.items) {
    if (!isScalar(pair.key) || !pair.key.range || !isNode(pair.value) || !pair.value.range) return undefined;
    const isIt = String(pair.key.value) === key;
    isThere ||= isIt;
    if (isIt && value === undefined) continue;
    const name = text.slice(pair.key.range[0], pair.key.range[1]);
    const said = isIt ? JSON.stringify(value) : text.slice(pair.value.range[0], pair.value.range[1]).trim();
    settings.push(`${name}: ${said}`);
  }
  if (!isThere && value !== undefined)
    settings.push(`${/^[A-Za-z]\w*$/.test(key) ? key : JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `${text.slice(0, from)}${settings.length > 0 ? `{ ${settings.join(", ")} }` : "{}"}${text.slice(to)}`;
}

/** Between brackets: each item as it is written, the new one in JSON. */
function cutFlow(text: string, list: YAMLSeq, edit: Exclude<Edit, { op: "set" }>): string | undefined {
  const items = list.items as Node[];
  if (!list.range || items.some((item) => !isNode(item) || !item.range)) return undefined;
  const written = items.map((item) => text.slice(item.range![0], item.range![1]).trim());
  const [from, to] = [list.range[0], list.range[1]];
  if (text.slice(from, to).includes("#")) return undefined;
  const next =
    edit.op === "insert"
      ? written.toSpliced(edit.at, 0, JSON.stringify(edit.value))
      : (changeList(written, edit) as string[]);
  return `${text.slice(0, from)}[${next.join(", ")}]${text.slice(to)}`;
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
