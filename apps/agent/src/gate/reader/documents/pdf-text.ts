/** PDF's own syntax (ISO 32000-2, 7.3), as much as an encryption dictionary needs. */
import { Damaged } from "../source.ts";

/** Names begin with `/`; strings are bytes; what is anything else is null. */
export type Value = number | boolean | string | Buffer | Value[] | Dictionary | null;
export type Dictionary = Map<string, Value>;

const DEPTH_MAX = 16;
const ESCAPES: Record<string, number> = { n: 10, r: 13, t: 9, b: 8, f: 12 };

export class PdfText {
  private at = 0;
  private readonly text: string;
  constructor(bytes: Buffer) {
    this.text = bytes.toString("latin1");
  }

  rest(): string {
    return this.text.slice(this.at);
  }

  startsDictionary(): boolean {
    this.blank();
    return this.text.startsWith("<<", this.at);
  }

  array(): Value[] {
    const value = this.value(0);
    return Array.isArray(value) ? value : [];
  }

  /** @throws Damaged where a key stands in it twice */
  dictionary(depth = 0): Dictionary {
    this.at += 2;
    const found: Dictionary = new Map();
    for (;;) {
      this.blank();
      if (this.text.startsWith(">>", this.at)) {
        this.at += 2;
        return found;
      }
      const key = this.value(depth + 1);
      if (typeof key !== "string") throw new Damaged("has an encryption dictionary that cannot be read");
      if (found.has(key.slice(1))) throw new Damaged("has an encryption dictionary that says one thing twice");
      found.set(key.slice(1), this.value(depth + 1));
    }
  }

  private blank(): void {
    const blank = /(?:[\s\0]|%[^\r\n]*)*/y;
    blank.lastIndex = this.at;
    this.at += blank.exec(this.text)![0].length;
  }

  private value(depth: number): Value {
    if (depth > DEPTH_MAX) throw new Damaged("has an encryption dictionary deeper than any real one");
    this.blank();
    if (this.startsDictionary()) return this.dictionary(depth);
    switch (this.text[this.at]) {
      case "/":
        return this.word().replace(/#([0-9a-fA-F]{2})/g, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        );
      case "(":
        return this.literal();
      case "<":
        return this.hex();
      case "[":
        return this.items(depth);
      default: {
        const word = this.word();
        if (word === "true" || word === "false") return word === "true";
        const number = Number(word);
        return Number.isNaN(number) ? null : number;
      }
    }
  }

  private word(): string {
    const word = /\/?[^\s\0/<>[\](){}%]*/y;
    word.lastIndex = this.at;
    const found = word.exec(this.text)![0];
    if (found === "") throw new Damaged("has an encryption dictionary that cannot be read");
    this.at += found.length;
    return found;
  }

  private items(depth: number): Value[] {
    this.at += 1;
    const found: Value[] = [];
    for (;;) {
      this.blank();
      if (this.text[this.at] === "]") {
        this.at += 1;
        return found;
      }
      found.push(this.value(depth + 1));
    }
  }

  private hex(): Buffer {
    const end = this.text.indexOf(">", this.at);
    if (end < 0) throw new Damaged("has a string without end");
    const digits = this.text.slice(this.at + 1, end).replace(/[^0-9a-fA-F]/g, "");
    this.at = end + 1;
    return Buffer.from(digits.length % 2 === 0 ? digits : `${digits}0`, "hex");
  }

  private literal(): Buffer {
    const bytes: number[] = [];
    let depth = 1;
    for (this.at += 1; this.at < this.text.length; this.at++) {
      const letter = this.text[this.at]!;
      if (letter === "\\") this.escaped(bytes);
      else if (letter === ")" && --depth === 0) {
        this.at += 1;
        return Buffer.from(bytes);
      } else {
        if (letter === "(") depth += 1;
        // a line's end in a string is one character, however it is written
        if (letter === "\r" && this.text[this.at + 1] === "\n") this.at += 1;
        bytes.push(letter === "\r" ? 10 : letter.charCodeAt(0));
      }
    }
    throw new Damaged("has a string without end");
  }

  private escaped(bytes: number[]): void {
    const octal = /[0-7]{1,3}/y;
    octal.lastIndex = this.at + 1;
    const number = octal.exec(this.text);
    if (number) {
      bytes.push(Number.parseInt(number[0], 8) & 255);
      this.at += number[0].length;
      return;
    }
    const letter = this.text[this.at + 1] ?? "";
    this.at += 1;
    if (letter === "\r" && this.text[this.at + 1] === "\n") this.at += 1;
    else if (letter !== "\n" && letter !== "\r") bytes.push(ESCAPES[letter] ?? letter.charCodeAt(0));
  }
}
