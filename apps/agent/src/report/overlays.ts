/** Overlays and what a look found of the sections that make them true → what is reported of each. Pure. */
import type { DeniedKind, OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import type { OverlayState, SectionState } from "@sallyport/shared/state/reported.ts";
import { z } from "zod";

type Believed = { audience: string; order: number; digest: OverlayState["digest"]; entries: readonly OverlayEntry[] };
type Part = Pick<SectionState, "outcome" | "reason">;

const MADE_BY: Record<DeniedKind, "usb" | "network"> = { file: "usb", device: "usb", address: "network" };

/** As the network applier shows it. */
const Shown = z.object({
  unanswered: z.array(z.string()),
  /** By name in lower case, how many addresses it has: more than are blocked. */
  crowded: z.record(z.string(), z.number()).default({}),
});

export const overlayStates = (
  overlays: readonly Believed[],
  found: Partial<Record<"usb" | "network", SectionState>> | undefined,
): OverlayState[] =>
  overlays.map(({ audience, order, digest, entries }) => {
    const sections = new Set(entries.map(({ what }) => MADE_BY[what.kind]));
    const parts = [...sections].map((section) => [section, partOf(found?.[section], entries)]);
    return { audience, order, digest, entries: entries.length, ...Object.fromEntries(parts) };
  });

/** In audit mode what an overlay denies is blocked all the same. */
function partOf(found: SectionState | undefined, entries: readonly OverlayEntry[]): Part {
  if (!found) return { outcome: "failed", reason: "not looked at yet" };
  const { outcome, reason } = found;
  if (outcome !== "applied" && outcome !== "audit")
    return { outcome, ...(reason !== undefined && { reason: reason.slice(0, 512) }) };
  const shown = Shown.safeParse(found.found);
  const open = entries.flatMap(({ what }) =>
    what.kind === "address" && what.host && shown.success && shown.data.unanswered.includes(what.host)
      ? [what.host]
      : [],
  );
  const partly = entries.flatMap(({ what }) => {
    const of = what.kind === "address" && what.host && shown.success && shown.data.crowded[what.host.toLowerCase()];
    return of ? [`${what.host} has ${of} addresses: only those seen last are blocked`] : [];
  });
  if (open.length === 0 && partly.length === 0) return { outcome: "applied" };
  const none = open.length > 0 ? [`no address is known for ${open.join(", ")}: nothing is blocked by it`] : [];
  return { outcome: "failed", reason: [...none, ...partly].join("; ").slice(0, 512) };
}
