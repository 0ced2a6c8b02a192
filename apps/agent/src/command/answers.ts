/** The journal and what the trail says of it → the records that are missing. Pure. */
import type { CommandId } from "@sallyport/shared/base/ids.ts";
import { VERB_RULES } from "@sallyport/shared/command/verb.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { z } from "zod";
import { isEnded, type Journal, type Ordered } from "./journal.ts";

/** By command, the last that was told; stored with the records themselves. */
export const Told = z.record(z.string(), z.enum(["received", "ended"]));
export type Told = z.infer<typeof Told>;

/** A parcel's bound is far above; an answer with its records goes in one. */
const ANSWERS_AT_ONCE = 64;

export type Answers = { observations: Observation[]; told: Told; ended: CommandId[] };

/** Nothing where all is told. */
export function answersOf({ ordered }: Journal, stands: Told, time: number): Answers | undefined {
  // those that the journal has forgotten need no mark any more
  const answers: Answers = {
    observations: [],
    told: Object.fromEntries(ordered.flatMap(({ command: { id } }) => (stands[id] ? [[id, stands[id]]] : []))),
    ended: [],
  };
  let changed = 0;
  for (const each of ordered) {
    const { id } = each.command;
    const before = stands[id];
    const isTold = before === "ended" || (before === "received" && !isEnded(each));
    if (isTold || changed >= ANSWERS_AT_ONCE) continue;
    changed += 1;
    if (before === undefined) answers.observations.push(received(each, time));
    if (isEnded(each)) {
      answers.observations.push(...ended(each, time));
      answers.ended.push(id);
    }
    answers.told[id] = isEnded(each) ? "ended" : "received";
  }
  return changed > 0 ? answers : undefined;
}

const short = (id: CommandId): string => id.slice(0, 8);

function received({ command, digest, order }: Ordered, time: number): Observation {
  const { id, verb, notAfter } = command;
  return {
    kind: "command.received",
    severity: VERB_RULES[verb].isDestructive ? "warning" : "notice",
    time,
    text: `Command ${short(id)} received: ${verb}`,
    body: { command: id, verb, digest, order, notAfter },
  };
}

function ended({ command, digest, stage }: Ordered, time: number): Observation[] {
  if (stage.state === "received" || stage.state === "begun") return [];
  const { id, verb } = command;
  const { state, finished, reason, found, left = [] } = stage;
  const words = state === "expired" ? "expired before it was begun" : state;
  return [
    ...(left as unknown as Observation[]),
    {
      kind: "command.done",
      severity: state === "failed" ? "error" : VERB_RULES[verb].isDestructive ? "critical" : "notice",
      time,
      text: `Command ${short(id)} ${words}: ${verb}${reason === undefined ? "" : ` (${reason})`}`.slice(0, 512),
      body: {
        command: id,
        digest,
        verb,
        outcome: state,
        finished,
        ...(reason !== undefined && { reason }),
        ...(found !== undefined && { found }),
      },
    },
  ];
}
