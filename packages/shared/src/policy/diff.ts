/** What a new policy changes against the one in force, in words; losses and loosenings first, and counted. Pure. */
import { canonicalText } from "../base/canonical.ts";
import { pcrsOf } from "./disk.ts";
import type { IdsSection } from "./ids.ts";
import { ruleWords } from "./network/words.ts";
import type { NetworkRule } from "./network.ts";
import { type Policy, SECTIONS, type SectionName } from "./policy.ts";

/** `looser`: something that was stopped or kept no longer is, or may not be. `tighter`: the reverse. `other`: neither
 *  can be said. A removed rule is always counted, whatever it did. */
export type Effect = "removed" | "looser" | "tighter" | "added" | "other";
export type Change = { section: SectionName; effect: Effect; words: string };

const EFFECT_ORDER: readonly Effect[] = ["removed", "looser", "other", "tighter", "added"];

/** From strict to loose; a move to the right loosens. */
type Scale = { values: readonly unknown[]; words: (value: unknown) => string };
const scale = (what: string, values: readonly string[]): Scale => ({ values, words: (value) => `${what}: ${value}` });

const MODE = scale("mode", ["enforce", "audit"]);
const SCALES: Record<string, Scale> = {
  "usb.mode": MODE,
  "usb.infected": scale("infected files", ["block", "hold"]),
  "usb.unscannable": scale("unscannable files", ["block", "hold", "allow"]),
  "usb.present": scale("what the guest gets", ["rebuild", "image"]),
  "usb.outside": scale("bytes outside of partitions in an image", ["block", "hold", "allow"]),
  "network.mode": MODE,
  "network.otherwise": scale("traffic that no rule names", ["block", "allow"]),
  "ids.mode": MODE,
  "log.mode": MODE,
  "log.leastSeverity": scale("least severity kept", ["debug", "info", "notice", "warning", "error", "critical"]),
  "disk.mode": MODE,
  "disk.require": scale("required of the guest's volume", ["luks2", "none"]),
  "agent.mode": MODE,
};

/** What a setting means that need not be there. */
const UNSET: Record<string, string> = { "usb.outside": "hold" };

/** Numbers where more is looser (`up`) or stricter (`down`), with their unit. */
const NUMBERS: Record<string, { looserWhen: "up" | "down"; words: string }> = {
  "usb.archives.bytes": { looserWhen: "up", words: "bytes unpacked from archives at most" },
  "usb.archives.ratio": { looserWhen: "up", words: "an archive member's ratio at most" },
  "usb.archives.count": { looserWhen: "up", words: "archive members at most" },
  "usb.archives.depth": { looserWhen: "up", words: "archives within archives at most" },
  "usb.limits.files": { looserWhen: "up", words: "files and folders of one medium at most" },
  "usb.limits.seconds": { looserWhen: "up", words: "seconds for one medium at most" },
  "usb.limits.fileSeconds": { looserWhen: "up", words: "seconds for one file at most" },
  "log.linesPerSecond": { looserWhen: "down", words: "lines a second kept of a guest" },
  "log.burstLines": { looserWhen: "down", words: "lines in a burst kept of a guest" },
  "agent.healthSeconds": { looserWhen: "up", words: "seconds between health records" },
  "agent.reportSeconds": { looserWhen: "up", words: "seconds between reports" },
  "agent.spoolBytesMax": { looserWhen: "down", words: "bytes the spool may hold" },
};

/** Numbers that a volume must have at least; not set asks nothing. */
const LEAST: Record<string, string> = {
  "disk.keyBitsLeast": "bits of each key of the guest's volume at least",
  "disk.slotsLeast": "keys of the guest's volume at least",
};

