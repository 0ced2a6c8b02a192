/** Kinds in which a workstation answers a command; `command.done` is in agent.ts. */
import { z } from "zod";
import { CommandId, Sha256, Time } from "../base/ids.ts";

/** `command.received`: believed, on dom0's disk, and about to be carried out. `digest` is the statement's. */
export const CommandReceived = z.object({
  command: CommandId,
  verb: z.string().max(32),
  digest: Sha256,
  order: z.int().min(1),
  notAfter: Time,
});
export type CommandReceived = z.infer<typeof CommandReceived>;

/** `command.diagnostics`: what was gathered, each part cut at its beginning where it was longer. `bytes` is its whole
 *  length in UTF-8; a part that could not be had has no text and says why. */
export const CommandDiagnostics = z.object({
  command: CommandId,
  parts: z
    .array(
      z.object({
        name: z.string().max(64),
        text: z.string().optional(),
        bytes: z.int().min(0),
        truncated: z.boolean(),
        why: z.string().max(512).optional(),
      }),
    )
    .max(32),
});
export type CommandDiagnostics = z.infer<typeof CommandDiagnostics>;
