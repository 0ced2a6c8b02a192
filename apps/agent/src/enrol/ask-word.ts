/** A word that no list of processes, no history and no screen shows: typed at the terminal, or piped in. */
import { EnrolmentError } from "./folder.ts";

const CHARS_MAX = 8_192;

/** @throws EnrolmentError where the person broke off */
export const askWord = (question: string): Promise<string> =>
  process.stdin.isTTY ? typed(question) : piped(process.stdin);

async function piped(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > CHARS_MAX) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function typed(question: string): Promise<string> {
  const { stdin, stderr } = process;
  // before the question: whoever answers at once must not be shown
  stdin.setRawMode(true);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let word: string[] = [];
  const onData = (chunk: Buffer): void => {
    for (const char of chunk.toString("utf8")) {
      if (char === "\u0003" || char === "\u0004") reject(new EnrolmentError("Broken off; nothing was done."));
      else if (char === "\r" || char === "\n") resolve(word.join(""));
      else if (char === "\u007f" || char === "\b") word = word.slice(0, -1);
      else if (word.length < CHARS_MAX) word.push(char);
    }
  };
  const onEnd = () => reject(new EnrolmentError("The terminal went away; nothing was done."));
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
