/** `sallyport policy in-force`: what was in force on a workstation at a moment, who approved it, when it was applied. */
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import type { Command } from "commander";
import { z } from "zod";
import { Fault } from "./fault.ts";
import { json, url } from "./options.ts";
import { askConsole, type Reach, tokenFor } from "./reach.ts";

const Outcome = z.looseObject({ outcome: z.string(), reason: z.string().optional() });
const Approval = z.looseObject({
  group: z.object({ id: z.string(), name: z.string() }),
  message: z.string(),
  publishedAt: z.string(),
  by: z.string(),
  signers: z.array(z.object({ key: z.string(), role: z.string().nullable(), name: z.string().nullish() })),
  rollout: z.looseObject({ id: z.string(), wave: z.number().nullable() }).nullable(),
});
const InForce = z.object({
  workstation: z.object({ id: z.string(), name: z.string() }),
  at: z.string(),
  found: z
    .looseObject({
      trail: z.number(),
      index: z.number(),
      time: z.string(),
      received: z.string(),
      until: z.string().nullable(),
      order: z.number(),
      digest: z.string(),
      outcomes: z.record(z.string(), Outcome),
      approval: Approval.nullable(),
    })
    .nullable(),
});
export type InForce = z.infer<typeof InForce>;

/** `at` as ISO 8601; without it, now. */
export async function inForce(reach: Reach, workstation: string, at?: string): Promise<InForce> {
  const asked = new URLSearchParams({ workstation, ...(at !== undefined && { at }) });
  const read = InForce.safeParse(await askConsole(reach, `/api/in-force?${asked}`));
  if (!read.success) throw new Fault("The console's answer is not understood: is it older than this command?");
  return read.data;
}

/** One sentence a line. What workstations and people wrote never moves the terminal's cursor. */
export function inForceText({ workstation, at, found }: InForce): string {
  if (!found)
    return escapeForDisplay(
      `By ${at} ${workstation.name} had said nothing of a policy: it had the strict defaults of an agent that was given none.`,
    );
  const { approval } = found;
  const not = Object.entries(found.outcomes).filter(([, { outcome }]) => outcome !== "applied");
  const lines = [
    `At ${at} ${workstation.name} had r${found.order} in force (${found.digest}).`,
    `Applied ${found.time} by its own clock, committed ${found.received}; ${found.until ? `until ${found.until}` : "nothing has followed"}.`,
    ...(approval
      ? [
          `Published to ${approval.group.name} by ${approval.by} at ${approval.publishedAt}: ${approval.message}`,
          `Signed by ${approval.signers.map(({ key, role, name }) => `${role ?? "a key that the group no longer has"} ${name ? `${name} ` : ""}${key}`).join(", ")}.`,
          ...(approval.rollout
            ? [`Told in ${waveWords(approval.rollout.wave)} of rollout ${approval.rollout.id}.`]
            : []),
        ]
      : ["No publication that the console knows of has this order and digest in a group that it was in."]),
    ...not.map(([section, { outcome, reason }]) => `${section}: ${outcome}${reason ? `, ${reason}` : ""}`),
    `Record ${found.index} of trail ${found.trail}.`,
  ];
  return lines.map(escapeForDisplay).join("\n");
}

const waveWords = (wave: number | null): string => (wave === null ? "no wave" : `wave ${wave + 1}`);

type Options = { workstation: string; at?: string; url: string; json?: boolean };

/** Exit code 3 where nothing was in force, or what was there was published by nobody. */
export function addInForce(policy: Command, say: (text: string) => void): void {
  policy
    .command("in-force")
    .description("what was in force on a workstation at a moment, who approved it, when it was applied")
    .requiredOption("--workstation <name>", "its id, name or host name")
    .option("--at <time>", "a moment, as 2026-11-24T08:00:00Z; now without it")
    .addOption(url())
    .addOption(json())
    .addHelpText(
      "after",
      `
The API token (scope policy:read) is read from SALLYPORT_TOKEN; make one on the Account page.
Exit codes: 0 said; 3 nothing was in force then, or nobody published what was; 1 an error of the command's own.`,
    )
    .action(async ({ workstation, at, url, json }: Options) => {
      const token = tokenFor(["policy:read"]);
      const answer = await inForce({ url, token }, workstation, at);
      say(json ? JSON.stringify(answer, null, 2) : inForceText(answer));
      if (!answer.found?.approval) process.exitCode = 3;
    });
}
