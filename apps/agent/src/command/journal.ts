/** What was ordered and how far it is: the shape on disk, and what becomes of it. Pure; commands.ts keeps what these
 *  return before it acts on it. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { CommandId, Sha256, Time } from "@sallyport/shared/base/ids.ts";
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import { Command } from "@sallyport/shared/command/command.ts";
import { type Cut, isolate } from "@sallyport/shared/command/isolation.ts";
import { VERB_RULES, type Verb } from "@sallyport/shared/command/verb.ts";
import { z } from "zod";

/** `begun` and what was `noted` before are on disk before anything is done, so that after a kill it is ended, not done
 *  anew. `lives` counts how often a process began it. */
export const Stage = z.discriminatedUnion("state", [
  z.object({ state: z.literal("received") }),
  z.object({ state: z.literal("begun"), noted: z.json(), lives: z.int().min(1) }),
  z.object({
    state: z.enum(["done", "failed", "expired"]),
    finished: Time,
    reason: z.string().max(1024).optional(),
    found: z.json().optional(),
    /** Records that belong to the answer; here until they and the answer are on the trail. */
    left: z.array(z.json()).max(8).optional(),
  }),
]);
export type Stage = z.infer<typeof Stage>;
export type End = Extract<Stage, { state: "done" | "failed" | "expired" }>;

export const Ordered = z.object({
  command: Command,
  /** The statement's; `mark` is sha256 over its text, by which it is known when it comes again. */
  digest: Sha256,
  mark: Sha256,
  order: z.int().min(1),
  taken: Time,
  stage: Stage,
});
export type Ordered = z.infer<typeof Ordered>;

export const Journal = z.object({
  ordered: z.array(Ordered),
  isolation: z.object({ until: Time, command: CommandId }).nullable(),
  /** Releases that found no room on the disk, with the cut that was taken since, if one was; the latest ones. */
  turnedAway: z.array(z.object({ mark: Sha256, later: CommandId.optional() })).optional(),
});
export type Journal = z.infer<typeof Journal>;
export const EMPTY_JOURNAL: Journal = { ordered: [], isolation: null };

/** Ended ones that are remembered, so that a statement sent again is known; the order number refuses what is older. */
export const ENDED_MAX = 128;
/** A command that ends the process each time is not begun for ever. */
export const LIVES_MAX = 5;

export const isEnded = ({ stage }: Ordered): boolean => stage.state !== "received" && stage.state !== "begun";

/** What only takes away is begun though the disk has no room for it: written once there is, and told after that. */
export const goesAhead = (verb: Verb): boolean => verb === "isolate";

/** One more, before the cut that was taken since it was turned away; nothing changes where its id is known. */
export function take(journal: Journal, next: Omit<Ordered, "stage">): Journal {
  if (journal.ordered.some(({ command }) => command.id === next.command.id)) return journal;
  const surplus = journal.ordered.filter((each) => isEnded(each) && isTold(each)).length - ENDED_MAX + 1;
  const dropped = new Set(
    journal.ordered.filter((each) => isEnded(each) && isTold(each)).slice(0, Math.max(0, surplus)),
  );
  const ordered = journal.ordered.filter((each) => !dropped.has(each));
  const { turnedAway } = journal;
  const later = turnedAway?.find(({ mark }) => mark === next.mark)?.later;
  const at = ordered.findIndex(({ command }) => command.id === later);
  ordered.splice(at < 0 ? ordered.length : at, 0, { ...next, stage: { state: "received" } });
  const left = turnedAway
    ?.filter(({ mark }) => mark !== next.mark)
    .map((each) => (goesAhead(next.command.verb) ? { later: next.command.id, ...each } : each));
  return { ...journal, ordered, ...(left && { turnedAway: left }) };
}

/** Orders that found no room are sent again until they have run out: so many are known, those turned away last. */
const TURNED_AWAY_MAX = 64;

/** A release that found no room keeps its place: a cut that goes ahead of it was ordered later. */
export function turnAway(journal: Journal, mark: Sha256): Journal {
  const { turnedAway = [] } = journal;
  if (turnedAway.some((each) => each.mark === mark)) return journal;
  return { ...journal, turnedAway: [...turnedAway, { mark }].slice(-TURNED_AWAY_MAX) };
}

/** Of what the console's key alone may order, so much waits at once: a flood of it leaves room for what people sign. As many
 *  isolations beside it: looks take none of their room. */
export const WAITING_ALONE_MAX = 32;

