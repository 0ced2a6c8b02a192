/** Processor time out of /proc: the figure that stands when the machine is busy with other things. */
import { readdirSync, readFileSync } from "node:fs";

/** /proc counts in hundredths of a second. */
const TICK_MICROS = 10_000;

type Stat = { parent: number; own: number; children: number };

/** proc(5): the command may hold spaces and brackets, so what follows its last one is read. */
function stat(pid: number): Stat | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ").map(Number);
    return {
      parent: fields[1]!,
      own: (fields[11]! + fields[12]!) * TICK_MICROS,
      children: (fields[13]! + fields[14]!) * TICK_MICROS,
    };
  } catch {
    return undefined; // it has ended
  }
}

export const processorMicros = (pid: number): number => stat(pid)?.own ?? 0;

export const parentOf = (pid: number): number => stat(pid)?.parent ?? 0;

/** Of a server, all its children, and those that have ended. */
export function serverMicros(server: number): number {
  const own = stat(server);
  if (!own) return 0;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => stat(Number(name)))
    .reduce((sum, each) => sum + (each?.parent === server ? each.own : 0), own.own + own.children);
}
