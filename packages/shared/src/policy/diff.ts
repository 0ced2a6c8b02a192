/** What a new policy changes against the one in force, in words; losses and loosenings first, and counted. Pure. */
import { canonicalText } from "../base/canonical.ts";
import type { Change, Effect } from "./diff/change.ts";
import { type Ciphers, diffCiphers } from "./diff/ciphers.ts";
import { type Definitions, diffDefinitions } from "./diff/definitions.ts";
import { diffList, LISTS } from "./diff/lists.ts";
import { diffOne } from "./diff/setting.ts";
import { type Policy, SECTIONS, type SectionName } from "./policy.ts";

const EFFECT_ORDER: readonly Effect[] = ["removed", "looser", "other", "tighter", "added"];

/** What weighs most first (`EFFECT_ORDER`); empty where both mean the same. */
export function diffPolicy(before: Policy, after: Policy): Change[] {
  return SECTIONS.flatMap((section) => diffValue(section, section, before[section], after[section])).sort(
    (a, b) => EFFECT_ORDER.indexOf(a.effect) - EFFECT_ORDER.indexOf(b.effect),
  );
}

function diffValue(section: SectionName, path: string, before: unknown, after: unknown): Change[] {
  if (canonicalText(before ?? null) === canonicalText(after ?? null)) return [];
  if (path === "usb.definitions") return diffDefinitions(before as Definitions, after as Definitions);
  if (path in LISTS) return diffList(section, path, (before ?? []) as unknown[], (after ?? []) as unknown[]);
  if (path === "disk.ciphers") return diffCiphers(before as Ciphers, after as Ciphers);
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => diffValue(section, `${path}.${key}`, before[key], after[key]));
  }
  return [diffOne(section, path, before, after)];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
