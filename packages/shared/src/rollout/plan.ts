/** How a revision moves through a group: waves, soak, guards. What is wrong with a plan is said in plain words. Pure. */
import { z } from "zod";

export const WAVES_MAX = 16;
const DAY_SECONDS = 86_400;

const Seconds = (least: number, most: number) =>
  z
    .int("whole seconds")
    .min(least, `at least ${least} seconds`)
    .max(most, `at most ${most} seconds (${Math.round(most / DAY_SECONDS)} days)`);

/** A share of workstations that must be reached. */
const Reached = z
  .number("a share as a number, 0.95 for 95 %")
  .gt(0, "a share of 0 is always met and guards nothing")
  .max(1, "a share above 1 (more than everybody) can never be met: write 0.95 for 95 %");
/** A share of workstations that must not be exceeded. */
const Suffered = z
  .number("a share as a number, 0.05 for 5 %")
  .min(0, "a share is not below 0")
  .lt(1, "more than everybody never happens: this guard could never trip. Write 0.05 for 5 %, or null for no guard");

export const Outcome = z.enum(["pause", "abort"]);
export type Outcome = z.infer<typeof Outcome>;

/** Who: those with a label, a percentage of the whole group, or all. Whoever an earlier wave picked is in that one. */
export const Wave = z
  .strictObject({
    label: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._:-]{0,31}$/, "a label is 1 to 32 of a-z 0-9 . _ : -")
      .optional(),
    percent: z
      .number()
      .gt(0, "a wave of 0 % is nobody")
      .lt(100, "100 % is all of the group: write all: true")
      .optional(),
    all: z.literal(true).optional(),
    /** How long it stays under watch after it is applied, before the next wave. */
    soakSeconds: Seconds(0, 30 * DAY_SECONDS).default(600),
  })
  .refine(
    ({ label, percent, all }) => [label, percent, all].filter((each) => each !== undefined).length === 1,
    "a wave says one of label, percent or all: true",
  );
export type Wave = z.infer<typeof Wave>;

export const Guards = z.strictObject({
  /** This share of a wave's workstations that can be reached has it in force within the time. */
  applied: z
    .strictObject({
      share: Reached.default(0.95),
      withinSeconds: Seconds(1, 7 * DAY_SECONDS).default(900),
      outcome: Outcome.default("pause"),
    })
    .prefault({}),
  /** Of those told, more than this share could not make it true. */
  failures: z
    .strictObject({ share: Suffered.default(0), outcome: Outcome.default("pause") })
    .nullable()
    .prefault({}),
  /** Of those told, more than this share refused the statement. */
  refusals: z
    .strictObject({ share: Suffered.default(0), outcome: Outcome.default("pause") })
    .nullable()
    .prefault({}),
  /** More alerts than `times` what the same workstations raised before, and at least so many. */
  alerts: z
    .strictObject({
      times: z.number().min(1, "less than the usual number would always trip").max(1000).default(3),
      atLeast: z.int().min(1).max(100_000).default(5),
      outcome: Outcome.default("pause"),
    })
    .nullable()
    .prefault({}),
  /** Of those that were heard from when they were told, more than this share fell silent. */
  silent: z
    .strictObject({ share: Suffered.default(0.05), outcome: Outcome.default("pause") })
    .nullable()
    .prefault({}),
});
export type Guards = z.infer<typeof Guards>;
export type GuardName = keyof Guards;
export const GUARDS = ["applied", "failures", "refusals", "alerts", "silent"] as const satisfies readonly GuardName[];

export const Plan = z
  .strictObject({
    waves: z.array(Wave).min(1, "a rollout has at least one wave: all: true").max(WAVES_MAX),
    guards: Guards.prefault({}),
    /** Workstations told in a second, at most: a large fleet is not told all at once. */
    perSecond: z.int().min(1).max(1000).default(20),
  })
  .superRefine(({ waves }, context) => {
    for (const { at, message } of orderFaults(waves))
      context.addIssue({ code: "custom", path: ["waves", at], message });
  });
export type Plan = z.infer<typeof Plan>;

/** What a person starts from: some, half, all. */
export const DEFAULT_WAVES: readonly z.input<typeof Wave>[] = [
  { percent: 10, soakSeconds: 1800 },
  { percent: 50, soakSeconds: 3600 },
  { all: true, soakSeconds: 600 },
];

function orderFaults(waves: readonly Wave[]): { at: number; message: string }[] {
  const faults: { at: number; message: string }[] = [];
  let taken = 0;
  const labels = new Set<string>();
  for (const [at, { percent, label, all }] of waves.entries()) {
    if (percent !== undefined) {
      if (percent <= taken)
        faults.push({
          at,
          message: `wave ${at + 1} takes ${percent} %, but ${taken} % were taken before it: each percentage is of the whole group and must rise`,
        });
      taken = Math.max(taken, percent);
    }
    if (label !== undefined) {
      if (labels.has(label)) faults.push({ at, message: `an earlier wave takes the label ${label} already` });
      labels.add(label);
    }
    if (all && at < waves.length - 1)
      faults.push({ at, message: `wave ${at + 1} is all of the group already; nobody is left for the waves after it` });
  }
  if (!waves.at(-1)?.all)
    faults.push({
      at: Math.max(0, waves.length - 1),
      message: "the last wave must be all of the group (all: true), or the rollout never ends",
    });
  return faults;
}

/** What a plan is held against: the group as it is now, and how often the policy makes its workstations report. */
export type GroupFacts = {
  name: string;
  workstations: number;
  labels: Readonly<Record<string, number>>;
  reportSeconds: number;
};

/** Why a well-formed plan makes no sense for this group; empty where it does. */
export function planFaults(plan: Plan, group: GroupFacts): string[] {
  if (group.workstations === 0)
    return [`No workstation is in ${group.name}, so there is nobody to roll out to. Publish it instead.`];
  const faults = plan.waves.flatMap(({ label }, at) =>
    label !== undefined && !(Object.hasOwn(group.labels, label) && group.labels[label]! > 0)
      ? [`Wave ${at + 1}: no workstation of ${group.name} has the label ${label}. Label some on their pages first.`]
      : [],
  );
  const { withinSeconds } = plan.guards.applied;
  if (withinSeconds < group.reportSeconds)
    faults.push(
      `The applied guard waits ${withinSeconds} s, but the policy lets a workstation report every ${group.reportSeconds} s (agent.reportSeconds): it could never be met in time. Wait at least ${group.reportSeconds} s.`,
    );
  return faults;
}
