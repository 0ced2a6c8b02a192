/** A QEMU of a test's own, with a USB controller and nothing on it, that can be ended and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Attach } from "../../src/dom0/attach.ts";
import { attachTo } from "../../src/dom0/attach-to.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { until } from "../core/agent.ts";

export type Qemu = { socket: string; attach: Attach; begin(): Promise<void>; end(): Promise<void> };

const FLAGS = ["-machine", "q35", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none", "-S"];

export function qemu(folder: string): Qemu {
  const socket = join(folder, "qmp");
  const attach = attachTo(realDom0, { by: "qmp", socket });
  let guest: ChildProcess | undefined;
  let said = "";
  return {
    socket,
    attach,
    async begin() {
      const bus = ["-device", "qemu-xhci", "-qmp", `unix:${socket},server=on,wait=off`];
      const started = spawn("qemu-system-x86_64", [...FLAGS, ...bus], { stdio: ["ignore", "ignore", "pipe"] });
      started.stderr?.on("data", (chunk) => (said += chunk));
      guest = started;
      await until("QEMU answers", async () => {
        if (started.exitCode !== null) throw new Error(`QEMU ended: ${said}`);
        return (await attach.holds([])).guest !== undefined;
      });
    },
    async end() {
      const ended = guest;
      guest = undefined;
      ended?.kill("SIGKILL");
      await until("QEMU is gone", () => !ended || ended.exitCode !== null || ended.signalCode !== null);
    },
  };
}
