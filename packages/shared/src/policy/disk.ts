/** What the guest's volume must be. */
import { z } from "zod";
import { Mode } from "./mode.ts";

export const DiskSection = z.strictObject({
  mode: Mode.default("enforce"),
  require: z.enum(["luks2", "none"]).default("luks2"),
  recoveryKey: z.boolean().default(true),
});
export type DiskSection = z.infer<typeof DiskSection>;
