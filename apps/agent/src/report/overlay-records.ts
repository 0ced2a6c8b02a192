/** What was denied at the last look and what is now → a record for each overlay that changed: by an order, or because an
 *  entry has ended. Pure; what was told is remembered, so that a restart says nothing twice. */
import { deniedWords, type OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { z } from "zod";
import type { OverlayInForce } from "../policy/overlays.ts";

/** By audience: the order, and the entries that stood. */
export const ToldOverlays = z.record(z.string(), z.object({ order: z.int(), ids: z.array(z.string()) }));
export type ToldOverlays = z.infer<typeof ToldOverlays>;

const TEXT_CHARS_MAX = 500;

export function overlayRecords(
  told: ToldOverlays,
  now: readonly OverlayInForce[],
  time: number,
): { records: Observation[]; told: ToldOverlays } {
  const byAudience = new Map(now.map((each) => [each.audience, each]));
  const audiences = new Set([...Object.keys(told), ...byAudience.keys()]);
  const records = [...audiences].flatMap((audience) => {
    const before = told[audience] ?? { order: 0, ids: [] };
    const after = byAudience.get(audience);
    const entries = after?.entries ?? [];
    const added = entries.filter(({ id }) => !before.ids.includes(id));
    const gone = before.ids.filter((id) => !entries.some((entry) => entry.id === id));
    if (added.length === 0 && gone.length === 0 && (after === undefined || after.order === before.order)) return [];
    const why = after && after.order > before.order ? ("lifted" as const) : ("ended" as const);
    return [record(audience, after?.order ?? before.order, entries.length, added, { gone, why }, time)];
  });
  return {
    records,
    told: Object.fromEntries(
      now.map(({ audience, order, entries }) => [audience, { order, ids: entries.map(({ id }) => id) }]),
    ),
  };
}

function record(
  audience: string,
  order: number,
  count: number,
  added: readonly OverlayEntry[],
  { gone, why }: { gone: readonly string[]; why: "lifted" | "ended" },
  time: number,
): Observation {
  const words = [
    ...added.map(({ what, until }) => `${deniedWords(what)} until ${until}`),
    ...(gone.length > 0 ? [`${gone.length} ${why}`] : []),
  ];
  const whose = audience.split("/")[0];
  return {
    kind: "policy.overlay",
    severity: "notice",
    time,
    text: `Deny overlay of the ${whose}, order ${order}: ${count} denied now; ${words.join("; ") || "nothing changed"}`
      .slice(0, TEXT_CHARS_MAX)
      .toWellFormed(),
    body: {
      ...{ audience, order, entries: count },
      added: added.map(({ id, what, until, reason }) => ({ id, what: deniedWords(what), until, reason })),
      gone: gone.map((id) => ({ id, why })),
    },
  };
}
