/** policy → usb applier → the controllers. The live gate (gate/live.ts) asks the policy in force at each step; here is
 *  looked whether every controller holds what is new, and whether the gate runs at all. A controller that somebody
 *  opened is drift: it is closed again, and what was found stays in the report. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import type { Controller, UsbPorts } from "../dom0/usb.ts";
import type { Applier } from "./applier.ts";

export type UsbFacts = {
  ports: Pick<UsbPorts, "controllers" | "holdNew">;
  /** What the gate says of itself. */
  gate: () => { state: "running" } | { state: "absent" | "failed"; reason: string } | undefined;
  /** Guests are reached; without one nothing can be handed on. */
  guest: boolean;
  pins: number;
  /** Why nothing can be read here; nothing where the reader's sandbox works. */
  unreadable?: () => Promise<string | undefined>;
  /** What is held for its size alone, and could be set otherwise. */
  narrow?: () => Promise<string | undefined>;
};
type Found = {
  controllers: Controller[];
  gate: ReturnType<UsbFacts["gate"]>;
  opened: string[];
  unreadable: string | null;
  narrow: string | null;
};

const NO_GUEST = "No guest is named (usb.guest in the agent's configuration): what passes is handed to nobody.";

/** Where USB is not gated nothing is held, and nothing is touched. */
export const ungated = (reason = "USB: not gated, because nothing is wired that could."): Applier<"usb"> => ({
  section: "usb",
  inspect: async () => null,
  judge: () => ({
    outcome: "not-applied",
    reason: `${reason} Images laid into the sticks folder are scanned and judged by this section.`.slice(0, 1024),
  }),
  apply: async () => {},
});

export function usbApplier({ ports, gate, guest, pins, unreadable, narrow }: UsbFacts): Applier<"usb"> {
  /** Controllers that were found open since the last report that said so. */
  let opened: string[] = [];
  return {
    section: "usb",
    async inspect() {
      const controllers = await ports.controllers();
      const why = (await unreadable?.()) ?? null;
      const held = (await narrow?.()) ?? null;
      return { controllers, gate: gate(), opened, unreadable: why, narrow: held } as Found as unknown as Json;
    },
    judge(wanted, untrustedFound): SectionState {
      const {
        controllers,
        gate: said,
        opened: before,
        unreadable: why,
        narrow: held,
      } = untrustedFound as unknown as Found;
      const found = {
        controllers: controllers.map(({ name, authorizedDefault }) => `${name}=${authorizedDefault}`),
        pins,
      };
      if (controllers.length === 0)
        return { outcome: "not-applied", reason: "dom0 has no USB controller, so there is nothing to gate." };
      const open = controllers.filter(({ authorizedDefault }) => authorizedDefault !== "0").map(({ name }) => name);
      if (open.length > 0)
        return { outcome: "failed", reason: `Controllers that let new devices in: ${open.join(", ")}.`, found };
      if (said?.state !== "running") {
        const fault = said === undefined ? "it has not begun yet" : said.reason;
        return {
          outcome: "failed",
          reason: `Every device is held, and the gate does not run: ${fault}`.slice(0, 1024),
          found,
        };
      }
      if (why !== null) return { outcome: "failed", reason: `Every stick is refused: ${why}`.slice(0, 1024), found };
      const reasons = [
        ...(guest ? [] : [NO_GUEST]),
        ...(held === null ? [] : [held]),
        ...(before.length > 0 ? [`Somebody had opened ${before.join(", ")}; it is closed again.`] : []),
      ];
      const reason = reasons.length > 0 ? { reason: reasons.join(" ").slice(0, 1024) } : {};
      // contents are only audited then; devices are held all the same
      return { outcome: wanted.mode === "audit" ? "audit" : "applied", ...reason, found };
    },
    async apply() {
      const open = (await ports.controllers()).filter(({ authorizedDefault }) => authorizedDefault !== "0");
      opened = open.map(({ name }) => name);
      for (const { name } of open) await ports.holdNew(name);
    },
  };
}
