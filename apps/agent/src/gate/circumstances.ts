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
/** Of the other devices, in the journal: they stand there with each device that the guest or dom0 has. */
const ALLOWED_KEPT = 32;

const Facts = z.object({
  ...{ id: z.string(), serial: z.string(), name: z.string(), hash: z.string(), parentHash: z.string() },
  ...{ viaPort: z.string(), interfaces: z.array(z.string()), interfaceCount: z.int(), connectType: z.string() },
});
/** What was known when a device was plugged in, so that it is judged by the same after a restart too. */
export const Moment = z.object({
  /** In milliseconds. */
  at: z.number(),
  timeOfDay: z.number(),
  drawn: z.number(),
  allowed: z.array(Facts),
  past: Past,
});
export type Moment = z.infer<typeof Moment>;

export const forJournal = (moment: Moment): Moment => ({ ...moment, allowed: moment.allowed.slice(0, ALLOWED_KEPT) });

const ruleKey = (hash: Hash, { target, attributes, conditions }: Rule): string =>
  toHex(hash(toUtf8(canonicalText({ target, attributes, conditions } as unknown as Json)))).slice(0, 32);

/** The answers of a moment, without asking anew. */
export function asOf(hash: Hash, { at, timeOfDay, drawn, allowed, past }: Moment): Circumstances {
  const since = (marks: Past["applied"]) => (rule: Rule) => {
    const mark = marks[ruleKey(hash, rule)];
    return mark === undefined ? null : Math.max(0, (at - mark) / 1000);
  };
  return {
    timeOfDay,
    allowed,
    sinceApplied: since(past.applied),
    sinceEvaluated: since(past.evaluated),
    random: () => drawn,
  };
}

export type RulePast = {
  /** One draw for each plugging in: asked again it is the same. */
  moment(at: number, allowed: readonly DeviceFacts[]): Moment;
  /** Each rule that is asked by it counts as asked. */
  circumstances(moment: Moment): Circumstances;
  /** What is to be kept since it was asked last; nothing where that is the same. Rules that the policy has no more go. */
  changed(policy: Pick<UsbSection, "deviceRules" | "directRules">): Json | undefined;
};

export function rulePast(hash: Hash, kept: Json | undefined): RulePast {
  const read = Past.safeParse(kept);
  let past: Past = read.success ? read.data : { applied: {}, evaluated: {} };
  let isChanged = false;
  const keyOf = (rule: Rule) => ruleKey(hash, rule);
  return {
    moment(at, allowed) {
      const local = new Date(at);
      const timeOfDay = local.getHours() * 3600 + local.getMinutes() * 60 + local.getSeconds();
      return {
        ...{ at, timeOfDay, drawn: randomInt(DRAWS) / DRAWS, past },
        allowed: allowed.map((facts) => ({
          ...facts,
          interfaceCount: facts.interfaceCount ?? facts.interfaces.length,
        })),
      };
    },
    circumstances(moment) {
      const { at } = moment;
      return {
        ...asOf(hash, moment),
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
