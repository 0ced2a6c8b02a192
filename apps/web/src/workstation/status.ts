/** How a workstation is, in words. Made from what was committed of it, never from a heartbeat: an agent that is
 *  connected and delivers nothing is not well. Pure. */

import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";

export type Tone = "allow" | "hold" | "block" | "info";
export type Word = { tone: Tone; word: string; reason: string };

/** Agents make a health record every five minutes unless policy says otherwise; two may be missed. */
export const LATE_MS = 11 * 60_000;
export const SILENT_MS = 60 * 60_000;
/** A policy with longer intervals is given as many of its own, and no shorter a time than the above. */
export const LATE_INTERVALS = 2;
export const SILENT_INTERVALS = 4;
/** On the way, beside the intervals. */
export const WAY_MS = 60_000;

/** The longer of what should be and what is in force counts; nothing known is the policy's default. */
export function bounds(healthSeconds: number | null): { lateMs: number; silentMs: number } {
  const intervalMs = (healthSeconds ?? 0) * 1000;
  return {
    lateMs: Math.max(LATE_MS, LATE_INTERVALS * intervalMs + WAY_MS),
    silentMs: Math.max(SILENT_MS, SILENT_INTERVALS * intervalMs + WAY_MS),
  };
}
/** A clock this far off makes claimed times misleading. */
export const SKEW_MS_MAX = 5_000;

export type Signs = {
  state: "enrolled" | "quarantined" | "revoked";
  stateReason: string | null;
  /** ISO times. */
  lastReceiptAt: string | null;
  enrolledAt: string;
  presence: string | null;
  /** How often policy has it say that it is well. */
  healthSeconds: number | null;
};

export const STATUS_TONES = {
  reporting: "allow",
  "no record yet": "hold",
  late: "hold",
  silent: "block",
  quarantined: "block",
  revoked: "info",
} as const satisfies Record<string, Tone>;
export type StatusWord = keyof typeof STATUS_TONES;

const said = (word: StatusWord, reason: string): Word => ({ tone: STATUS_TONES[word], word, reason });

export function status(now: number, signs: Signs): Word {
  switch (signs.state) {
    case "quarantined":
      return said("quarantined", signs.stateReason ?? "its records are not taken");
    case "revoked":
      return said("revoked", signs.stateReason ?? "its certificate is not taken any more");
    case "enrolled":
      break;
    default:
      return unreachable(signs.state);
  }
  if (signs.lastReceiptAt === null) return said("no record yet", "enrolled, nothing committed");
  const age = now - Date.parse(signs.lastReceiptAt);
  const { lateMs, silentMs } = bounds(signs.healthSeconds);
  if (age <= lateMs) return said("reporting", "its records are being committed");
  const connected = signs.presence === "online" ? "connected, but nothing of it is committed" : "not connected";
  return said(age <= silentMs ? "late" : "silent", connected);
}

/** `direct-map` works and nothing contains it: it never looks green. */
export function isolationWord(layout: Pick<HypervisorLayout, "hypervisor" | "isolation"> | undefined): Word {
  if (!layout) return { tone: "info", word: "not reported", reason: "no layout has come from this workstation yet" };
  switch (layout.isolation) {
    case "iommu":
      return { tone: "allow", word: "IOMMU", reason: "the guest's devices reach only the guest's own memory" };
    case "direct-map":
      return {
        tone: "hold",
        word: "DMA not contained",
        reason: "the guest's devices can reach all memory; use a machine with an IOMMU where that matters",
      };
    case "emulated":
      return {
        tone: "allow",
        word: "emulated devices",
        reason: "the guest has no device of its own; none can reach memory",
      };
    case "none":
      return layout.hypervisor === "none"
        ? { tone: "hold", word: "no hypervisor", reason: "nothing below this machine separates a guest from dom0" }
        : { tone: "info", word: "no guest", reason: "no guest is running, so there is nothing to keep apart" };
    default:
      return unreachable(layout.isolation);
  }
}
