/** What a setting is called on the form, and its unit. A setting that is not named here is called what the text calls it. */
export type Words = { label: string; hint?: string; one?: string };

const WORDS: Record<string, Words> = {
  mode: { label: "Mode", hint: "audit decides and records, and stops nothing" },
  "usb.deviceRules": { label: "Device rules", one: "Device rule", hint: "The first match wins, no match blocks." },
  "usb.directRules": {
    label: "Direct-device rules",
    one: "Direct-device rule",
    hint: "Devices that the guest gets themselves, with contents not verified.",
  },
  "usb.infected": { label: "Infected files" },
  "usb.unscannable": { label: "Unscannable files" },
  "usb.present": { label: "The guest gets", hint: "a fresh file system of what passed, or the sealed image" },
  "usb.outside": {
    label: "Bytes outside of partitions",
    hint: "Where the guest gets the image; none: hold.",
  },
  "usb.rescan": {
    label: "Scan again when definitions change",
    hint: "Sticks that wait or are with the guest; none: yes.",
  },
  "usb.denySha256": { label: "Denied hashes (sha256)" },
  "usb.denyTypes": { label: "Denied media types", hint: "as application/x-msdownload or image/*" },
  "usb.definitionsDaysMax": { label: "Definitions are stale after, days" },
  "usb.definitions": {
    label: "The scanner’s definitions",
    one: "Database",
    hint: "None: what each workstation has.",
  },
  "usb.definitions.sha256": { label: "Sha256 of the artifact" },
  "usb.archives": { label: "Archives, at most" },
  "usb.archives.bytes": { label: "Bytes unpacked" },
  "usb.archives.ratio": { label: "Unpacked over packed" },
  "usb.archives.count": { label: "Members" },
  "usb.archives.depth": { label: "Archives within archives" },
  "usb.limits": { label: "One medium, at most" },
  "usb.limits.files": { label: "Files and folders" },
  "usb.limits.seconds": { label: "Whole pass, seconds" },
  "usb.limits.fileSeconds": { label: "One file, seconds" },
  "network.otherwise": { label: "Traffic that no rule names" },
  "network.rules": { label: "Network rules", one: "Network rule", hint: "The first match wins." },
  "network.rules.to": { label: "To address" },
  "network.rules.addresses": { label: "More addresses" },
  "network.rules.host": { label: "To host" },
  "network.rules.during": { label: "Only during", one: "Time" },
  "network.rules.during.from": { label: "From (UTC)" },
  "network.rules.during.until": { label: "Until (UTC)" },
  "ids.rules": { label: "Rule set (sha256 of an artifact)" },
  "ids.strict": { label: "Every rule must be understood", hint: "else one in a hundred may not be, and is named" },
  "ids.homeNet": {
    label: "The guests’ side (HOME_NET)",
    hint: "besides their own addresses; everything else is outside",
  },
  "ids.suppress": { label: "Suppressions", one: "Suppression" },
  "ids.suppress.signatureId": { label: "Signature" },
  "ids.thresholds": { label: "Thresholds", one: "Threshold" },
  "ids.thresholds.signatureId": { label: "Signature" },
  "ids.thresholds.by": { label: "Counted by" },
  "log.linesPerSecond": { label: "Lines a second", hint: "of one guest and source; what is held back is counted" },
  "log.burstLines": { label: "Lines in a burst" },
  "log.lineBytesMax": { label: "Longest line, bytes" },
  "log.leastSeverity": { label: "Least severity kept" },
  "log.lingerMs": { label: "A line waits for others, ms" },
  "disk.require": { label: "The guest’s volume must be" },
  "disk.recoveryKey": { label: "Recovery key" },
  "disk.ciphers": { label: "Ciphers", hint: "none: any" },
  "disk.keyBitsLeast": { label: "Key bits, at least" },
  "disk.slotsLeast": { label: "Key slots, at least" },
  "disk.tpm2": { label: "A key held by the TPM2" },
  "disk.tpm2Pcrs": { label: "Bound to PCRs, at least", hint: "4+7+8+9; empty: any" },
  "disk.tpm2Pin": { label: "With a PIN" },
  "disk.recoveryTo": { label: "Recovery keys are sealed to" },
  "agent.healthSeconds": { label: "Seconds between health records" },
  "agent.reportSeconds": { label: "Seconds between reports" },
  "agent.spoolBytesMax": { label: "Spool, bytes" },
  "agent.windowBatches": { label: "Batches in flight" },
};

/** `path` without the numbers of rows. */
export function wordsOf(path: readonly (string | number)[]): Words {
  const names = path.filter((part) => typeof part === "string");
  const last = names.at(-1) ?? "";
  return WORDS[names.join(".")] ?? WORDS[last] ?? { label: spelt(last) };
}

/** `leastSeverity` → "Least severity" */
function spelt(key: string): string {
  const words = key.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
