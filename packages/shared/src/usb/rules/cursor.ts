/** A place in one line of rules, and the small words the grammar is made of. */
import { toUtf8 } from "../../base/bytes.ts";
import type { RuleError } from "./rule.ts";

/** Thrown inside the parser only; `parseRules` returns it. */
export class NoRule extends Error {
  readonly error: RuleError;
  constructor(error: RuleError) {
    super(error.message);
    this.error = error;
  }
}

export class Cursor {
  at = 0;
  readonly text: string;
  readonly line: number;
  /** Added to columns, where the text is a piece of a longer one. */
  readonly offset: number;
  constructor(text: string, line: number, offset = 0) {
    this.text = text;
    this.line = line;
    this.offset = offset;
  }

  get ended(): boolean {
    return this.at >= this.text.length;
  }

  fail(message: string, at = this.at): never {
    throw new NoRule({ line: this.line, column: this.offset + at + 1, message });
  }

  sees(text: string): boolean {
    return this.text.startsWith(text, this.at);
  }

  take(text: string): boolean {
    if (!this.sees(text)) return false;
    this.at += text.length;
    return true;
  }

  /** Spaces and tabs; how many. */
  blanks(): number {
    const from = this.at;
    while (this.text[this.at] === " " || this.text[this.at] === "\t") this.at += 1;
    return this.at - from;
  }

  /** What a sticky expression matches here. */
  matches(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return null;
    this.at += match[0].length;
    return match[0];
  }

  /** The word here, for a message; nothing is taken. */
  word(): string {
    const end = this.text.slice(this.at).search(/[ \t]/);
    const word = end < 0 ? this.text.slice(this.at) : this.text.slice(this.at, this.at + end);
    return word === "" ? "the end of the line" : JSON.stringify(word.slice(0, 40));
  }
}

export const byteString = (text: string): string => {
  let bytes = "";
  for (const byte of toUtf8(text.toWellFormed())) bytes += String.fromCharCode(byte);
  return bytes;
};

/** `"…"` with `\\`, `\"` and `\xHH`: the escapes that USBGuard itself prints and takes. */
export function quoted(cursor: Cursor): string {
  const from = cursor.at;
  if (!cursor.take('"')) cursor.fail(`a value in double quotes is expected, not ${cursor.word()}`);
  let bytes = "";
  while (!cursor.ended) {
    const char = String.fromCodePoint(cursor.text.codePointAt(cursor.at)!);
    if (char === '"') {
      cursor.at += 1;
      return bytes;
    }
    if (char !== "\\") {
      bytes += byteString(char);
      cursor.at += char.length;
      continue;
    }
    const hex = /^\\x([0-9a-fA-F]{2})/.exec(cursor.text.slice(cursor.at, cursor.at + 4));
    if (hex) {
      bytes += String.fromCharCode(Number.parseInt(hex[1]!, 16));
      cursor.at += 4;
    } else if (cursor.sees("\\\\") || cursor.sees('\\"')) {
      bytes += cursor.text[cursor.at + 1]!;
      cursor.at += 2;
    } else cursor.fail('an escape is \\\\, \\" or \\x and two hex digits');
  }
  return cursor.fail("the value that begins here has no closing quote", from);
}