/** Why one more is not taken now; nothing where there is room. */
export function faultOfRoom({ ordered }: Journal, { verb }: Command): string | undefined {
  if (VERB_RULES[verb].signers !== "console") return undefined;
  const waits = (each: Ordered) =>
    VERB_RULES[each.command.verb].signers === "console" &&
    (each.command.verb === "isolate") === (verb === "isolate") &&
    !(isEnded(each) && isTold(each));
  if (ordered.filter(waits).length < WAITING_ALONE_MAX) return undefined;
  return `${WAITING_ALONE_MAX} orders of this kind wait to be carried out or told; send it again when they are done`;
}

const isTold = ({ stage }: Ordered): boolean => !("left" in stage && stage.left !== undefined);

const LOOKS: readonly Verb[] = ["rescan", "diagnostics"];

/** What is carried out one after the other; lanes run beside each other. A cut waits for no wipe and no look; its end waits
 *  for all that was ordered before it and is no look, since that may be what makes it safe to let the network go. */
export type Lane = "cut" | "other";
export const LANES: readonly Lane[] = ["cut", "other"];
const laneOf = (verb: Verb): Lane => (verb === "isolate" || verb === "release" ? "cut" : "other");

/** The one to go on with in a lane, one at a time: what was begun, then as they were ordered; what only looks comes last. */
export function nextOf({ ordered }: Journal, lane: Lane): Ordered | undefined {
  const waits = (release: Ordered) =>
    release.command.verb === "release" &&
    release.stage.state === "received" &&
    ordered
      .slice(0, ordered.indexOf(release))
      .some((each) => !isEnded(each) && laneOf(each.command.verb) === "other" && !LOOKS.includes(each.command.verb));
  const open = ordered.filter((each) => !isEnded(each) && laneOf(each.command.verb) === lane && !waits(each));
  return (
    open.find(({ stage }) => stage.state === "begun") ??
    open.find(({ command }) => !LOOKS.includes(command.verb)) ??
    open[0]
  );
}

/** Why it is not begun any more; nothing where it may be. A cut overtakes a release that waits: what was ordered later holds. */
export function faultOfTurn({ ordered, isolation }: Journal, { command }: Ordered): string | undefined {
  if (command.verb !== "release" || isolation === null) return undefined;
  const at = ordered.findIndex((each) => each.command.id === command.id);
  const isHeld = ordered
    .slice(at + 1)
    .some((each) => each.command.verb === "isolate" && !["received", "expired"].includes(each.stage.state));
  if (!isHeld) return undefined;
  return "An isolation that was ordered after it holds until its end: the network stays cut. Order another release to end it.";
}

/** An allowance ends by the earliest clock, a block by the latest (DESIGN.md, Time). */
export function isLate({ verb, notAfter }: Command, floor: number, now: number): boolean {
  const known = verb === "isolate" ? floor : Math.max(floor, now);
  return known >= Date.parse(notAfter);
}

/** Begun: what it changes for good stands in the journal from this moment. */
export function begin(journal: Journal, id: CommandId, noted: Json): Journal {
  const ordered = journal.ordered.find(({ command }) => command.id === id)!;
  const lives = ordered.stage.state === "begun" ? ordered.stage.lives + 1 : 1;
  return {
    ...journal,
    ordered: staged(journal, id, { state: "begun", noted, lives }),
    isolation: isolationAfter(journal.isolation, ordered.command, lives > 1),
  };
}

function isolationAfter(before: Journal["isolation"], command: Command, isAgain: boolean): Journal["isolation"] {
  switch (command.verb) {
    case "isolate":
      return isAgain ? before : isolate(before ?? undefined, { until: command.arguments.until, command: command.id });
    case "release":
      return null;
    case "pause":
    case "resume":
    case "destroy-guest":
    case "rescan":
    case "diagnostics":
    case "wipe":
    case "start-guest":
      return before;
    default:
      return unreachable(command);
  }
}

export const end = (journal: Journal, id: CommandId, how: End): Journal => ({
  ...journal,
  ordered: staged(journal, id, { left: [], ...how }),
});

/** What was left for the trail is on it. */
export const told = (journal: Journal, id: CommandId): Journal => ({
  ...journal,
  ordered: journal.ordered.map((each) => {
    if (each.command.id !== id || !("left" in each.stage)) return each;
    const { left: _left, ...stage } = each.stage;
    return { ...each, stage };
  }),
});

/** An isolation whose time is over is gone. */
export const lapse = (journal: Journal, holds: Cut | undefined): Journal =>
  journal.isolation !== null && holds === undefined ? { ...journal, isolation: null } : journal;

const staged = (journal: Journal, id: CommandId, stage: Stage): Ordered[] =>
  journal.ordered.map((each) => (each.command.id === id ? { ...each, stage } : each));
