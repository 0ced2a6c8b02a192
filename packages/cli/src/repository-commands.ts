/** `sallyport policy export | plan | apply`: arguments → repository.ts. */
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { planRefusals, Repository, type RepositoryPlan } from "@sallyport/shared/policy/repository.ts";
import { type Command, Option } from "commander";
import { Fault } from "./fault.ts";
import { readArgumentFile } from "./file.ts";
import { readFolder } from "./folder.ts";
import { json, url } from "./options.ts";
import { type Reach, tokenFor } from "./reach.ts";
import {
  applyFolder,
  changesAnything,
  doneText,
  exportFolder,
  type Folder,
  planFolder,
  planText,
} from "./repository.ts";

import { MINUTES_DEFAULT, minutesOf, watchRollout } from "./rollout.ts";

type Options = { url: string; json?: boolean; repository?: string; again?: boolean };
type PlanOptions = Options & { detailedExitcode?: boolean; out?: string };
type ApplyOptions = Options & {
  message: string;
  expect?: string;
  plan?: string;
  yes?: boolean;
  watch?: boolean;
  timeout: string;
};

/** As terraform's -detailed-exitcode. */
const CHANGES_CODE = 2;
const FOLDER = "a folder with one file a group, as floor.yaml (docs/pipelines.md)";

export function addRepository(policy: Command, say: (text: string) => void): void {
  const repository = () =>
    new Option(
      "--repository <address>",
      "where the folder is kept: its groups are managed from there, and one whose file is gone is retired",
    ).env("SALLYPORT_REPOSITORY");
  const again = () => new Option("--again", "begin a rollout again that was taken back, of the very same policy");

  policy
    .command("export")
    .description("each group's policy as a file, as it was written, comments and all")
    .argument("<folder>", "a folder, new or not")
    .option("--overwrite", "also over files that hold something else")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", help("policy:read", "0 done, 1 an error of the command's own."))
    .action(async (folder: string, { url, json, overwrite }: Options & { overwrite?: boolean }) => {
      const done = await exportFolder({ url, token: tokenFor(["policy:read"]) }, folder, overwrite ?? false);
      say(json ? JSON.stringify(done.value, null, 2) : done.text);
    });

  policy
    .command("plan")
    .description("what a folder of policies would make, change and delete; changes nothing")
    .argument("<folder>", FOLDER)
    .addOption(repository())
    .option("--detailed-exitcode", `exit with ${CHANGES_CODE} where there are changes`)
    .option("--out <file>", "also write the plan, for `apply --plan`")
    .addOption(again())
    .addOption(url())
    .addOption(json())
    .addHelpText(
      "after",
      help(
        "policy:read",
        `0 planned (with --detailed-exitcode: nothing changes); ${CHANGES_CODE} there are changes, if asked; 3 it cannot be applied, or a file is no policy; 1 an error of the command's own.`,
      ),
    )
    .action(async (folder: string, options: PlanOptions) => {
      const reach = { url: options.url, token: tokenFor(["policy:read"]) };
      const plan = await planFolder(reach, folderOf(folder, options));
      if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(plan, null, 2)}\n`);
      const next =
        changesAnything(plan) && planRefusals(plan).length === 0
          ? `\nExactly this, and nothing else: sallyport policy apply ${folder} --expect ${plan.digest}`
          : "";
      say(options.json ? JSON.stringify(plan, null, 2) : planText(plan) + next);
      if (planRefusals(plan).length > 0) process.exitCode = 3;
      else if (options.detailedExitcode && changesAnything(plan)) process.exitCode = CHANGES_CODE;
    });

  policy
    .command("apply")
    .description("do what the plan says, all of it or nothing")
    .argument("<folder>", FOLDER)
    .requiredOption("--message <text>", "what changes, and why")
    .addOption(repository())
    .option("--expect <digest>", "the plan that was looked at: refuse any other")
    .option("--plan <file>", "the same, as `plan --out` wrote it")
    .option("--yes", "do not ask")
    .option("--watch", "go on as `rollout watch`, with each rollout that begins; needs the scope rollout:read")
    .addOption(new Option("--timeout <minutes>", "how long to watch at most").default(MINUTES_DEFAULT))
    .addOption(again())
    .addOption(url())
    .addOption(json())
    .addHelpText(
      "after",
      help(
        "policy:read, policy:write",
        "0 applied, or nothing to do; 3 the console says no, or the plan is another one by now: nothing was changed (with --watch also a rollout taken back, and 4 one that is paused); 1 an error of the command's own, or not confirmed.",
      ),
    )
    .action(async (folder: string, options: ApplyOptions) => {
      const reach = { url: options.url, token: tokenFor(["policy:read", "policy:write"]) };
      const asked = folderOf(folder, options);
      const expect = expected(options) ?? (await confirmed(await planFolder(reach, asked), options));
      const { plan, done } = await applyFolder(reach, asked, { expect, message: options.message });
      say(options.json ? JSON.stringify({ plan, done }, null, 2) : doneText(done));
      const begun = done.flatMap(({ rollout }) => rollout ?? []);
      if (options.watch) await watchAll(reach, begun, options.timeout, say);
    });
}

/** All at once, until each has an end or waits for a person; the worst exit code is the command's. */
async function watchAll(
  reach: Reach,
  ids: readonly string[],
  timeout: string,
  say: (text: string) => void,
): Promise<void> {
  const minutes = minutesOf(timeout);
  const watching = ids.map((id) => watchRollout(reach, id, { minutes, say: (_, text) => say(text), now: Date.now }));
  const worst = Math.max(0, ...(await Promise.all(watching)));
  if (worst !== 0) process.exitCode = worst;
}

const help = (scopes: string, codes: string): string =>
  `\nThe API token (scope ${scopes}) is read from SALLYPORT_TOKEN; make one on the Account page.\nExit codes: ${codes}`;

function folderOf(folder: string, { repository, again }: Options): Folder {
  const address = repository === undefined ? undefined : Repository.safeParse(repository);
  if (address && !address.success) throw new Fault(`--repository: ${address.error.issues[0]?.message}.`);
  return { repository: address?.data, files: readFolder(folder), again: again ?? false };
}

function expected({ expect, plan }: ApplyOptions): string | undefined {
  if (expect !== undefined && plan !== undefined) throw new Fault("Give --expect or --plan, not both.");
  if (plan === undefined) {
    if (expect !== undefined && !/^[0-9a-f]{64}$/.test(expect))
      throw new Fault("--expect is a plan's digest, 64 hex digits.");
    return expect;
  }
  try {
    const { digest } = JSON.parse(readArgumentFile(plan)) as { digest?: unknown };
    if (typeof digest === "string") return digest;
  } catch (error) {
    if (error instanceof Fault) throw error; // what is no JSON is no plan
  }
  throw new Fault(`${plan} is no plan: write one with sallyport policy plan --out.`);
}

/** Shows the plan and asks, unless told not to. Answers its digest. */
async function confirmed(plan: RepositoryPlan, { yes, json }: ApplyOptions): Promise<string> {
  const show = (text: string) => process.stderr.write(`${text}\n`);
  if (!json) show(planText(plan));
  if (yes || !changesAnything(plan)) return plan.digest;
  if (!process.stdin.isTTY)
    throw new Fault(
      "Nobody can be asked here. Look at the plan first and give its digest with --expect, or say --yes.",
    );
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question("Apply this? Only yes is taken for yes: ").finally(() => asking.close());
  if (answer.trim() !== "yes") throw new Fault("Nothing was changed.");
  return plan.digest;
}
