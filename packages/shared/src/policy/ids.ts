/** The intrusion detector on the guest's wire. */
import { z } from "zod";
import { Sha256 } from "../base/ids.ts";
import { Mode } from "./mode.ts";

export const IdsSection = z.strictObject({
  mode: Mode.default("enforce"),
  /** The rule set as an artifact; absent: what the workstation has. */
  rules: Sha256.optional(),
  suppress: z
    .array(
      z.strictObject({
        signatureId: z.int().min(1),
        address: z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]).optional(),
        reason: z.string().min(1).max(256),
      }),
    )
    .max(1_000)
    .default([]),
});
export type IdsSection = z.infer<typeof IdsSection>;
