/** A change that a form makes of a document's value, not yet of its text. Pure. */
export type Path = readonly (string | number)[];

/** `set` with undefined takes a setting away, so that its default holds. Lists that are not written begin as their
 *  default. */
export type Edit =
  | { op: "set"; path: Path; value: unknown }
  | { op: "insert"; path: Path; at: number; value: unknown }
  | { op: "remove"; path: Path; at: number }
  | { op: "move"; path: Path; from: number; to: number };

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === "object" && at !== null && Object.hasOwn(at, part) ? (at as never)[part] : undefined),
    value,
  );
}

export function change(value: unknown, edit: Edit): unknown {
  const next = edit.op === "set" ? edit.value : changeList(valueAt(value, edit.path) as unknown[], edit);
  return put(value, edit.path, next);
}

export function changeList(list: readonly unknown[], edit: Exclude<Edit, { op: "set" }>): unknown[] {
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
