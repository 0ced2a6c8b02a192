/** Whether a text can be a rule set of Suricata's (its manual, "Rules format"): seen before any workstation is asked to
 *  load it. The detector's own test decides there. Pure. */
import { fail, ok, type Result } from "../base/result.ts";

const ACTIONS = /^(?:alert|pass|drop|reject|rejectsrc|rejectdst|rejectboth|config)\s/;
export const SID = /[;(]\s*sid\s*:\s*(\d{1,10})\s*;/;
export const GID = /[;(]\s*gid\s*:\s*(\d{1,10})\s*;/;
/** The detector knows ASCII's alone: what else looks like one is part of the action to it. */
const AROUND = /^[ \t\r]+|[ \t\r]+$/g;
const SHOWN_CHARS = 80;

/** How many rules it has. The error names the line, counted from 1. */
export function checkRules(text: string): Result<{ rules: number }> {
  if (text.includes("\u0000")) return fail("It is no text: it holds a NUL.");
  const lines = text.split("\n");
  const seen = new Map<string, number>();
  for (let at = 0; at < lines.length; at++) {
    const number = at + 1;
    let rule = lines[at]!.replace(/\r$/, "");
    if (/^[ \t]*#/.test(rule)) {
      while (/\\\r?$/.test(lines[at]!) && /^[ \t]/.test(lines[at + 1] ?? "")) at++;
      continue;
    }
    while (rule.endsWith("\\") && at + 1 < lines.length) rule = rule.slice(0, -1) + lines[++at]!.replace(/\r$/, "");
    rule = rule.replace(AROUND, "");
    if (rule === "") continue;
    const wrong = (what: string) => fail(`Line ${number} ${what}: ${rule.slice(0, SHOWN_CHARS)}`);
    if (/^[ \t]/.test(lines[number - 1]!)) return wrong("begins with a blank, and the detector passes over it");
    const first = rule.codePointAt(0)!;
    if (first < 0x20 || first > 0x7e) {
      const code = first.toString(16).toUpperCase().padStart(4, "0");
      return wrong(`begins with the character U+${code}, which the detector takes for part of the action`);
    }
    if (!ACTIONS.test(rule)) return wrong("begins with no action of a rule");
    if (!/\(.*\)$/.test(rule)) return wrong("has no options in brackets");
    const sid = SID.exec(rule)?.[1];
    if (sid === undefined) return wrong("has no sid");
    const id = `${GID.exec(rule)?.[1] ?? "1"}:${sid}`;
    const before = seen.get(id);
    if (before !== undefined) return wrong(`has the sid ${sid} of line ${before}`);
    seen.set(id, number);
  }
  return seen.size > 0 ? ok({ rules: seen.size }) : fail("It holds no rule that is turned on.");
}
