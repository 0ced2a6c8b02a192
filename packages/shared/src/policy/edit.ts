/** One change of a value → the same text with that change: comments, order and spelling stay where the change is not. The
 *  text is cut where the value stands; what that cannot do, YAML's own document does. Either is read again, and an edit
 *  that would say anything else than what was asked is refused. Pure. */
import { type Document, isScalar, isSeq, parseDocument, type YAMLSeq } from "yaml";
import { canonicalText } from "../base/canonical.ts";
import { pathText } from "../base/issue.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { change, changeList, type Edit, type Path, valueAt } from "./change.ts";
import { cut } from "./cut.ts";
import { POLICY_CHARS_MAX, tooDeep, unfoldsTooFar } from "./depth.ts";
import { Policy } from "./policy.ts";

const OPTIONS = { lineWidth: 0 } as const;

/** The document's value as it is written, valid or not; nothing where it cannot be read. */
export function rawPolicy(text: string): { value: unknown } | undefined {
  if (text.length > POLICY_CHARS_MAX || tooDeep(text)) return undefined;
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0 || unfoldsTooFar(document)) return undefined;
  return { value: document.toJS({ maxAliasCount: -1 }) ?? {} };
}

export function editPolicy(text: string, edit: Edit): Result<string> {
  const raw = rawPolicy(text);
  if (!raw) return fail("The text cannot be read. Put it right there first.");
  const whole = settle(raw.value, edit);
  const wanted = canonicalText(change(raw.value, whole) as never);
  for (const attempt of asJson(text) ? [redraw] : [itemByItem, cut, redraw]) {
    const made = attempt(text, whole, raw.value);
    const read = made === undefined ? undefined : rawPolicy(made);
    if (made !== undefined && read && canonicalText(read.value as never) === wanted) return ok(made);
  }
  return fail(`${pathText([...edit.path])} is written in a way that only the text can change (an alias, a tag).`);
}

/** A list that is said anew is changed only in the items that differ, so that those around them stay as they are written. */
function itemByItem(text: string, edit: Edit, value: unknown): string | undefined {
  if (edit.op !== "set" || !Array.isArray(edit.value) || edit.value.length === 0) return undefined;
  const [old, next] = [valueAt(value, edit.path), edit.value as unknown[]];
  if (!Array.isArray(old) || old.length === 0) return undefined;
  const isSame = (a: unknown, b: unknown) => canonicalText(a as never) === canonicalText(b as never);
  const common = Math.min(old.length, next.length);
  let head = 0;
  while (head < common && isSame(old[head], next[head])) head++;
  let tail = 0;
  while (tail < common - head && isSame(old.at(-1 - tail), next.at(-1 - tail))) tail++;
  const { path } = edit;
  const shared = common - head - tail;
  const edits: Edit[] = [
    ...Array.from(
      { length: shared },
      (_, at): Edit => ({ op: "set", path: [...path, head + at], value: next[head + at] }),
    ),
    ...Array.from({ length: old.length - common }, (): Edit => ({ op: "remove", path, at: head + shared })),
    ...next
      .slice(head + shared, next.length - tail)
      .map((each, at): Edit => ({ op: "insert", path, at: head + shared + at, value: each })),
  ];
  let made: string | undefined = text;
  for (const each of edits) {
    if (made === undefined) return undefined;
    made = cut(made, each);
  }
  return made;
}

/** A change in a list that is not written is one of the whole list. */
function settle(value: unknown, edit: Edit): Edit {
  if (edit.op === "set" || Array.isArray(valueAt(value, edit.path))) return edit;
  const list = valueAt(Policy.parse({}), edit.path);
  return { op: "set", path: edit.path, value: changeList(Array.isArray(list) ? list : [], edit) };
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
