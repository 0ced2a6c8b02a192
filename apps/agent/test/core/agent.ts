/** The agent as a process of its own, as it runs on a workstation. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Console } from "./console.ts";

const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

export type Ran = { code: number | null; stdout: string; stderr: string };

export async function runCli(...args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CLI, ...args], { stdio: "pipe" });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

export type Machine = {
  state: string;
  workstation: WorkstationId;
  config(config: object): void;
  /** `environment` is beside this process's own. */
  start(environment?: Record<string, string>): ChildProcess;
  log: string[];
};

export async function enrolMachine(console: Console, config: object = {}): Promise<Machine> {
  const state = mkdtempSync(join(tmpdir(), "sallyport-agent-"));
  const ran = await runCli("enrol", console.token(), "--state", state, "--name", "test", "--json");
  if (ran.code !== 0) throw new Error(ran.stderr);
  const { workstation } = JSON.parse(ran.stdout) as { workstation: WorkstationId };
  const machine: Machine = {
    state,
    workstation,
    log: [],
    config: (more) =>
      writeFileSync(join(state, "config.json"), JSON.stringify({ sticks: null, logLevel: "debug", ...more })),
    start(environment = {}) {
      const flags = [
        "--max-old-space-size=48",
        "--max-semi-space-size=1",
        "--optimize-for-size",
        "--disable-warning=ExperimentalWarning",
      ];
      const child = spawn(process.execPath, [...flags, CLI, "run", "--state", state], {
        stdio: ["ignore", "ignore", "pipe"],
        env: { ...process.env, ...environment },
      });
      child.stderr.on("data", (chunk: Buffer) => machine.log.push(...chunk.toString().split("\n").filter(Boolean)));
      running.add(child);
      child.once("exit", () => running.delete(child));
      return child;
    },
  };
  machine.config(config);
  return machine;
}

const running = new Set<ChildProcess>();
export function stopAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

export async function stop(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

/** Until it holds; the machine's own log says why it does not. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  machine?: Machine,
  ms = 60_000,
): Promise<void> {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`still not: ${what}\n${machine?.log.slice(-25).join("\n") ?? ""}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The order of the membership that it holds on disk. */
export function membershipOf({ state, workstation }: Machine): number | undefined {
  const path = join(state, "policy.json");
  if (!existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, "utf8")).orders[`membership/workstation/${workstation}`];
}

export const eveLine = (number: number): string =>
  `${JSON.stringify({ timestamp: "2026-11-24T08:46:00.000000+0000", flow_id: 1000 + number, event_type: "dns", src_ip: "10.0.0.2", dest_ip: "10.0.0.1", proto: "UDP", dns: { rrname: `host-${number}.example`, id: number } })}\n`;
