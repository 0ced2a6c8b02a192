/** What dom0 found of the guest's volume, and what of it is not as policy wants. Pure. */
import { z } from "zod";
import { fromBase64 } from "../base/bytes.ts";
import type { Hash } from "../base/crypto.ts";
import { Sha256 } from "../base/ids.ts";
import { VolumeUuid } from "../command/command.ts";
import { type DiskSection, pcrsOf } from "../policy/disk.ts";
import { AMISS_MAX } from "./amiss.ts";
import { RECOVERY_KEYS_MAX, RecoveryKey, recoveryFault } from "./recovery.ts";
import { organisationKeyId } from "./sealed.ts";

/** Backups of the header that the agent is told of. */
export const HEADER_COPIES_MAX = 16;
const TPM2_TOKEN = "systemd-tpm2";

/** `tpm2`: what a TPM2's key is bound to. */
const Token = z.object({
  type: z.string().max(128),
  slots: z.array(z.int()).max(32),
  tpm2: z.object({ pcrs: z.array(z.int()).max(32), pin: z.boolean() }).optional(),
});

/** `disk.state`. `header` is the sha256 over both copies of the metadata: it changes with each slot and token. */
export const DiskState = z.object({
  volume: z.string().max(256),
  tpm: z.enum(["present", "absent"]),
  /** Copies of its header that a wipe could not destroy, each with why. */
  beyond: z.array(z.string().max(512)).max(HEADER_COPIES_MAX).optional(),
  content: z.discriminatedUnion("is", [
    z.object({
      is: z.literal("luks2"),
      uuid: VolumeUuid,
      cipher: z.string().max(128),
      sectorBytes: z.int(),
      slots: z.array(z.object({ slot: z.int(), kdf: z.string().max(64), keyBits: z.int() })).max(32),
      tokens: z.array(Token).max(32),
      /** Its recovery keys; absent where nobody could say what is sealed. */
      recovery: z.array(RecoveryKey).max(RECOVERY_KEYS_MAX).optional(),
      header: Sha256,
      integrity: z.string().max(64).optional(),
      /** What is not as a volume at rest should be, in words: parts in the clear, a change under way, what is unknown. */
      amiss: z.array(z.string().max(512)).max(AMISS_MAX).optional(),
      /** Whether it is unlocked now; absent where that cannot be asked. */
      open: z.boolean().optional(),
    }),
    z.object({ is: z.literal("other"), what: z.string().max(256) }),
    z.object({ is: z.literal("absent") }),
    z.object({ is: z.literal("unreadable"), why: z.string().max(512) }),
  ]),
});
export type DiskState = z.infer<typeof DiskState>;
type Luks2 = Extract<DiskState["content"], { is: "luks2" }>;

/** Keys that a TPM2 holds and that are there. */
const tpm2Keys = ({ slots, tokens }: Luks2) =>
  tokens.flatMap((token) =>
    token.type === TPM2_TOKEN
      ? slots.filter(({ slot }) => token.slots.includes(slot)).map(({ slot }) => ({ slot, bound: token.tpm2 }))
      : [],
  );

/** Any of them opens the volume: the loosest counts. */
function tpm2Faults({ tpm2Pcrs, tpm2Pin }: DiskSection, content: Luks2): string[] {
  return tpm2Keys(content).flatMap(({ slot, bound }) => {
    const pcrs = bound?.pcrs ?? [];
    const lacks = (tpm2Pcrs === undefined ? [] : pcrsOf(tpm2Pcrs)).filter((pcr) => !pcrs.includes(pcr));
    return [
      ...(lacks.length > 0
        ? [
            `key ${slot}, which a TPM2 holds, is bound to ${pcrs.length > 0 ? `PCR ${pcrs.join("+")}` : "no PCR"}; wanted is ${tpm2Pcrs}`,
          ]
        : []),
      ...(tpm2Pin && !bound?.pin ? [`key ${slot}, which a TPM2 holds, wants no PIN`] : []),
    ];
  });
}

/** In words, what is not as the section wants; empty where all is. A copy of the header that no wipe reaches is never. */
export const diskFaults = (hash: Hash, wanted: DiskSection, state: DiskState): string[] => [
  ...contentFaults(hash, wanted, state),
  ...beyondFaults(state),
];

const beyondFaults = ({ beyond = [] }: DiskState): string[] =>
  beyond.map((fault) => `a wipe could not destroy the copy of its header ${fault}`);

function contentFaults(hash: Hash, wanted: DiskSection, { volume, content, tpm }: DiskState): string[] {
  if (content.is === "unreadable") return [`${volume} cannot be looked at: ${content.why}`];
  if (wanted.require === "none") return [];
  if (content.is === "absent") return [`there is no ${volume}`];
  if (content.is === "other") return [`${volume} is not encrypted with LUKS2: ${content.what}`];
  const wantedTo = wanted.recoveryTo === undefined ? undefined : organisationKeyId(hash, fromBase64(wanted.recoveryTo));
  const faults = [...(content.amiss ?? [])];
  const { ciphers, keyBitsLeast, slotsLeast, tpm2, recoveryKey } = wanted;
  if (content.slots.length === 0) faults.push("it has no key left: nothing opens it any more");
  if (ciphers && !ciphers.includes(content.cipher))
    faults.push(`its cipher is ${content.cipher}; wanted is ${ciphers.join(" or ")}`);
  const weak = content.slots.filter(({ keyBits }) => keyBits < (keyBitsLeast ?? 0));
  if (weak.length > 0)
    faults.push(
      `its key has ${Math.min(...weak.map(({ keyBits }) => keyBits))} bits; at least ${keyBitsLeast} are wanted`,
    );
  if (slotsLeast !== undefined && content.slots.length < slotsLeast)
    faults.push(`it has ${content.slots.length} keys; at least ${slotsLeast} are wanted`);
  const unescrowed = recoveryKey ? recoveryFault(content.recovery ?? [], wantedTo) : undefined;
  if (unescrowed) faults.push(unescrowed);
  if (tpm2 && tpm2Keys(content).length === 0)
    faults.push(`no key of it is held by a TPM2${tpm === "absent" ? ", and there is no TPM on this machine" : ""}`);
  faults.push(...tpm2Faults(wanted, content));
  return faults;
}

/** One line for people. */
export const diskWords = (state: DiskState): string => [contentWords(state), ...beyondFaults(state)].join("; ");

function contentWords({ volume, content }: DiskState): string {
  switch (content.is) {
    case "luks2": {
      const { cipher, slots, tokens, open, integrity, amiss = [] } = content;
      const held = tokens.length === 0 ? "no tokens" : `tokens: ${tokens.map(({ type }) => type).join(", ")}`;
      const state = open === undefined ? "" : open ? ", open" : ", locked";
      const tags = integrity === undefined ? "" : ` with integrity ${integrity}`;
      const but = amiss.length === 0 ? "" : `; but ${amiss.join("; ")}`;
      return `${volume}: LUKS2, ${cipher}${tags}, ${slots.length} keys, ${held}${state}${but}`;
    }
    case "other":
      return `${volume}: ${content.what}`;
    case "absent":
      return `${volume}: there is no such device or file`;
    case "unreadable":
      return `${volume}: ${content.why}`;
  }
}
