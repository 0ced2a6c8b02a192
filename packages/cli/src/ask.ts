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
  const { stdin, stderr } = process;
  // before the question: whoever answers at once must not be shown
  stdin.setRawMode(true);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let typed: string[] = [];
  const onData = (chunk: Buffer): void => {
    for (const char of chunk.toString("utf8")) {
      if (char === "\u0003" || char === "\u0004") reject(new Fault("Broken off; nothing was done."));
      else if (char === "\r" || char === "\n") resolve(typed.join(""));
      else if (char === "\u007f" || char === "\b") typed = typed.slice(0, -1);
      else typed.push(char);
    }
  };
  const onEnd = () => reject(new Fault("The terminal went away; nothing was done."));
  stdin.on("data", onData).once("end", onEnd).resume();
  stderr.write(question);
  try {
    return await promise;
  } finally {
    stdin.off("data", onData).off("end", onEnd);
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
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
