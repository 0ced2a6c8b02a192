/** The children that run, stopped in the reverse of the order in which they were started. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./build.ts";
import type { RunFile } from "./run.ts";
import { Child, type ChildOptions } from "./supervise.ts";

export class Parts {
  readonly children = new Map<string, Child>();
  readonly #stateFolder: string;
  readonly #run: RunFile;
  readonly #say: (line: string) => void;
  readonly #signal: AbortSignal | undefined;
  #stopped: Promise<void> | undefined;

  constructor(stateFolder: string, run: RunFile, say: (line: string) => void, signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#stateFolder = stateFolder;
    this.#run = run;
    this.#say = say;
  }

  hooks(name: string) {
    return {
      onStart: (pid: number) => this.#run.note(name, pid),
      signal: this.#signal,
      onRestart: (reason: string) =>
        this.#say(`${name} ${reason}; starting it again (${join(this.#stateFolder, "logs", `${name}.log`)}).`),
    };
  }

  add(child: Child): Child {
    this.children.set(child.name, child);
    return child;
  }

  start(name: string, options: Pick<ChildOptions, "args" | "env" | "cwd">): Child {
    this.#signal?.throwIfAborted();
    const logFile = join(this.#stateFolder, "logs", `${name}.log`);
    const child = new Child({ cwd: ROOT, ...options, name, command: process.execPath, logFile, ...this.hooks(name) });
    child.start();
    return this.add(child);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  async #stopAll(): Promise<void> {
    for (const child of [...this.children.values()].reverse()) await child.stop();
    rmSync(join(this.#stateFolder, "up.json"), { force: true }); // it would name what no longer answers
    this.#run.release();
  }
}
