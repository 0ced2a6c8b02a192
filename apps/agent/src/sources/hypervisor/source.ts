/** The machine below dom0 → hypervisor.layout: at each start, and when it changes. */
import { setTimeout as delay } from "node:timers/promises";
import { layoutOf } from "@sallyport/shared/workstation/isolation.ts";
import type { Source } from "../source.ts";
import { type HypervisorDoor, look } from "./look.ts";

export type { HypervisorDoor } from "./look.ts";

const LOOK_EVERY_MS = 60_000;

export function hypervisorSource({ dom0 }: { dom0: HypervisorDoor }): Source {
  return {
    name: "hypervisor",
    async run(outlet, signal) {
      outlet.state({ state: "running" });
      let last = "";
      while (!signal.aborted) {
        const { body, severity, text } = layoutOf(await look(dom0, signal));
        const said = JSON.stringify(body);
        if (said !== last && !signal.aborted) {
          await outlet.emit({ observations: [{ kind: "hypervisor.layout", severity, time: dom0.now(), text, body }] });
          last = said;
        }
        await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
      }
    },
  };
}
