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
  /** The organisation's public key (X25519, raw, base64) that recovery keys are sealed to. */
  recoveryTo: KeyText.optional(),
});
export type DiskSection = z.infer<typeof DiskSection>;
