/** Programs of the host, each with a bound on time. Callers: debian.ts, qemu.ts, hv.ts and the virtual workstation. */
import { spawn } from "node:child_process";

export type RunOptions = {
  cwd?: string;
  env?: Record<string, string>;
  /** Written to the program's standard input, which is then closed. */
  input?: string | Uint8Array;
  timeoutMs?: number;
  /** Show the program's standard error while it runs (long builds). */
  show?: boolean;
  /** Exit codes other than 0 that are answers, not failures. */
  accept?: readonly number[];
  signal?: AbortSignal;
};

const TIMEOUT_MS_DEFAULT = 600_000;
/** A program that ignores SIGTERM this long is killed. */
const KILL_DELAY_MS = 3_000;
/** What is quoted of a failed program's last words. */
const TAIL_CHARACTERS_MAX = 2_000;

export class RunFailed extends Error {
  readonly code: number | undefined;
  readonly output: string;
  constructor(message: string, code: number | undefined, output: string) {
    super(`${message}${output === "" ? "" : `\n${output.slice(-TAIL_CHARACTERS_MAX)}`}`);
    this.name = "RunFailed";
    this.code = code;
    this.output = output;
  }
}

/** Runs a program to its end and gives its standard output as text; throws `RunFailed` with its last words otherwise. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS_DEFAULT;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: "C.UTF-8", ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => {
    stderr.push(chunk);
    if (options.show) process.stderr.write(chunk);
  });
  // A program that ends before it has read its input is judged by its exit code, not by the broken pipe.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");

  let stopped: "time" | "abort" | undefined;
  const stop = (why: "time" | "abort") => {
    stopped ??= why;
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), KILL_DELAY_MS).unref();
  };
  const onAbort = () => stop("abort");
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => stop("time"), timeoutMs);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", (cause: NodeJS.ErrnoException) => {
        const hint = cause.code === "ENOENT" ? `${program} is not installed on this machine` : cause.message;
        reject(new RunFailed(`cannot run ${program}: ${hint}`, undefined, ""));
      });
      child.once("close", resolve);
    });
    const said = Buffer.concat(stderr).toString();
    const line = `${program} ${args.join(" ")}`.slice(0, 300);
    if (stopped === "time") throw new RunFailed(`${line}\nran longer than ${timeoutMs / 1000} s`, undefined, said);
    if (stopped === "abort") throw new RunFailed(`${line}\nwas called off`, undefined, said);
    const out = Buffer.concat(stdout).toString();
    if (code === 0 || (code !== null && options.accept?.includes(code))) return out;
    throw new RunFailed(`${line}\nended with ${code ?? "a signal"}`, code ?? undefined, said || out);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
}
