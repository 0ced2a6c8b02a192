/** One setting before and after → the change in words. Pure. */
import { canonicalText } from "../../base/canonical.ts";
import { pcrsOf } from "../disk.ts";
import type { SectionName } from "../policy.ts";
import type { Change } from "./change.ts";
import { short } from "./definitions.ts";

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

export function diffOne(section: SectionName, path: string, before: unknown, after: unknown): Change {
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

const rulesWords = (value: unknown): string => (value === undefined ? "what each workstation has" : short(value));

const print = (value: unknown): string => (value === undefined ? "not set" : canonicalText(value));
