/** Wires the scanner's definitions around the gate's applier; without a folder for them there is nothing to wire. */
import { DEFAULT_USB, type UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import type { Applier } from "./appliers/applier.ts";
import { type DefinitionsParts, withDefinitions } from "./appliers/definitions.ts";
import { type AgentConfig, ScannerChoice } from "./config.ts";
import { sha256 } from "./dom0/crypto.ts";
import { clamdDefinitions } from "./dom0/definitions.ts";
import { CLAMD_CONF } from "./gate/clamd-conf.ts";
import { pause } from "./pace.ts";

type Needs = Pick<DefinitionsParts, "artifacts" | "now" | "monotonic" | "tell" | "log"> & {
  policy: () => UsbSection | undefined;
  signal: AbortSignal;
};

export function scannerOf(
  config: AgentConfig,
  base: Applier<"usb">,
  { policy, signal, ...needs }: Needs,
): { applier: Applier<"usb">; inForce: () => Promise<string | undefined> } {
  // where sticks are gated, whether the scanner is there and current is everybody's business
  const scanner = config.scanner ?? (config.usb && ScannerChoice.parse({}));
  if (!scanner) return { applier: unnamed(base), inForce: async () => undefined };
  const { SALLYPORT_CLAMD: socket, SALLYPORT_CLAMD_CONF: named } = process.env;
  const conf = scanner.conf ?? named ?? CLAMD_CONF;
  const applier = withDefinitions(base, {
    ...needs,
    definitions: clamdDefinitions({ ...scanner, conf, ...(socket !== undefined && { socket }) }),
    policy: () => policy() ?? DEFAULT_USB,
    hash: sha256,
    pause: (ms) => pause(ms, signal),
  });
  return { applier, inForce: applier.inForce };
}

/** A policy that names definitions is not in force where they have no place. */
const unnamed = (base: Applier<"usb">): Applier<"usb"> => ({
  ...base,
  judge(wanted, found): SectionState {
    const state = base.judge(wanted, found);
    if (!wanted.definitions || state.outcome === "failed") return state;
    const reason =
      "The policy names the scanner's definitions, and the agent's configuration gives them no place: scanner (docs/scanner.md).";
    return {
      ...state,
      outcome: "not-applied",
      reason: [reason, state.reason].filter(Boolean).join(" ").slice(0, 1024),
    };
  },
});
