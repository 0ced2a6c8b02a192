/** The agent's own settings. */
import { z } from "zod";
import { Mode } from "./mode.ts";

export const AgentSection = z.strictObject({
  mode: Mode.default("enforce"),
  /** How often an `agent.health` record is made. */
  healthSeconds: z.int().min(5).max(86_400).default(300),
  /** How often the state is looked at and reported when nothing changed. */
  reportSeconds: z.int().min(5).max(3_600).default(60),
  /** Bytes of contents the spool may hold; a tenth is kept for what must never be lost. */
  spoolBytesMax: z.int().min(1_048_576).max(1_099_511_627_776).default(1_073_741_824),
  /** Batches in flight before a receipt must come. */
  windowBatches: z.int().min(1).max(64).default(8),
});
export type AgentSection = z.infer<typeof AgentSection>;
