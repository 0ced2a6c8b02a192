/** A person at the terminal: what is asked goes to standard error, so that standard output stays the answer's. */
import { createInterface } from "node:readline/promises";
import { Fault } from "./fault.ts";
import { readArgumentFile } from "./file.ts";

export const isAtTerminal = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true;

/** A line, trimmed. */
export async function askLine(question: string): Promise<string> {
  const line = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await line.question(question)).trim();
  } finally {
    line.close();
  }
}

/** A line that is not shown. @throws Fault where it was broken off */
export async function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  process.stdin.setRawMode(true);
  process.stdin.resume();
  let typed = "";
  try {
    for await (const chunk of process.stdin) {
      for (const char of String(chunk)) {
        if (char === "\u0003" || char === "\u0004") throw new Fault("Broken off; nothing was done.");
        if (char === "\r" || char === "\n") return typed;
        typed = char === "\u007f" || char === "\b" ? [...typed].slice(0, -1).join("") : typed + char;
      }
    }
    throw new Fault("The terminal went away; nothing was done.");
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    process.stderr.write("\n");
  }
}

/** From a file, the environment, or the person. @throws Fault where there is none of them */
export async function passphraseFor(question: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return readArgumentFile(file).replace(/\r?\n$/, "");
  const { SALLYPORT_PASSPHRASE: given } = process.env;
  if (given !== undefined) return given;
  if (!isAtTerminal())
    throw new Fault("A pass phrase is needed: --passphrase-file, or SALLYPORT_PASSPHRASE in the environment.");
  return askHidden(question);
}
