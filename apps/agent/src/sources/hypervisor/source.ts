/** The machine below dom0 → hypervisor.layout: at each start, and when it changes. */
import { setTimeout as delay } from "node:timers/promises";
import type { Dom0 } from "../../dom0/dom0.ts";
import type { Source } from "../source.ts";
import { type Below, layoutOf } from "./layout.ts";

export type HypervisorDoor = Pick<Dom0, "run" | "readText" | "now">;

const LOOK_EVERY_MS = 60_000;

export function hypervisorSource({ dom0 }: { dom0: HypervisorDoor }): Source {
  return {
    name: "hypervisor",
    async run(outlet, signal) {
      outlet.state({ state: "running" });
      let last = "";
      while (!signal.aborted) {
        const { body, text } = layoutOf(await look(dom0, signal));
        const said = JSON.stringify(body);
        if (said !== last && !signal.aborted) {
          await outlet.emit({
            observations: [{ kind: "hypervisor.layout", severity: "info", time: dom0.now(), text, body }],
          });
          last = said;
        }
        await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
      }
    },
  };
}

async function look(dom0: HypervisorDoor, signal: AbortSignal): Promise<Below> {
  const type = await dom0.readText("/sys/hypervisor/type", 64).catch(() => undefined);
  if (type === undefined) return { type, capabilities: undefined, info: undefined };
  const capabilities = await dom0.readText("/proc/xen/capabilities", 1_024).catch(() => undefined);
  const ran = await dom0
    .run("xl", ["info"], { timeoutMs: 10_000, outputBytesMax: 65_536, signal })
    .catch(() => undefined);
  return { type, capabilities, info: ran?.code === 0 ? ran.stdout : undefined };
}
