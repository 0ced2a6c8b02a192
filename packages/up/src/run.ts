/** One stack per state folder: who runs it, and what a killed run left behind. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";

/** `started` is the kernel's start time of the process, so that a reused number is not taken for it. */
const Process = z.object({ name: z.string(), pid: z.int(), started: z.string() });
type Process = z.infer<typeof Process>;
const Run = z.object({ processes: z.array(Process).max(64) });

const LEFTOVER_MS_MAX = 20_000;

export class RunFile {
  readonly #file: string;
  readonly #processes = new Map<string, Process>();

  constructor(stateFolder: string) {
    this.#file = join(stateFolder, "run.json");
  }

  /** Refuses a second stack; stops what an earlier one left running. */
  async claim(say: (line: string) => void): Promise<void> {
    const [parent, ...children] = this.#read();
    if (parent && isSame(parent) && parent.pid !== process.pid)
      throw new Error(
        `Sallyport already runs on this state folder (process ${parent.pid}). Use that one, stop it with Ctrl-C, or set SALLYPORT_STATE to another folder.`,
      );
    this.note("up", process.pid);
    const left = children.filter((child) => child.name !== "postgres" && isSame(child));
    if (left.length > 0)
      say(`An earlier run was killed: stopping what it left (${left.map(({ name }) => name).join(", ")}).`);
    for (const { pid } of left) process.kill(pid, "SIGTERM");
    for (const end = Date.now() + LEFTOVER_MS_MAX; left.some(isSame); await delay(50))
      if (Date.now() > end) for (const child of left.filter(isSame)) process.kill(child.pid, "SIGKILL");
  }

  note(name: string, pid: number): void {
    const started = startOf(pid);
    if (!started) return;
    this.#processes.set(name, { name, pid, started });
    writeFileSync(`${this.#file}.new`, JSON.stringify({ processes: [...this.#processes.values()] }), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  release(): void {
    rmSync(this.#file, { force: true });
  }

  #read(): Process[] {
    if (!existsSync(this.#file)) return [];
    try {
      return Run.parse(JSON.parse(readFileSync(this.#file, "utf8"))).processes;
    } catch {
      return []; // written by a newer version, or torn: nothing to go by
    }
  }
}

const isSame = ({ pid, started }: Process): boolean => startOf(pid) === started;

/** Field 22 of /proc/PID/stat, behind the name in parentheses; a zombie counts as gone. */
function startOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
