/** Questions → clamd over its Unix socket, one a connection but for files in the tray (clamd(8), the NUL-terminated protocol:
 *  in the other one a name with a line end forges answers). */
import { connect, type Socket } from "node:net";

export type Answer =
  | { answer: "clean" }
  | { answer: "infected"; signature: string }
  /** Past one of the scanner's limits of bytes, files or time. */
  | { answer: "limit"; detail: string }
  /** Encrypted, an error: nothing can be said. */
  | { answer: "unsaid"; detail: string }
  /** No scanner there, or none that answers: worth counting, so that a dead one is not asked for every file. */
  | { answer: "gone"; detail: string };

export type ScanStream = {
  /** Resolves when the chunk is on its way, and its memory is the caller's again. */
  write(chunk: Buffer): Promise<void>;
  finish(): Promise<Answer>;
  abandon(): void;
};

const ANSWER_BYTES_MAX = 4_096;
const VERSION_MS_MAX = 5_000;
const END = Buffer.alloc(4);

const HUNG_UP: Answer = { answer: "gone", detail: "the scanner hung up without an answer" };
const unreachable = (error: Error): Answer => ({
  answer: "gone",
  detail: `the scanner cannot be reached: ${error.message}`,
});
const late = (timeMs: number): Answer => ({
  answer: "gone",
  detail: `the scanner gave no answer within ${Math.round(timeMs / 1000)} s`,
});

type Line = { socket: Socket; answer: Promise<Answer>; settle(answer: Answer): void };

function open(path: string, timeMs: number, read: (text: string) => Answer): Line {
  const socket = connect(path);
  let settle!: (answer: Answer) => void;
  const answer = new Promise<Answer>((resolve) => {
    settle = resolve;
  });
  const timer = setTimeout(() => {
    settle(late(timeMs));
    socket.destroy();
  }, timeMs);
  let bytes = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]).subarray(0, ANSWER_BYTES_MAX);
    const end = bytes.indexOf(0);
    if (end < 0) return;
    settle(read(bytes.toString("utf8", 0, end)));
    socket.destroy();
  });
  // an answer that came before the error stands: clamd answers and hangs up when a stream is too long for it
  socket.on("error", (error) => setImmediate(settle, unreachable(error)));
  socket.on("close", () => {
    clearTimeout(timer);
    setImmediate(settle, HUNG_UP);
  });
  return { socket, answer, settle };
}

export function startScan(path: string, timeMs: number): ScanStream {
  const { socket, answer, settle } = open(path, timeMs, readAnswer);
  socket.write("zINSTREAM\0");
  return {
    async write(chunk) {
      if (chunk.length === 0 || socket.destroyed) return;
      const head = Buffer.allocUnsafe(4);
      head.writeUInt32BE(chunk.length, 0);
      socket.cork();
      socket.write(head);
      const written = new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
      socket.uncork();
      await Promise.race([written, answer]);
    },
    finish() {
      if (!socket.destroyed) socket.write(END);
      return answer;
    },
    abandon() {
      settle({ answer: "unsaid", detail: "not asked to the end" });
      socket.destroy();
    },
  };
}

/** Asks about the file of a name in the tray; the door says where that is. Null where clamd says neither that it is clean nor
 *  what it found: it did not open it. */
type AskFile = (name: string, timeMs: number) => Promise<Answer | null>;

/** `makeRoom`: whoever asks otherwise now needs a connection that waits for a file no more. */
export type FileAsker = { ask: AskFile; makeRoom(): void };

/** A connection is asked about one file after another: to make one costs as much as to scan a short file. */
export function fileAsker(path: string): FileAsker {
  const free: Session[] = [];
  const ask: AskFile = async (name, timeMs) => {
    const before = free.pop();
    const session = before ?? openSession(path);
    const said = await session.ask(name, timeMs);
    if (!session.isOver()) free.push(session);
    // clamd hangs up on who was silent for long, maybe a moment ago
    if (said.is === "lost" && before) return ask(name, timeMs);
    return said.is === "not opened" ? null : said.answer;
  };
  return { ask, makeRoom: () => free.pop()?.end() };
}

type Said = { is: "said" | "lost"; answer: Answer } | { is: "not opened" };
/** `ask`: one question at a time. */
type Session = { isOver(): boolean; end(): void; ask(name: string, timeMs: number): Promise<Said> };

