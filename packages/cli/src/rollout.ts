/** Rollouts from a shell or a pipeline: begun, watched and moved through the console's API, by an API token. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import type { Command as Move } from "@sallyport/shared/rollout/command.ts";
import { readPlan } from "@sallyport/shared/rollout/document.ts";
import { z } from "zod";
import { Fault } from "./fault.ts";
import { Away, askConsole, askPages, type Reach } from "./reach.ts";

const LOOK_MS = 2_000;
/** A console that is being upgraded is away for a moment. */
const FAILURES_MAX = 30;

/** A day. */
export const MINUTES_DEFAULT = "1440";

const Counts = z.object({ done: z.number(), failed: z.number(), waiting: z.number(), unreachable: z.number() });
const Listed = z.object({
  id: z.string(),
  group: z.object({ id: z.string(), name: z.string() }),
  order: z.number(),
  message: z.string(),
  state: z.looseObject({ name: z.string(), wave: z.number().optional(), reason: z.string().optional() }),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
});
const Full = Listed.extend({
  version: z.number(),
  counts: Counts,
  waves: z.array(z.object({ words: z.string(), counts: Counts, told: z.number() })),
  members: z.array(z.looseObject({ name: z.string(), standing: z.object({ word: z.string(), reason: z.string() }) })),
  events: z.array(z.looseObject({ at: z.string(), act: z.string(), by: z.string().nullable(), text: z.string() })),
});
export type Full = z.infer<typeof Full>;
const Preview = z.object({
  faults: z.array(z.string()),
  /** What it would cut every workstation off from; an older console does not say. */
  cutsOff: z.array(z.string()).default([]),
  waves: z.array(z.object({ words: z.string(), workstations: z.number() })),
});

export type Said = { value: unknown; text: string; exitCode: number };

/** Exit codes of a rollout that is looked at: 0 done or on its way, 3 taken back or superseded, 4 waits for a person. */
export const PAUSED_CODE = 4;
export function exitCodeOf(state: string): number {
  if (state === "paused") return PAUSED_CODE;
  return state === "aborting" || state === "aborted" || state === "superseded" ? 3 : 0;
}

export type StartAsked = {
  group: string;
  source: string;
  planText: string;
  message: string;
  basedOn?: number | undefined;
  /** Where the group is managed from, if it is. */
  repository?: string | undefined;
  preview: boolean;
};

/** `waiting`: people must sign first, and nothing has begun. */
const Begun = z.object({
  id: z.string(),
  order: z.number(),
  waiting: z.object({ id: z.string(), needed: z.number(), expires: z.string() }).nullish(),
});

export async function startRollout(reach: Reach, asked: StartAsked): Promise<Said & { id: string; hasBegun: boolean }> {
  const { group, source, message, basedOn, repository, preview } = asked;
  const plan = readPlan(asked.planText);
  if (!plan.ok) throw new Fault(`This is no plan.\n${plan.error.join("\n")}`, 3);
  const id = randomUUID();
  const body = { id, group, source, message, basedOn, repository, plan: plan.value, preview };
  const answer = await ask(reach, "", body);
  if (!preview) {
    const begun = Begun.parse(answer);
    const waits = begun.waiting ?? undefined;
    const text = waits
      ? `r${begun.order} waits for ${waits.needed} approvers until ${waits.expires}; its rollout ${begun.id} begins when they have signed: sallyport sign ${waits.id} --key FILE`
      : `r${begun.order} is signed; its rollout ${begun.id} begins. Watch it: sallyport rollout watch ${begun.id}`;
    return { id, value: begun, text, exitCode: waits ? PAUSED_CODE : 0, hasBegun: !waits };
  }
  const { faults, cutsOff, waves } = Preview.parse(answer);
  const lines = waves.map(({ words, workstations }, at) => `wave ${at + 1}, ${words}: ${workstations}`);
  return {
    id,
    value: { faults, cutsOff, waves },
    text: [...faults, ...cutsOff, ...lines].join("\n"),
    exitCode: faults.length > 0 ? 3 : 0,
    hasBegun: false,
  };
}

export async function listRollouts(reach: Reach): Promise<Said> {
  const all = z.array(Listed).parse(await askPages(reach, "/api/rollout"));
  const lines = all.map(
    ({ id, group, order, state, message }) => `${id}  ${state.name.padEnd(10)}  r${order} to ${group.name}: ${message}`,
  );
  return { value: all, text: show(lines.length > 0 ? lines.join("\n") : "No rollout yet."), exitCode: 0 };
}

export async function showRollout(reach: Reach, id: string): Promise<Said> {
  const full = Full.parse(await ask(reach, id));
  const waves = full.waves.map(
    ({ words, counts, told }, at) => `wave ${at + 1}, ${words}: ${countWords(counts)}; ${told} told`,
  );
  const members = full.members
    .filter(({ standing }) => standing.word !== "done")
    .map(({ name, standing }) => `  ${name}: ${standing.word}, ${standing.reason}`);
  const text = show([line(full), ...waves, ...members].join("\n"));
  return { value: full, text, exitCode: exitCodeOf(full.state.name) };
}

export async function moveRollout(reach: Reach, id: string, command: Move, reason: string): Promise<Said> {
  const { state } = z.object({ state: z.string() }).parse(await ask(reach, id, { command, reason }));
  return { value: { id, state }, text: `It is ${state} now.`, exitCode: 0 };
}

/** Says each change as it comes, until the rollout has an end, waits for a person, or the time is over. */
export async function watchRollout(
  reach: Reach,
  id: string,
  { minutes, say, now }: { minutes: number; say: (full: Full, text: string) => void; now: () => number },
): Promise<number> {
  const until = now() + minutes * 60_000;
  let last = "";
  for (let failures = 0; ; ) {
    const full = await ask(reach, id).then(
      (answer) => Full.parse(answer),
      (error: Error) => error,
    );
    if (full instanceof Error) {
      if (!(full instanceof Away) || ++failures > FAILURES_MAX) throw full;
    } else {
      failures = 0;
      const words = show(line(full));
      if (words !== last) say(full, words);
      last = words;
      const { name } = full.state;
      if (full.endedAt !== null || name === "paused") return exitCodeOf(name);
    }
    if (now() >= until) throw new Fault(`It is still under way after ${minutes} minutes; the rollout goes on.`);
    await delay(LOOK_MS);
  }
}

function line({ order, group, state, waves, counts }: Full): string {
  const wave = state.wave !== undefined && state.wave >= 0 ? `, wave ${state.wave + 1} of ${waves.length}` : "";
  const why = state.reason ? `: ${state.reason}` : "";
  return `r${order} to ${group.name} is ${state.name}${wave} (${countWords(counts)})${why}`;
}

const countWords = ({ done, failed, waiting, unreachable }: z.infer<typeof Counts>): string =>
  `${done} done, ${failed} failed, ${waiting} waiting, ${unreachable} unreachable`;

/** What workstations and people wrote never moves the terminal's cursor. */
const show = (text: string): string => text.split("\n").map(escapeForDisplay).join("\n");

const ask = (reach: Reach, id: string, body?: object): Promise<unknown> =>
  askConsole(reach, id ? `/api/rollout/${encodeURIComponent(id)}` : "/api/rollout", body);

export function minutesOf(text: string): number {
  const minutes = Number(text);
  if (!(minutes > 0)) throw new Fault(`--timeout is a number of minutes, not "${text}".`);
  return minutes;
}
