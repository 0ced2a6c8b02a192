/** `sallyport policy export | plan | apply`: a folder of policies against the console's groups, through its API. */
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import type { RepositoryFile } from "@sallyport/shared/policy/repository/files.ts";
import { STEP_ACTS, type Step } from "@sallyport/shared/policy/repository/step.ts";
import { planCounts, planRefusals, type RepositoryPlan } from "@sallyport/shared/policy/repository.ts";
import { z } from "zod";
import { Fault } from "./fault.ts";
import { writeFolder } from "./folder.ts";
import { askConsole, type Reach } from "./reach.ts";

const Listed = z.looseObject({ id: z.string(), name: z.string() });
const One = Listed.extend({ source: z.string().nullable() });
const Digest = z.string().nullable();
const StepAnswer = z.looseObject({
  act: z.enum(STEP_ACTS),
  group: z.string(),
  id: z.string().nullable(),
  file: z.string().nullable(),
  newest: z.number(),
  before: Digest,
  after: Digest,
  how: z.enum(["publish", "roll out"]).nullable(),
  takes: z.boolean(),
  revives: z.boolean(),
  words: z.string(),
  changes: z.array(z.looseObject({ section: z.string(), effect: z.string(), words: z.string() })),
  notes: z.array(z.string()),
  refused: z.array(z.string()),
});
const PlanAnswer = z.looseObject({
  repository: z.string().nullable(),
  steps: z.array(StepAnswer),
  left: z.array(z.string()),
  digest: z.string(),
});
const ApplyAnswer = z.object({
  plan: PlanAnswer,
  done: z.array(
    z.object({
      group: z.string(),
      act: z.string(),
      order: z.number().optional(),
      rollout: z.string().optional(),
      waiting: z.object({ id: z.string(), needed: z.number() }).optional(),
    }),
  ),
});

export type Folder = { repository: string | undefined; files: RepositoryFile[]; again: boolean };

export async function planFolder(reach: Reach, { repository, files, again }: Folder): Promise<RepositoryPlan> {
  const answer = await askConsole(reach, "/api/policy/plan", { repository: repository ?? null, files, again });
  return understood(PlanAnswer, answer) as RepositoryPlan;
}

export type Done = z.infer<typeof ApplyAnswer>["done"];

/** @throws Fault (exit code 3) where the plan is another one by now; nothing was changed then */
export async function applyFolder(
  reach: Reach,
  folder: Folder,
  { expect, message }: { expect: string; message: string },
): Promise<{ plan: RepositoryPlan; done: Done }> {
  const { repository, files, again } = folder;
  const body = { repository: repository ?? null, files, again, expect, message };
  const { plan, done } = understood(ApplyAnswer, await askConsole(reach, "/api/policy/apply", body));
  return { plan: plan as RepositoryPlan, done };
}

/** Each group's text as whoever published it wrote it, comments and all. Groups with no policy yet are named. */
export async function exportFolder(
  reach: Reach,
  folder: string,
  overwrite: boolean,
): Promise<{ value: object; text: string }> {
  const groups = understood(z.array(Listed), await askConsole(reach, "/api/policy"));
  const texts: { group: string; source: string }[] = [];
  const without: string[] = [];
  for (const { id, name } of groups) {
    const { source } = understood(One, await askConsole(reach, `/api/policy/${encodeURIComponent(id)}`));
    if (source === null) without.push(name);
    else texts.push({ group: name, source });
  }
  const files = writeFolder(folder, texts, overwrite);
  const lines = [
    ...files.map(({ file, did }) => `${did === "written" ? "wrote" : "as it was"}  ${file}`),
    ...without.map((name) => `left out  ${name}: no policy is published yet`),
  ];
  return { value: { folder, files, without }, text: shown(lines) };
}

const SIGN: Record<Step["act"], string> = { create: "+", change: "~", delete: "-", none: " " };

export const changesAnything = ({ steps }: RepositoryPlan): boolean => steps.some(({ act }) => act !== "none");

/** A step a paragraph, its changes in words below it, losses and loosenings first. */
export function planText(plan: RepositoryPlan): string {
  const { create, change, delete: gone, none } = planCounts(plan);
  const refused = planRefusals(plan);
  const lines = [
    `${create} to create, ${change} to change, ${gone} to delete, ${none} unchanged.`,
    ...plan.steps.flatMap(stepLines),
    ...(plan.left.length > 0
      ? [`Not touched, neither in the folder nor managed from here: ${plan.left.join(", ")}.`]
      : []),
    ...(refused.length > 0
      ? [
          `It cannot be applied: ${refused.length === 1 ? "one thing stands" : `${refused.length} things stand`} in its way.`,
        ]
      : []),
  ];
  return shown(lines);
}

function stepLines({ act, group, file, words, changes, notes, refused }: Step): string[] {
  return [
    `${SIGN[act]} ${act === "none" ? "same  " : act}  ${group}${file ? ` (${file})` : ""}: ${words}`,
    ...changes.map(({ section, effect, words: what }) => `    ${effect.padEnd(7)}  ${section.padEnd(7)}  ${what}`),
    ...notes.map((note) => `    note: ${note}`),
    ...refused.map((why) => `    refused: ${why}`),
  ];
}

export const doneText = (done: Done): string =>
  done.length === 0
    ? "Nothing to do: the console has it already."
    : shown(
        done.map(({ group, act, order, rollout, waiting }) => {
          if (act === "delete") return `${group}: retired.`;
          if (waiting)
            return `${group}: r${order} waits for ${waiting.needed} of its approvers to sign it (${waiting.id}). Nothing is in force before.`;
          if (rollout) return `${group}: r${order} is signed; its rollout ${rollout} begins.`;
          return order === undefined ? `${group}: marked.` : `${group}: r${order} is signed and published.`;
        }),
      );

/** What people and documents say never moves the terminal's cursor. */
const shown = (lines: readonly string[]): string => lines.map(escapeForDisplay).join("\n");

function understood<T>(schema: z.ZodType<T>, answer: unknown): T {
  const read = schema.safeParse(answer);
  if (read.success) return read.data;
  throw new Fault("The console's answer is not understood: is it older than this command?", 1, { cause: read.error });
}
