/** Whether a workstation's agent is connected, as it says itself; the last will says it for one that died. Never
 *  evidence of health: that is what receipts are. */
import { z } from "zod";
import { SessionId } from "../base/ids.ts";

/** A will with another `session` than the newest online one is late and ignored. */
export const Presence = z.object({
  session: SessionId,
  state: z.enum(["online", "offline"]),
  at: z.iso.datetime(),
  agentVersion: z.string().max(64),
});
export type Presence = z.infer<typeof Presence>;
export const PRESENCE_BYTES_MAX = 1024;
