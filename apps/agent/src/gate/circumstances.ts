/** What conditions of device rules ask about, live: the time, the other devices, chance, and when each rule was asked and
 *  applied before (usbguard-rules.conf(5)). The past is kept over restarts; what was known when a device was plugged in is
 *  kept with it, so that it is judged again by the same. */
import { randomInt } from "node:crypto";
import { toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { Circumstances, DeviceFacts } from "@sallyport/shared/usb/rules/match.ts";
import { parseRules } from "@sallyport/shared/usb/rules/parse.ts";
import { asksPast, type Rule } from "@sallyport/shared/usb/rules/rule.ts";
import { z } from "zod";

/** Its name among the sources' positions. */
export const PAST_POSITION = "usb-gate/rules";

/** Milliseconds by a rule's key. A rule is the same as long as it says the same. */
const Past = z.object({ applied: z.record(z.string(), z.number()), evaluated: z.record(z.string(), z.number()) });
type Past = z.infer<typeof Past>;

const DRAWS = 2 ** 47;

export type RulePast = {
  circumstances(at: number, allowed: readonly DeviceFacts[]): Circumstances;
  /** What is to be kept since it was asked last; nothing where that is the same. Rules that the policy has no more go. */
  changed(policy: Pick<UsbSection, "deviceRules" | "directRules">): Json | undefined;
};

export function rulePast(hash: Hash, kept: Json | undefined): RulePast {
  const read = Past.safeParse(kept);
  let past: Past = read.success ? read.data : { applied: {}, evaluated: {} };
  let isChanged = false;
  const keyOf = ({ target, attributes, conditions }: Rule): string =>
    toHex(hash(toUtf8(canonicalText({ target, attributes, conditions } as unknown as Json)))).slice(0, 32);
  return {
    circumstances(at, allowed) {
      const before = past;
      const since = (marks: Past["applied"]) => (rule: Rule) => {
        const mark = marks[keyOf(rule)];
        return mark === undefined ? null : Math.max(0, (at - mark) / 1000);
      };
      // one draw for each plugging in: asked again it is the same
      const drawn = randomInt(DRAWS) / DRAWS;
      const local = new Date(at);
      return {
        timeOfDay: local.getHours() * 3600 + local.getMinutes() * 60 + local.getSeconds(),
        allowed,
        sinceApplied: since(before.applied),
        sinceEvaluated: since(before.evaluated),
        random: () => drawn,
        asked(rule, applied) {
          if (!asksPast(rule)) return;
          const key = keyOf(rule);
          past = {
            applied: applied ? { ...past.applied, [key]: at } : past.applied,
            evaluated: { ...past.evaluated, [key]: at },
          };
          isChanged = true;
        },
      };
    },
    changed({ deviceRules, directRules }) {
      if (!isChanged) return undefined;
      isChanged = false;
      const parsed = parseRules([...directRules, ...deviceRules].join("\n"));
      const keys = new Set(parsed.ok ? parsed.value.filter(asksPast).map(keyOf) : []);
      const own = (marks: Past["applied"]) =>
        Object.fromEntries(Object.entries(marks).filter(([key]) => keys.has(key)));
      past = { applied: own(past.applied), evaluated: own(past.evaluated) };
      return past;
    },
  };
}
