/** The intrusion detector on the guest's wire. */
import { z } from "zod";
import { Sha256 } from "../base/ids.ts";
import { Mode } from "./mode.ts";
import { NetworkAddress } from "./network.ts";

export const IdsSection = z.strictObject({
  mode: Mode.default("enforce"),
  /** The rule set as an artifact; absent: what the workstation has. */
  rules: Sha256.optional(),
  /** A rule that the detector does not understand refuses the whole set; otherwise the rest is loaded and the report names
   *  it, up to a hundredth of the set. */
  strict: z.boolean().optional(),
  /** What belongs to the guests' side besides their own addresses: HOME_NET of the rules; everything else is outside. */
  homeNet: z
    .array(
      NetworkAddress.refine((address) => !address.endsWith("/0"), "a prefix of length 0 would leave nothing outside"),
    )
    .max(256)
    .optional(),
  suppress: z
    .array(
      z.strictObject({
        signatureId: z.int().min(1),
        address: NetworkAddress.optional(),
        reason: z.string().min(1).max(256),
      }),
    )
    .max(1_000)
    .default([]),
  /** How often one signature may alert. `limit`: at most `count` alerts in so many seconds; `threshold`: one for each
   *  `count` matches; `both`: one, once there were `count`. */
  thresholds: z
    .array(
      z.strictObject({
        signatureId: z.int().min(1),
        kind: z.enum(["limit", "threshold", "both"]),
        by: z.enum(["source", "destination"]).default("source"),
        count: z.int().min(1).max(1_000_000),
        seconds: z.int().min(1).max(86_400),
      }),
    )
    .max(1_000)
    .optional(),
});
export type IdsSection = z.infer<typeof IdsSection>;