/** Lists whose members each mean something: what a member that goes away or comes does. */
const LISTS: Record<string, { one: string; many: string; gone: Effect; come: Effect }> = {
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

function diffOne(section: SectionName, path: string, before: unknown, after: unknown): Change {
  const steps = SCALES[path];
  if (steps) {
    const [was, is] = [before ?? UNSET[path], after ?? UNSET[path]];
    const effect = steps.values.indexOf(is) > steps.values.indexOf(was) ? "looser" : "tighter";
    return { section, effect: is === was ? "other" : effect, words: `${steps.words(was)} → ${is}` };
  }
  const number = NUMBERS[path];
  if (number) {
    const up = Number(after) > Number(before);
    const effect = up === (number.looserWhen === "up") ? "looser" : "tighter";
    return { section, effect, words: `${number.words}: ${print(before)} → ${print(after)}` };
  }
  const least = LEAST[path];
  if (least) {
    const effect = Number(after ?? 0) > Number(before ?? 0) ? "tighter" : "looser";
    return { section, effect, words: `${least}: ${print(before)} → ${print(after)}` };
  }
  if (path === "disk.tpm2Pcrs") {
    const [was, is] = [before, after].map((each) => (each === undefined ? [] : pcrsOf(String(each))));
    const gone = was!.some((pcr) => !is!.includes(pcr));
    const words = `a key held by the TPM2 is bound to PCRs, at least: ${before ?? "any"} → ${after ?? "any"}`;
    return { section, effect: gone ? "looser" : is!.length > was!.length ? "tighter" : "other", words };
  }
  if (path === "disk.tpm2" || path === "disk.tpm2Pin") {
    const what = path === "disk.tpm2" ? "a key held by the TPM2" : "a PIN for a key held by the TPM2";
    const words = `${what} is required: ${print(before)} → ${print(after)}`;
    return { section, effect: after === true ? "tighter" : before === true ? "looser" : "other", words };
  }
  if (path === "usb.rescan") {
    const words = `sticks are scanned again when definitions change: ${before ?? true} → ${after ?? true}`;
    const effect = (before ?? true) === (after ?? true) ? "other" : after === false ? "looser" : "tighter";
    return { section, effect, words };
  }
  if (path === "usb.definitionsDaysMax") {
    const days = (value: unknown) => (value === null ? Number.POSITIVE_INFINITY : Number(value));
    const words = `days until definitions are stale: ${before ?? "never"} → ${after ?? "never"}`;
    return { section, effect: days(after) > days(before) ? "looser" : "tighter", words };
  }
  if (path === "ids.rules") {
    const words = `the detector's rule set: ${rulesWords(before)} → ${rulesWords(after)}`;
    return { section, effect: "other", words };
  }
  if (path === "ids.strict") {
    const words = `every rule of the detector's set must be understood: ${before === true ? "yes" : "no"} → ${after === true ? "yes" : "no"}`;
    return { section, effect: after === true ? "tighter" : before === true ? "looser" : "other", words };
  }
  if (path === "ids.homeNet") {
    const words = `the guests' side for the detector, besides their own addresses: ${netWords(before)} → ${netWords(after)}`;
    return { section, effect: "other", words };
  }
  if (path === "disk.recoveryKey")
    return { section, effect: "other", words: `a recovery key: ${print(before)} → ${print(after)}` };
  return { section, effect: "other", words: `${path}: ${print(before)} → ${print(after)}` };
}

const netWords = (addresses: unknown): string => (Array.isArray(addresses) ? addresses.join(", ") : "") || "none";

type Ciphers = readonly string[] | undefined;

/** Not set allows any. */
function diffCiphers(before: Ciphers, after: Ciphers): Change[] {
  const section = "disk";
  const isIn = (all: NonNullable<Ciphers>, some: NonNullable<Ciphers>) => some.every((each) => all.includes(each));
  const isLooser = before !== undefined && (after === undefined || !isIn(before, after));
  const isSame = before !== undefined && after !== undefined && isIn(before, after) && isIn(after, before);
  const say = (all: Ciphers) => all?.join(", ") ?? "any";
  const words = `ciphers of the guest's volume: ${say(before)} → ${say(after)}`;
  return [{ section, effect: isSame ? "other" : isLooser ? "looser" : "tighter", words }];
}

type Definitions = readonly { name: string; sha256: string }[] | undefined;

const DIGITS_SHOWN = 12;
const short = (sha256: unknown): string => String(sha256).slice(0, DIGITS_SHOWN);
const rulesWords = (value: unknown): string => (value === undefined ? "what each workstation has" : short(value));

/** File by file: a set is renewed a file at a time. */
function diffDefinitions(before: Definitions, after: Definitions): Change[] {
  const section = "usb";
  if (!before || !after) {
    const words = `the scanner's definitions: ${before ? "no longer the policy's" : "the policy's"}, ${after ? "instead of" : "but"} what each workstation has`;
    const files = (after ?? []).map(
      ({ name, sha256 }): Change => ({ section, effect: "other", words: `definitions ${name}: ${short(sha256)}` }),
    );
    return [{ section, effect: "other", words }, ...files];
  }
  const sumOf = (files: NonNullable<Definitions>) => new Map(files.map(({ name, sha256 }) => [name, sha256]));
  const [had, has] = [sumOf(before), sumOf(after)];
  return [...new Set([...had.keys(), ...has.keys()])].sort().flatMap((name): Change[] => {
    const [old, now] = [had.get(name), has.get(name)];
    if (old === now) return [];
    if (now === undefined)
      return [{ section, effect: LOOSENING.test(name) ? "tighter" : "removed", words: `definitions removed: ${name}` }];
    if (old === undefined) {
      const effect = LOOSENING.test(name) ? "looser" : "tighter";
      return [{ section, effect, words: `definitions added: ${name}, ${short(now)}` }];
    }
    return [{ section, effect: "other", words: `definitions ${name}: ${short(old)} → ${short(now)}` }];
  });
}

/** Files that name what the scanner is to let pass. */
const LOOSENING = /\.(?:fp|sfp|ign|ign2|wdb)$/;

function diffList(section: SectionName, path: string, before: unknown[], after: unknown[]): Change[] {
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

/** One line for the head of a page: what is lost, what is loosened, and how much else. */
export function summariseDiff(changes: readonly Change[]): string {
  if (changes.length === 0) return "Nothing changes.";
  const parts: string[] = [];
  for (const { one, many } of Object.values(LISTS)) {
    const count = changes.filter(
      ({ effect, words }) => effect === "removed" && words.startsWith(`${one} removed`),
    ).length;
    if (count > 0) parts.push(`${count} ${count === 1 ? one : many} removed`);
  }
  const definitions = changes.filter(({ words }) => words.startsWith("definitions removed")).length;
  if (definitions > 0) parts.push(`${definitions} of the scanner's databases removed`);
  const looser = changes.filter(({ effect }) => effect === "looser");
  const [first, ...more] = looser;
  if (first) {
    const words = first.words.startsWith("mode: ") ? `${first.section} ${first.words}` : first.words;
    parts.push(`${looser.length} loosened: ${words}${more.length > 0 ? ` and ${more.length} more` : ""}`);
  }
  const tighter = changes.filter(({ effect }) => effect === "tighter").length;
  if (tighter > 0) parts.push(`${tighter} tightened`);
  const rest = changes.length - looser.length - tighter - changes.filter(({ effect }) => effect === "removed").length;
  if (rest > 0) parts.push(`${rest} other ${rest === 1 ? "change" : "changes"}`);
  return `${parts.join("; ")}.`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const print = (value: unknown): string => (value === undefined ? "not set" : canonicalText(value));
function printItem(path: string, item: unknown): string {
  if (typeof item === "string") return item;
  if (path === "network.rules") return ruleWords(item as NetworkRule);
  if (path === "ids.suppress") return suppressWords(item as IdsSection["suppress"][number]);
  return canonicalText(item);
}
const suppressWords = ({ signatureId, address, reason }: IdsSection["suppress"][number]): string =>
  `signature ${signatureId} ${address === undefined ? "of anybody" : `of ${address}`} (${reason})`;
