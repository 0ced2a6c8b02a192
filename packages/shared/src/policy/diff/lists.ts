/** A list before and after → what came, what went, and what another order does. Pure. */
import { canonicalText } from "../../base/canonical.ts";
import type { IdsSection } from "../ids.ts";
import { ruleWords } from "../network/words.ts";
import type { NetworkRule } from "../network.ts";
import type { SectionName } from "../policy.ts";
import type { Change, Effect } from "./change.ts";

/** Lists whose members each mean something: what a member that goes away or comes does. */
export const LISTS: Record<string, { one: string; many: string; gone: Effect; come: Effect }> = {
  "usb.deviceRules": { one: "device rule", many: "device rules", gone: "removed", come: "added" },
  "usb.directRules": { one: "direct-device rule", many: "direct-device rules", gone: "tighter", come: "looser" },
  "usb.denySha256": { one: "denied hash", many: "denied hashes", gone: "removed", come: "tighter" },
  "usb.denyTypes": { one: "denied type", many: "denied types", gone: "removed", come: "tighter" },
  "network.rules": { one: "network rule", many: "network rules", gone: "removed", come: "added" },
  "ids.suppress": { one: "suppression", many: "suppressions", gone: "tighter", come: "looser" },
  "ids.thresholds": { one: "alert threshold", many: "alert thresholds", gone: "tighter", come: "looser" },
};

/** In these the first that matches wins. */
const ORDERED = ["usb.deviceRules", "usb.directRules", "network.rules"];

export function diffList(section: SectionName, path: string, before: unknown[], after: unknown[]): Change[] {
  const { one, gone, come } = LISTS[path]!;
  const had = new Set(before.map(canonicalText as (value: unknown) => string));
  const has = new Set(after.map(canonicalText as (value: unknown) => string));
  const lost = before.filter((item) => !has.has(canonicalText(item)));
  const won = after.filter((item) => !had.has(canonicalText(item)));
  const changes: Change[] = [
    ...lost.map(
      (item): Change => ({
        section,
        effect: drop(path, item, gone),
        words: `${one} removed: ${printItem(path, item)}`,
      }),
    ),
    ...won.map(
      (item): Change => ({ section, effect: weigh(path, item, come), words: `${one} added: ${printItem(path, item)}` }),
    ),
  ];
  const order = orderOf(path, before, after);
  if (order) changes.push({ section, ...order });
  else if (changes.length === 0)
    changes.push({ section, effect: "other", words: `${LISTS[path]!.many} in another order` });
  return changes;
}

/** Rules that stay may change places beside one that comes or goes. One that allows and comes before one that does not,
 *  which stood before it, may let through what was stopped. */
function orderOf(path: string, before: unknown[], after: unknown[]): Omit<Change, "section"> | undefined {
  if (!ORDERED.includes(path)) return undefined;
  const places = new Map<string, number>();
  for (const [at, item] of before.entries()) {
    const text = canonicalText(item);
    if (!places.has(text)) places.set(text, at);
  }
  let [last, allowed, stopped] = [-1, -1, -1];
  let [isMoved, isLooser, isTighter] = [false, false, false];
  for (const item of after) {
    const at = places.get(canonicalText(item));
    if (at === undefined) continue;
    isMoved ||= at < last;
    last = at;
    if (allows(item)) {
      isTighter ||= at < stopped;
      allowed = Math.max(allowed, at);
    } else {
      isLooser ||= at < allowed;
      stopped = Math.max(stopped, at);
    }
  }
  if (!isMoved) return undefined;
  const moved = `${LISTS[path]!.many} in another order: the first that matches wins`;
  if (isLooser) return { effect: "looser", words: `${moved}, and one that allows comes before one that does not` };
  return { effect: isTighter ? "tighter" : "other", words: moved };
}

const allows = (rule: unknown): boolean =>
  typeof rule === "string" ? rule.trimStart().startsWith("allow") : (rule as NetworkRule).verdict === "allow";

/** A rule that kept a device from the guest stood before those that hand it over. */
function drop(path: string, item: unknown, otherwise: Effect): Effect {
  return path === "usb.directRules" && !allows(item) ? "removed" : otherwise;
}

/** An added rule that lets something through loosens, one that stops something tightens. */
function weigh(path: string, item: unknown, otherwise: Effect): Effect {
  return ORDERED.includes(path) ? (allows(item) ? "looser" : "tighter") : otherwise;
}

function printItem(path: string, item: unknown): string {
  if (typeof item === "string") return item;
  if (path === "network.rules") return ruleWords(item as NetworkRule);
  if (path === "ids.suppress") return suppressWords(item as IdsSection["suppress"][number]);
  return canonicalText(item);
}
const suppressWords = ({ signatureId, address, reason }: IdsSection["suppress"][number]): string =>
  `signature ${signatureId} ${address === undefined ? "of anybody" : `of ${address}`} (${reason})`;
