/** How deep and how large a document a person wrote may be, said before anything recursive reads it. Pure. */
import { type Alias, type Document, isAlias, isMap, isNode, isPair, isSeq, Lexer, LineCounter, Parser } from "yaml";

export const POLICY_CHARS_MAX = 512 * 1024;
/** The deepest setting lies seven levels down. */
export const DEPTH_MAX = 32;
/** What a document may hold once its aliases are put in: more than any policy's limits allow. */
export const NODES_MAX = 200_000;

export type TooDeep = { line: number; column: number; message: string };

/** The lexer and the token parser keep what is open in a list, not on the stack: they say how deep without falling. */
export function tooDeep(untrusted: string): TooDeep | undefined {
  const lines = new LineCounter();
  const parser = new Parser(lines.addNewLine);
  for (const lexeme of new Lexer().lex(untrusted)) {
    for (const _ of parser.next(lexeme)); // what it makes is made again by who reads it
    // the document is the first on the list; a value is on it beside what holds it
    if (parser.stack.length <= DEPTH_MAX + 2) continue;
    const { line, col } = lines.linePos(parser.offset);
    return { line: Math.max(1, line), column: Math.max(1, col), message: `nested deeper than ${DEPTH_MAX} levels` };
  }
  return undefined;
}

/** An alias that stands in what it names never ends; aliases of aliases of aliases grow a page to a library. */
export function unfoldsTooFar(document: Document): { offset: number; message: string } | undefined {
  const open = new Set<unknown>();
  let nodes = 0;
  const walk = (value: unknown, depth: number, alias: Alias | undefined): string | undefined => {
    if (++nodes > NODES_MAX) return `its aliases unfold to more than ${NODES_MAX} values`;
    if (depth > DEPTH_MAX) return `its aliases nest deeper than ${DEPTH_MAX} levels`;
    if (isPair(value)) return look(value.key, depth, alias) ?? look(value.value, depth, alias);
    if (!isMap(value) && !isSeq(value)) return undefined;
    open.add(value);
    for (const item of value.items) {
      const why = look(item, depth + 1, alias);
      if (why) return why;
    }
    open.delete(value);
    return undefined;
  };
  let first: Alias | undefined;
  const look = (value: unknown, depth: number, alias: Alias | undefined): string | undefined => {
    if (!isAlias(value)) return isNode(value) || isPair(value) ? walk(value, depth, alias) : undefined;
    first ??= value;
    const named = value.resolve(document);
    if (named === undefined) return `there is no anchor &${value.source}`;
    if (open.has(named)) return `*${value.source} stands inside what it names`;
    return walk(named, depth, alias ?? value);
  };
  const message = look(document.contents, 0, undefined);
  return message === undefined ? undefined : { offset: first?.range?.[0] ?? 0, message };
}
