/** What a person denies and lifts, from a page or by an API token: the change and its record in one transaction. */
import { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { readDenied } from "@sallyport/shared/policy/deny-text.ts";
import { DenyId, OVERLAY_HOURS_DEFAULT, OVERLAY_HOURS_MAX } from "@sallyport/shared/policy/overlay.ts";
import { z } from "zod";
import { type RecordConsole, withRecord } from "../person/act.ts";
import type { Origin } from "../person/actor.ts";
import type { ConsoleKey } from "../trail/key.ts";
import { Refusal } from "../trpc/errors.ts";
import { type Added, addDeny, type Lifted, liftDeny } from "./change.ts";

const REASON_CHARS_MAX = 200;
export const Reason = z.string().trim().min(3, "say in a few words why").max(REASON_CHARS_MAX);

export const Denying = z.object({
  /** As readDenied has it. */
  what: z.string().max(2048),
  audience: z.union([
    z.strictObject({ fleet: z.literal(true) }),
    z.strictObject({ group: GroupId }),
    z.strictObject({ workstation: WorkstationId }),
  ]),
  hours: z.int().min(1).max(OVERLAY_HOURS_MAX).default(OVERLAY_HOURS_DEFAULT),
  reason: Reason,
});
export type Denying = z.infer<typeof Denying>;
export const Lifting = z.object({ id: DenyId, reason: Reason });

type Parts = { pool: Parameters<typeof withRecord>[0]; recordConsole: RecordConsole; consoleKey: ConsoleKey };
type By = { id: string; email: string; session?: string; token?: string };

export async function deny(parts: Parts, by: By, origin: Origin, asked: Denying): Promise<Added> {
  const what = readDenied(asked.what);
  if (!what.ok) throw new Refusal("BAD_REQUEST", what.error);
  const { audience, hours, reason } = asked;
  return withRecord(parts.pool, parts.recordConsole, by, origin, async (tx) => {
    const adding = { audience, what: what.value, hours, reason, by: by.id, now: new Date() };
    const added = await addDeny(tx, parts.consoleKey, adding);
    const act = {
      kind: "person.denied",
      severity: "warning",
      text: `blocked ${added.words} on ${added.whose} until ${added.until}: ${reason}`.slice(0, 900),
      subject: `deny/${added.id}`,
      ...(added.instead !== undefined && { before: { id: added.instead } }),
      after: { id: added.id, what: added.words, audience, until: added.until, reason },
    } as const;
    return { act, value: added };
  });
}

export function lift(parts: Parts, by: By, origin: Origin, { id, reason }: z.infer<typeof Lifting>): Promise<Lifted> {
  return withRecord(parts.pool, parts.recordConsole, by, origin, async (tx) => {
    const lifted = await liftDeny(tx, parts.consoleKey, { id, reason, by: by.id, now: new Date() });
    const { words, whose, until, audience } = lifted;
    const act = {
      kind: "person.deny-lifted",
      severity: "warning",
      text: `lifted the block of ${words} on ${whose} before its end at ${until}: ${reason}`.slice(0, 900),
      subject: `deny/${id}`,
      before: { id, what: words, audience, until },
      after: { reason },
    } as const;
    return { act, value: lifted };
  });
}