function openSession(path: string): Session {
  const socket = connect(path);
  let asked = 0;
  let bytes = Buffer.alloc(0);
  let question: { name: string; settle: (said: Said) => void } | null = null;
  const end = (said: Said) => {
    question?.settle(said);
    socket.destroy();
  };
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const stop = bytes.indexOf(0);
    if (stop < 0 && bytes.length <= ANSWER_BYTES_MAX) return;
    const answer = question && readFileAnswer(bytes.toString("utf8", 0, Math.max(stop, 0)), asked, question.name);
    // what comes without a question, or behind an answer, is none of the next one
    const isWhole = question !== null && stop === bytes.length - 1;
    bytes = Buffer.alloc(0);
    question?.settle(answer ? { is: "said", answer } : { is: "not opened" });
    if (!isWhole) socket.destroy();
  });
  // an answer that came before the error stands
  const lost = (answer: Answer) => setImmediate(end, { is: "lost", answer });
  socket.on("error", (error) => lost(unreachable(error)));
  socket.on("close", () => lost(HUNG_UP));
  return {
    isOver: () => socket.destroyed,
    end: () => socket.destroy(),
    ask: (name, timeMs) =>
      new Promise((resolve) => {
        asked += 1;
        const timer = setTimeout(() => end({ is: "said", answer: late(timeMs) }), timeMs);
        const settle = (said: Said) => {
          question = null;
          clearTimeout(timer);
          socket.unref(); // a reader that has come to its end waits for no session
          resolve(said);
        };
        question = { name, settle };
        if (socket.destroyed) return end({ is: "lost", answer: HUNG_UP });
        socket.ref();
        socket.write(`${asked === 1 ? "zIDSESSION\0" : ""}zSCAN ${name}\0`);
      }),
  };
}

/** In a session: the question's number, the path, whose end is the name, and what it says of it. */
export function readFileAnswer(untrusted: string, id: number, name: string): Answer | null {
  const [, of, path, said = ""] = /^(\d+): (\/[^:]*): (OK|.+ FOUND)$/s.exec(untrusted) ?? [];
  return Number(of) === id && path?.endsWith(`/${name}`) ? readAnswer(`stream: ${said}`) : null;
}

export function readAnswer(untrusted: string): Answer {
  const found = /^stream: (.+) FOUND$/s.exec(untrusted);
  if (found) {
    const signature = found[1]!.slice(0, 256);
    const limit = /^Heuristics\.(?:(Limits\.Exceeded)|Encrypted)/.exec(signature);
    if (limit) return { answer: limit[1] ? "limit" : "unsaid", detail: `the scanner says ${signature}` };
    return { answer: "infected", signature };
  }
  if (untrusted === "stream: OK") return { answer: "clean" };
  return { answer: "unsaid", detail: `the scanner says ${JSON.stringify(untrusted.slice(0, 200))}` };
}

export type Version = { engine: string; definitions: string | null; date: string | null };

/** Null where nothing answers in time. */
export async function askVersion(path: string): Promise<Version | null> {
  let version: Version | null = null;
  const { socket, answer } = open(path, VERSION_MS_MAX, (text) => {
    version = readVersion(text);
    return { answer: "clean" };
  });
  socket.write("zVERSION\0");
  await answer;
  return version;
}

/** Whether it says that it loads its definitions anew; that it has, it does not say. */
export async function askReload(path: string): Promise<boolean> {
  let begun = false;
  const { socket, answer } = open(path, VERSION_MS_MAX, (text) => {
    begun = text === "RELOADING";
    return { answer: "clean" };
  });
  socket.write("zRELOAD\0");
  await answer;
  return begun;
}

/** `ClamAV 1.4.6/27500/Mon Nov 23 08:25:31 2026`, or the engine alone where the definitions name no version. */
export function readVersion(untrusted: string): Version | null {
  const match = /^(ClamAV [\w.+~-]{1,64})(?:\/(\d{1,16})\/(.{1,64}))?$/.exec(untrusted);
  if (!match) return null;
  const time = match[3] === undefined ? Number.NaN : Date.parse(`${match[3]} UTC`);
  return {
    engine: match[1]!,
    // what clamd says where it has none loaded
    definitions: match[2] === undefined || match[2] === "4294967295" ? null : match[2],
    date: Number.isNaN(time) ? null : new Date(time).toISOString(),
  };
}
