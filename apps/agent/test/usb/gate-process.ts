/** The gate as a process over a folder (child.ts), started, watched and killed by a test. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../core/agent.ts";

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));
/** A whole passage, beside other suites. */
export const LONG_MS = 110_000;

export type Gate = { child: ChildProcess; steps: string[]; said: string };

const running = new Set<ChildProcess>();

/** Stops for ever at that step (child.ts). */
export function startGate(root: string, stopAt: string): Gate {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CHILD, root, stopAt], {
    stdio: "pipe",
  });
  const gate: Gate = { child, steps: [], said: "" };
  child.stdout?.on("data", (chunk: Buffer) => gate.steps.push(...chunk.toString().split("\n").filter(Boolean)));
  child.stderr?.on("data", (chunk: Buffer) => {
    gate.said = (gate.said + chunk).slice(-2_000);
  });
  running.add(child);
  return gate;
}

export async function kill({ child }: Gate): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  running.delete(child);
}

export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

export const reaches = (gate: Gate, step: string) =>
  until(
    `the gate reaches ${step}`,
    () => {
      if (gate.child.exitCode !== null) throw new Error(`the gate ended: ${gate.said}`);
      return gate.steps.includes(step);
    },
    undefined,
    LONG_MS,
  );
