/** Facts, manifest, policy and time in; verdict, rule and reason out. No I/O, so that the console can replay it. */
import { unreachable } from "../base/unreachable.ts";
import { deniedFile, type OverlayEntry } from "../policy/overlay.ts";
import type { UsbSection } from "../policy/usb.ts";
import type { ManifestFile } from "./manifest.ts";
import type { ScanFacts, Scanner, Verdict } from "./scan.ts";

export type Decision = { verdict: Verdict; reason: string; rule: string; audited?: Verdict };

const DAY_MS = 86_400_000;
/** As long as a record has it: a body with a longer one is none that the console reads. */
const REASON_CHARS_MAX = 1024;
/** Of a file's name and of what is said of it: escaped, one of control characters is six times as long. */
const NAME_CHARS_MAX = 480;
const DETAIL_CHARS_MAX = 400;

/** Whether definitions with a date are older than policy lets them be. A date in the future is not trusted either. */
export function staleDefinitions(scanner: Scanner | null, daysMax: number | null, now: Date): boolean {
  if (scanner?.date == null || daysMax === null) return false;
  const age = now.getTime() - Date.parse(scanner.date);
  return age > daysMax * DAY_MS || age < -DAY_MS;
}

/** Decides by contents alone; a device has passed its rules before it is read. What the overlay denies is blocked before
 *  anything else is asked, in audit mode as well. */
export function decide(
  facts: ScanFacts,
  policy: UsbSection,
  now: Date,
  overlay: readonly OverlayEntry[] = [],
): Decision {
  const decision = decideBy(facts, policy, now, overlay);
  return { ...decision, reason: decision.reason.slice(0, REASON_CHARS_MAX).toWellFormed() };
}

function decideBy(facts: ScanFacts, policy: UsbSection, now: Date, overlay: readonly OverlayEntry[]): Decision {
  const denied = deniedFile(overlay, facts);
  if (denied) return { verdict: "block", rule: OVERLAY_RULE, reason: deniedReason(denied) };
  const decision = byContents(facts, policy, now);
  switch (policy.mode) {
    case "enforce":
      return decision;
    case "audit":
      if (decision.verdict === "allow") return decision;
      return {
        verdict: "allow",
        rule: "audit",
        reason: `audit mode; enforced it would ${decision.verdict}: ${decision.reason}`,
        audited: decision.verdict,
      };
    default:
      return unreachable(policy.mode);
  }
}

/** The rule in a record of what an overlay blocked. */
export const OVERLAY_RULE = "overlay";

export function deniedReason({ entry, file }: NonNullable<ReturnType<typeof deniedFile>>): string {
  const what = file === undefined ? "the image as a whole is denied" : about([file], "denied");
  return `${what} everywhere until ${entry.until} (overlay ${entry.id}): ${entry.reason}`.slice(0, REASON_CHARS_MAX);
}

function byContents(facts: ScanFacts, policy: UsbSection, now: Date): Decision {
  const denied = new Set(policy.denySha256);
  const listed = facts.manifest.filter((file) => file.sha256 !== null && denied.has(file.sha256));
  if (listed.length > 0)
    return { verdict: policy.infected, rule: "denySha256", reason: about(listed, "denied by hash") };

  const infected = facts.manifest.filter((file) => file.finding === "infected");
  if (infected.length > 0) return { verdict: policy.infected, rule: "infected", reason: about(infected, "infected") };

  const typed = facts.manifest.filter((file) => policy.denyTypes.some((pattern) => typeMatches(file.type, pattern)));
  if (typed.length > 0) return { verdict: "block", rule: "denyTypes", reason: about(typed, "of a denied type") };

  const doubt = doubts(facts, policy, now);
  if (doubt !== null && policy.unscannable !== "allow")
    return { verdict: policy.unscannable, rule: "unscannable", reason: doubt };
  const beside = policy.present === "image" ? outsideWords(facts) : null;
  if (beside !== null && policy.outside !== "allow")
    return { verdict: policy.outside ?? "hold", rule: "outside", reason: beside };
  if (doubt !== null) return { verdict: "allow", rule: "unscannable", reason: doubt };
  const count = facts.manifest.length;
  return { verdict: "allow", rule: "clean", reason: count === 1 ? "1 file, clean" : `${count} files, all clean` };
}

/** Why "clean" cannot be said of the whole, or null. Every doubt is one; the first is told, the rest counted. */
function doubts(facts: ScanFacts, policy: UsbSection, now: Date): string | null {
  const reasons: string[] = [];
  if (staleDefinitions(facts.scanner, policy.definitionsDaysMax, now)) {
    reasons.push(
      `the scanner's definitions are of ${facts.scanner?.date}, older than ${policy.definitionsDaysMax} days`,
    );
  }
  for (const problem of facts.problems ?? []) reasons.push(problem);
  if (facts.scanner === null) reasons.push("no scanner answered, so nothing was scanned");
  reasons.push(...unreadParts(facts));
  const unscannable = facts.manifest.filter((file) => file.finding === "unscannable");
  if (unscannable.length > 0 && facts.scanner !== null) reasons.push(about(unscannable, "unscannable"));
  if (reasons.length === 0) return null;
  const [first] = reasons;
  return (reasons.length === 1 ? first! : `${first} (and ${reasons.length - 1} more)`).slice(0, REASON_CHARS_MAX);
}

/** Partitions that nobody could read, or not whole, and why. */
function unreadParts({ partitions = [] }: ScanFacts): string[] {
  return partitions.flatMap(({ number, problem, fileSystem }) => {
    const where = number === 0 ? "the medium" : `partition ${number}`;
    if (problem !== undefined) return [`${where}: ${problem}`];
    return fileSystem === null ? [`${where}: no file system that the gate reads`] : [];
  });
}

/** Bytes that are not zero and lie in no partition; null where there are none. */
function outsideWords({ outside = [] }: ScanFacts): string | null {
  const [first, ...more] = outside.filter(({ zeros }) => !zeros);
  if (!first) return null;
  const bytes = [first, ...more].reduce((sum, gap) => sum + gap.bytes, 0);
  const where = more.length > 0 ? `, in ${more.length + 1} places` : "";
  return `the guest would get the image, and nothing has looked at the ${bytes} bytes outside of its partitions, from byte ${first.from}${where}, which are not zeros`;
}

/** What an image holds that is in no listed and hashed file, a line for each; empty where nothing is known to be. What a
 *  file system keeps free is not among it: no scan tells what lies there. */
export function unlisted(facts: ScanFacts): string[] {
  const lines: string[] = [...(facts.problems ?? []), ...unreadParts(facts)];
  const beside = outsideWords(facts);
  if (beside !== null) lines.push(beside);
  const unread = facts.manifest.filter((file) => file.sha256 === null && !file.type.startsWith("inode/"));
  if (unread.length > 0) lines.push(about(unread, "not read whole"));
  return lines;
}

function about(files: readonly ManifestFile[], what: string): string {
  const first = files[0]!;
  const name = JSON.stringify((first.path ?? `base64:${first.pathBase64}`).slice(0, NAME_CHARS_MAX));
  const detail = first.detail ? ` (${first.detail})` : "";
  const more = files.length > 1 ? `, and ${files.length - 1} more` : "";
  const shown = name.length > NAME_CHARS_MAX ? `${name.slice(0, NAME_CHARS_MAX)}…"` : name;
  return `${shown} is ${what}${detail.slice(0, DETAIL_CHARS_MAX)}${more}`;
}

function typeMatches(type: string, pattern: string): boolean {
  return pattern.endsWith("/*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}
