/** A section is made true, or only decided and recorded. */
import { z } from "zod";

export const Mode = z.enum(["enforce", "audit"]);
export type Mode = z.infer<typeof Mode>;
