/** Processes → their processor time, from /proc. */
import { readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;
const LOOK_MS = 100;

/** proc(5), from the state on: the command before it may hold spaces and brackets. */
function fieldsOf(pid: number | "self" | string): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "");
    return text.split(" ").map(Number);
  } catch {
    return []; // it has ended
  }
}

const seconds = (ticks: number[]): number => ticks.reduce((sum, each) => sum + (each || 0), 0) / TICKS_PER_SECOND;

/** Of a process and of its children that have ended and were waited for. */
export const cpuSeconds = (pid: number | "self"): number => seconds(fieldsOf(pid).slice(11, 15));

/** proc_pid_task(5): whom a process has started and who lives. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean).map(Number);
  } catch {
    return []; // it has ended
  }
}

/** Of all that a process has started, looked at while it runs: bubblewrap does not wait for its inside. Seldom, and only at
 *  these: a look at every process of the machine each tenth of a second was seen to take a twentieth of two cores. */
export function descendants(of: number, but: number): { stop(): number } {
  const seen = new Map<number, number>();
  let lookedMicros = 0;
  const look = (pid: number): void => {
    for (const child of childrenOf(pid)) {
      if (child === but) continue;
      seen.set(child, seconds(fieldsOf(child).slice(11, 13)));
      look(child);
    }
  };
  const timer = setInterval(() => {
    const before = process.cpuUsage();
    look(of);
    const { user, system } = process.cpuUsage(before);
    lookedMicros += user + system;
  }, LOOK_MS);
  return {
    stop() {
      clearInterval(timer);
      return [...seen.values()].reduce((sum, each) => sum + each, -lookedMicros / 1e6);
    },
  };
}
