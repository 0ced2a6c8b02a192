/** A LUKS2 header that says more than "encrypted": what of it is not encrypted, not done, or not known here, in words. A
 *  first encrypted part proves nothing of the others. */
import type { Dumped } from "./dumped.ts";

type Segment = Dumped["segments"][string];

/** LUKS2 On-Disk Format 1.1, 3.3: while it is encrypted in place, segments that only remember are called `backup-…`. */
export const isReal = ({ flags = [] }: Segment): boolean => !flags.some((flag) => flag.startsWith("backup-"));

/** What cryptsetup keeps by `--persistent`; none changes what is encrypted. */
const FLAGS_KNOWN = new Set([
  "allow-discards",
  "same-cpu-crypt",
  "submit-from-crypt-cpus",
  "no-journal",
  "no-read-workqueue",
  "no-write-workqueue",
  "high-priority",
]);
/** Integrity tags in the drive's own metadata; a drive that encrypts beside dm-crypt, judged by its segments. */
const REQUIREMENTS_KNOWN = new Set(["inline-hw-tags", "opal"]);
const isReencrypt = (requirement: string) => /^(?:online|offline)-reencrypt/.test(requirement);
const encryptsNothing = (cipher: string) => /^(?:cipher_)?null(?:-|$)/.test(cipher);

const RESUME = "`cryptsetup reencrypt --resume-only` ends that";
const UNDER_WAY: Record<string, string> = {
  encrypt: `it is being encrypted in place and that has not ended: what is on it can be read without a key (${RESUME})`,
  decrypt: `it is being decrypted in place: what is on it can be read without a key, in part or whole (${RESUME})`,
  reencrypt: `it is being encrypted anew in place and that has not ended: two keys open it until then (${RESUME})`,
};

export type Amiss = { amiss: string[]; isPlain: boolean; isDetached: boolean };

export function amissOf({ keyslots, segments, config }: Dumped): Amiss {
  const amiss: string[] = [];
  const live = Object.values(segments).filter(isReal);
  const slots = Object.entries(keyslots);
  const required = config.requirements?.mandatory ?? [];
  const way = slots.find(([, { type }]) => type === "reencrypt")?.[1].mode;
  if (way !== undefined || required.some(isReencrypt))
    amiss.push(UNDER_WAY[way ?? ""] ?? `it is being changed in place, in a way that is not known here (${RESUME})`);

  const bare = live.filter(({ type, encryption }) => type === "linear" || encryptsNothing(encryption ?? ""));
  if (bare.length > 0) amiss.push(`${bare.length === live.length ? "nothing" : "not all"} of it is encrypted`);
  if (live.some(({ type }) => type === "hw-opal"))
    amiss.push("its drive is to encrypt it by itself (OPAL): nothing here can tell whether it does");
  for (const { type, encryption } of live)
    if (!["crypt", "linear", "hw-opal", "hw-opal-crypt"].includes(type) || (type === "crypt" && !encryption))
      amiss.push(`a part of it is of a kind that is not known here: ${named(type)}`);
  const ciphers = [...new Set(live.flatMap(({ encryption }) => encryption ?? []))];
  if (ciphers.length > 1) amiss.push(`its parts have several ciphers: ${ciphers.map(named).join(", ")}`);
  for (const cipher of ciphers.filter(encryptsNothing)) amiss.push(`its cipher ${named(cipher)} encrypts nothing`);

  for (const [slot, { type, area }] of slots) {
    if (type !== "luks2" && type !== "reencrypt") amiss.push(`key ${slot} is of a kind that is not known here`);
    if (encryptsNothing(area?.encryption ?? "")) amiss.push(`key ${slot} lies in its slot unencrypted`);
  }
  for (const each of required.filter((one) => !isReencrypt(one) && !REQUIREMENTS_KNOWN.has(one)))
    amiss.push(`its header requires what is not known here: ${named(each)}`);
  const flags = [...(config.flags ?? []), ...live.flatMap((segment) => segment.flags ?? [])];
  for (const each of flags.filter((one) => !FLAGS_KNOWN.has(one)))
    amiss.push(`its header has a flag that is not known here: ${named(each)}`);

  const isDetached = live.some(({ offset }) => offset === 0);
  if (isDetached)
    amiss.push("its header lies apart from its data: what is named is the header, and the data is not looked at");
  const isPlain =
    way === "encrypt" ||
    way === "decrypt" ||
    live.some(({ type, encryption }) => !/crypt$/.test(type) || encryptsNothing(encryption ?? "null"));
  return { amiss: [...new Set(amiss)].slice(0, AMISS_MAX), isPlain, isDetached };
}

export const AMISS_MAX = 16;

/** A header's own words go into a sentence for people. */
const named = (word: string) => word.replaceAll(/[^\w.:+-]/g, "?").slice(0, 64);
