/** What the guest's volume must be. It is looked at and told; nothing here encrypts or changes a volume. */
import { z } from "zod";
import { KeyText } from "../base/key.ts";
import { Mode } from "./mode.ts";

export const DiskSection = z.strictObject({
  mode: Mode.default("enforce"),
  require: z.enum(["luks2", "none"]).default("luks2"),
  recoveryKey: z.boolean().default(true),
  /** Its cipher must be one of these, as cryptsetup names it; absent: any. */
  ciphers: z
    .array(z.string().regex(/^[a-z0-9-]{3,64}$/, "a cipher is aes-xts-plain64"))
    .min(1)
    .max(8)
    .optional(),
  /** Of each key of the volume; XTS has two keys in one, so AES-256 in XTS has 512. */
  keyBitsLeast: z.int().min(128).max(4096).optional(),
  slotsLeast: z.int().min(1).max(32).optional(),
  /** One of its keys must be held by the machine's TPM2. */
  tpm2: z.boolean().optional(),
  /** What each key that the TPM2 holds must be bound to at least, as systemd-cryptenroll writes it; absent: anything. */
  tpm2Pcrs: z
    .string()
    .regex(/^(?:1?\d|2[0-3])(?:\+(?:1?\d|2[0-3])){0,23}$/, "PCRs are 4+7+8+9")
    .optional(),
  /** Each key that the TPM2 holds must want a PIN as well. */
  tpm2Pin: z.boolean().optional(),
  /** The organisation's public key (X25519, raw, base64) that recovery keys are sealed to. */
  recoveryTo: KeyText.optional(),
});

/** Sorted, each once. */
export const pcrsOf = (written: string): number[] =>
  [...new Set(written.split("+").map(Number))].sort((one, other) => one - other);

export type DiskSection = z.infer<typeof DiskSection>;
