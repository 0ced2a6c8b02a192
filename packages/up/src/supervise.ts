/** One child process: kept alive with backoff until it is told to stop, its output in a bounded log file. */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export type ChildOptions = {
  name: string;
  command: string;
  args: string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  logFile: string;
  stopSignal?: NodeJS.Signals;
  /** Told of each start, so that a later run can find what a killed parent left behind. */
  onStart?: (pid: number) => void;
  onRestart?: (reason: string) => void;
  /** Ends the wait for it to be ready; stopping it stays its owner's. */
  signal?: AbortSignal | undefined;
};

const BACKOFF_MS_MIN = 250;
const BACKOFF_MS_MAX = 10_000;
/** A child that lived this long is started again at once. */
const STEADY_MS = 30_000;
const STOP_MS_MAX = 20_000;
const LOG_BYTES_MAX = 16 * 1024 * 1024;

export class Child {
  readonly name: string;
  readonly #options: ChildOptions;
  #log: Log;
  #process: ChildProcess | undefined;
  #gone: Promise<string> = Promise.resolve("not started");
  #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
    this.#log = new Log(options.logFile);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** The last lines it wrote, for a sentence about why it did not start. */
  get tail(): string {
    return this.#log.tail;
  }

  start(): void {
    if (this.#stopping.signal.aborted) this.#log = new Log(this.#options.logFile); // it was stopped before
    this.#stopping = new AbortController();
    this.#spawn();
    this.#running = this.#keep();
  }

  /** Stops it and leaves it stopped. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const { stopSignal = "SIGTERM" } = this.#options;
    this.#process?.kill(stopSignal);
    const kill = setTimeout(() => this.#process?.kill("SIGKILL"), STOP_MS_MAX);
    await this.#gone;
    clearTimeout(kill);
    await this.#running;
    this.#log.close();
  }

  /** For tests of what survives: the signal of one's choice, and the supervisor starts it again. */
  kill(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Rejects when the child ends before `ready` says yes; asks again at a steady pace. */
  async until(ready: () => Promise<boolean>, withinMs: number): Promise<void> {
    const { signal } = this.#options;
    const end = Date.now() + withinMs;
    for (;;) {
      if (
        await unlessAborted(
          ready().catch(() => false),
          signal,
        )
      )
        return;
      if (this.#process?.exitCode != null) throw new Error(`${this.name} ended while it started:\n${this.tail}`);
      if (Date.now() > end) throw new Error(`${this.name} was not ready within ${withinMs / 1000} s:\n${this.tail}`);
      await delay(100, undefined, { signal });
    }
  }

  #spawn(): void {
    const { command, args, cwd, env, uid, gid } = this.#options;
    // a process group of its own: Ctrl-C reaches only the parent, which stops everything in order
    const child = spawn(command, args, {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    child.stdout?.on("data", (bytes: Buffer) => this.#log.write(bytes));
    child.stderr?.on("data", (bytes: Buffer) => this.#log.write(bytes));
    this.#gone = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ? `ended by ${signal}` : `ended with code ${code}`));
    });
    this.#process = child;
    if (child.pid) this.#options.onStart?.(child.pid);
  }

  async #keep(): Promise<void> {
    let backoffMs = BACKOFF_MS_MIN;
    for (let startedAt = Date.now(); ; startedAt = Date.now()) {
      const reason = await this.#gone;
      const { signal } = this.#stopping;
      if (signal.aborted) return;
      if (Date.now() - startedAt > STEADY_MS) backoffMs = BACKOFF_MS_MIN;
      this.#options.onRestart?.(reason);
      this.#log.write(
        Buffer.from(`--- ${new Date().toISOString()} ${this.name} ${reason}; again in ${backoffMs} ms\n`),
      );
      await delay(backoffMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX);
      this.#spawn();
    }
  }
}

/** What takes its time is left to itself when the signal aborts. @throws the signal's reason */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A file and one older one, each bounded. */
class Log {
  readonly #file: string;
  #stream: WriteStream;
  #bytes: number;
  tail = "";

  constructor(file: string) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#file = file;
    this.#bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    this.#stream = this.#open();
  }

  #open(): WriteStream {
    const stream = createWriteStream(this.#file, { flags: "a", mode: 0o600 });
    stream.on("error", () => undefined); // a full disk must not take the stack down with the log
    return stream;
  }

  write(bytes: Buffer): void {
    if (this.#bytes + bytes.length > LOG_BYTES_MAX) {
      this.#stream.end();
      renameSync(this.#file, `${this.#file}.1`);
      this.#stream = this.#open();
      this.#bytes = 0;
    }
    this.#bytes += bytes.length;
    this.tail = (this.tail + bytes.toString("utf8")).slice(-2000);
    this.#stream.write(bytes);
  }

  close(): void {
    this.#stream.end();
  }
}
