/** What an agent found in force of a section, in words: what detector and scanner say they have. Pure; a shape of another
 *  agent's age says nothing. */

import { count, plural } from "@sallyport/shared/base/count.ts";
import { DiskState } from "@sallyport/shared/disk/state.ts";
import type { SectionName } from "@sallyport/shared/policy/policy.ts";
import type { Reported } from "@sallyport/shared/state/reported.ts";
import { z } from "zod";

const Ids = z.object({
  running: z
    .object({ version: z.string(), loaded: z.number(), failed: z.number(), packets: z.number(), drops: z.number() })
    .nullable(),
  rules: z.object({ sha256: z.string() }).nullable(),
});
const Usb = z.object({
  scanner: z
    .object({
      engine: z.string(),
      definitions: z.string().nullable(),
      date: z.string().nullable(),
      set: z.string().optional(),
    })
    .nullable(),
});

/** What was found of the guest's volume; nothing where none was, or it is of no LUKS2. */
export function foundVolume(reported: Reported | null): (Luks2 & { device: string }) | undefined {
  const read = DiskState.safeParse(reported?.sections.disk?.found).data;
  return read?.content.is === "luks2" ? { ...read.content, device: read.volume } : undefined;
}
type Luks2 = Extract<DiskState["content"], { is: "luks2" }>;

const Network = z.object({ drops: z.record(z.string(), z.record(z.string(), z.number())) });

const DIGITS = 12;
/** Reasons named for one guest; the rest are a sum. */
const REASONS_SHOWN = 3;

/** A line for each guest; who had most dropped comes first. */
function dropWords(drops: Record<string, Record<string, number>>): string | undefined {
  const sum = (counts: readonly number[]) => counts.reduce((all, each) => all + each, 0);
  const guests = Object.entries(drops)
    .map(([guest, reasons]) => ({ guest, reasons: Object.entries(reasons).sort(([, a], [, b]) => b - a) }))
    .map((each) => ({ ...each, total: sum(each.reasons.map(([, packets]) => packets)) }))
    .filter(({ total }) => total > 0)
    .sort((a, b) => b.total - a.total);
  if (guests.length === 0) return undefined;
  const words = guests.map(({ guest, reasons, total }) => {
    const rest = sum(reasons.slice(REASONS_SHOWN).map(([, packets]) => packets));
    const named = reasons.slice(0, REASONS_SHOWN).map(([reason, packets]) => `${reason} ${count(packets)}`);
    const who = guest === "unknown" ? "unknown vif" : guest;
    return `${who}: ${plural(total, "packet")} dropped (${[...named, ...(rest > 0 ? [`others ${count(rest)}`] : [])].join(", ")})`;
  });
  return words.join("\n");
}

const Unbound = z.object({ unbound: z.array(z.string()).min(1) });

/** It is in force, and a guest may still use any MAC: that never looks as good as a section that binds each. */
export const isLoose = (section: SectionName, untrustedFound: unknown): boolean =>
  section === "network" && Unbound.safeParse(untrustedFound).success;

export function foundWords(section: SectionName, untrustedFound: unknown): string | undefined {
  if (section === "ids") {
    const read = Ids.safeParse(untrustedFound).data;
    if (!read?.running) return undefined;
    const { version, loaded, failed, packets, drops } = read.running;
    return [
      `Suricata ${version.replace(/ RELEASE$/, "")}`,
      `${count(loaded)} rules loaded${failed > 0 ? `, ${count(failed)} failed` : ""}`,
      ...(read.rules ? [`rule set ${read.rules.sha256.slice(0, DIGITS)}`] : []),
      `${count(drops)} of ${count(packets)} packets unseen`,
    ].join(" · ");
  }
  if (section === "network") {
    const read = Network.safeParse(untrustedFound).data;
    return read && dropWords(read.drops);
  }
  if (section === "usb") {
    const scanner = Usb.safeParse(untrustedFound).data?.scanner;
    if (!scanner) return undefined;
    const { engine, definitions, date, set } = scanner;
    return [
      engine,
      `definitions ${definitions ?? "without a version"}${date ? ` of ${date.slice(0, 10)}` : ""}`,
      ...(set ? [`the policy’s set ${set.slice(0, DIGITS)}`] : []),
    ].join(" · ");
  }
  return undefined;
}
