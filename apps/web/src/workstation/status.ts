/** How a workstation is, in words. Made from what was committed of it, never from a heartbeat: an agent that is
 *  connected and delivers nothing is not well. Pure. */

import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import type { HypervisorLayout } from "@sallyport/shared/record/hypervisor.ts";
import type { Drift } from "@sallyport/shared/state/drift.ts";

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
export const STATUSES = Object.keys(STATUS_TONES) as [StatusWord, ...StatusWord[]];

export type PolicyWord = Drift["state"] | "unpublished";
export const POLICY_WORDS = {
  none: { tone: "allow", word: "in force" },
  partial: { tone: "hold", word: "in part" },
  behind: { tone: "hold", word: "behind" },
  unknown: { tone: "hold", word: "not reported" },
  unpublished: { tone: "info", word: "none published" },
} as const satisfies Record<PolicyWord, { tone: Tone; word: string }>;
export const POLICIES = Object.keys(POLICY_WORDS) as [PolicyWord, ...PolicyWord[]];

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

type Layout = Pick<HypervisorLayout, "hypervisor" | "isolation">;

/** `direct-map` works and nothing contains it: it never looks green. */
export const ISOLATION_WORDS = {
  iommu: { tone: "allow", word: "IOMMU", reason: "the guest's devices reach only the guest's own memory" },
  "direct-map": {
    tone: "hold",
    word: "DMA not contained",
    reason: "the guest's devices can reach all memory; use a machine with an IOMMU where that matters",
  },
  emulated: {
    tone: "allow",
    word: "emulated devices",
    reason: "the guest has no device of its own; none can reach memory",
  },
  "no-hypervisor": {
    tone: "hold",
    word: "no hypervisor",
    reason: "nothing below this machine separates a guest from dom0",
  },
  "no-guest": { tone: "info", word: "no guest", reason: "no guest is running, so there is nothing to keep apart" },
  unreported: { tone: "info", word: "not reported", reason: "no layout has come from this workstation yet" },
} as const satisfies Record<string, Word>;
export type IsolationKey = keyof typeof ISOLATION_WORDS;
export const ISOLATIONS = Object.keys(ISOLATION_WORDS) as [IsolationKey, ...IsolationKey[]];

export function isolationKey(layout: Layout | undefined): IsolationKey {
  if (!layout) return "unreported";
  if (layout.isolation !== "none") return layout.isolation;
  return layout.hypervisor === "none" ? "no-hypervisor" : "no-guest";
}

export const isolationWord = (layout: Layout | undefined): Word => ISOLATION_WORDS[isolationKey(layout)];
