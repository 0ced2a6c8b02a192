/** Kinds on the console's own trail: what people and the console did. */
import { z } from "zod";

/** `person.*`: one change by a person (or an API token of theirs). */
export const PersonAct = z.object({
  actor: z.object({
    id: z.string().max(128),
    email: z.string().max(320).optional(),
    token: z.string().max(128).optional(),
  }),
  address: z.string().max(64).optional(),
  session: z.string().max(128).optional(),
  subject: z.string().max(256).optional(),
  before: z.json().optional(),
  after: z.json().optional(),
});
export type PersonAct = z.infer<typeof PersonAct>;

/** `console.*`: start, restore, loss range, key change, retention … */
export const ConsoleAct = z.object({ subject: z.string().max(256).optional(), detail: z.json().optional() });
export type ConsoleAct = z.infer<typeof ConsoleAct>;
