/** The `ids` section in the detector's own words: its threshold file, and how many rules a rule file must load. Pure. */
import { GID, SID } from "../artifact/rules.ts";
import type { IdsSection } from "./ids.ts";

/** A signature's number has 32 bits. A larger one is no rule's, and for one line with it Suricata refuses the whole file,
 *  where it passes over a number that the set has not. */
const SIGNATURE_ID_MAX = 0xffff_ffff;
const isPossible = ({ signatureId }: { signatureId: number }): boolean => signatureId <= SIGNATURE_ID_MAX;

/** Suricata's threshold.config: suppressions, then thresholds. Reasons stay in the policy: they are people's words. */
export function thresholdText({ suppress, thresholds = [] }: IdsSection): string {
  const lines = [
    ...suppress.filter(isPossible).map(({ signatureId, address }) => {
      const id = `suppress gen_id 1, sig_id ${signatureId}`;
      // who is meant may be either end
      return address === undefined ? id : `${id}, track by_either, ip ${address}`;
    }),
    ...thresholds
      .filter(isPossible)
      .map(
        ({ signatureId, kind, by, count, seconds }) =>
          `threshold gen_id 1, sig_id ${signatureId}, type ${kind}, track by_${by === "source" ? "src" : "dst"}, count ${count}, seconds ${seconds}`,
      ),
  ];
  return `# written by sallyport-agent from the policy's ids section\n${lines.map((line) => `${line}\n`).join("")}`;
}

/** Rules that are not commented out; one may go on over lines that end with a backslash, a comment only where they are
 *  indented: those the detector passes over. Blanks are ASCII's: it knows no others, nor a byte order mark. */
function* rulesIn(text: string): Generator<string> {
  let goesOn: "rule" | "comment" | undefined;
  let rule = "";
  for (const line of text.split("\n")) {
    const isIndented = goesOn === "comment" && /^[ \t]/.test(line);
    const isComment = goesOn !== "rule" && (isIndented || /^[ \t\r\v\f]*(?:#|$)/.test(line));
    goesOn = !/\\\r?$/.test(line) ? undefined : isComment ? "comment" : "rule";
    if (isComment) continue;
    rule += line.replace(/\\\r?$/, "");
    if (goesOn === "rule") continue;
    yield rule;
    rule = "";
  }
  if (rule !== "") yield rule;
}

/** `signatures`: their numbers, of those that suppressions and thresholds can speak of (generator 1). */
export function readRules(text: string): { count: number; signatures: number[] } {
  let count = 0;
  const signatures: number[] = [];
  for (const rule of rulesIn(text)) {
    count += 1;
    const sid = SID.exec(rule)?.[1];
    if (sid !== undefined && (GID.exec(rule)?.[1] ?? "1") === "1") signatures.push(Number(sid));
  }
  return { count, signatures };
}

export const countRules = (rules: string): number => readRules(rules).count;

/** Numbers that a section speaks of and a set has not: the detector passes over them, and nothing is suppressed by them. */
export function absentSignatures({ suppress, thresholds = [] }: IdsSection, signatures: readonly number[]): number[] {
  const named = [...new Set([...suppress, ...thresholds].map(({ signatureId }) => signatureId))];
  if (named.length === 0) return [];
  const has = new Set(signatures);
  return named.filter((id) => !has.has(id));
}

/** Of a set of tens of thousands a few rules may be for another version of the detector. */
export const NOT_UNDERSTOOD_SHARE_MAX = 0.01;

/** Why a set may not be in force of which so many rules are loaded; nothing where it may. */
export function whyNotEnough(
  { strict }: Pick<IdsSection, "strict">,
  count: number,
  loaded: number,
): string | undefined {
  const absent = count - loaded;
  if (absent === 0) return undefined;
  const words = `${loaded} of ${count} rules are loaded`;
  if (absent < 0) return words;
  if (strict) return `${words}, and the policy wants all`;
  return absent > count * NOT_UNDERSTOOD_SHARE_MAX ? `${words}, and more than one in a hundred is not` : undefined;
}
