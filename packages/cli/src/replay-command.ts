/** `sallyport policy replay`: arguments → replay.ts. */
import { MEASURES } from "@sallyport/shared/replay/fail-on.ts";
import { type Command, Option } from "commander";
import { Fault } from "./fault.ts";
import { readArgumentFile } from "./file.ts";
import { json, url } from "./options.ts";
import { tokenFor } from "./reach.ts";
import { replayPolicy } from "./replay.ts";

type Options = { group: string; since: string; revision?: string; failOn: string[]; url: string; json?: boolean };

const HELP = `
The API token (scope policy:read) is read from SALLYPORT_TOKEN; make one on the Account page. How far it is goes to
standard error. Conditions compare ${MEASURES.join(", ")}.
Exit codes: 0 replayed; 3 a condition of --fail-on holds, or the console says no (the policy is none, there is no such group); 1 an error of the command's own.`;

export function addReplay(policy: Command, say: (text: string) => void): void {
  policy
    .command("replay")
    .description(
      "what a policy would have decided otherwise than the one in force, over what is recorded (docs/replay.md)",
    )
    .argument("[file]", "the candidate, YAML or JSON; - for standard input")
    .requiredOption("--group <name>", "the group's name or id")
    .option("--since <span>", "how far back: 30d, 12h, or a moment", "30d")
    .option("--revision <order>", "instead of a file: a revision of the group, as 7 for r7")
    .addOption(
      new Option("--fail-on <condition>", 'exit with 3 where it holds: "new-blocks > 20"; may be given again')
        .argParser((text: string, all: string[]) => [...all, text])
        .default([] as string[], "none"),
    )
    .addOption(url())
    .addOption(json())
    .addHelpText("after", HELP)
    .action(async (file: string | undefined, options: Options) => {
      if ((file === undefined) === (options.revision === undefined))
        throw new Fault("Name a policy's file, or a revision with --revision: one of the two.");
      const token = tokenFor(["policy:read"]);
      const { value, text, exitCode } = await replayPolicy({
        ...options,
        token,
        ...(file !== undefined && { source: readArgumentFile(file) }),
        ...(options.revision !== undefined && { order: orderOf(options.revision) }),
        progress: (words) => process.stderr.write(`${words}\n`),
      });
      say(options.json ? JSON.stringify(value, null, 2) : text);
      if (exitCode !== 0) process.exitCode = exitCode;
    });
}

function orderOf(text: string): number {
  const order = /^r?(\d{1,9})$/.exec(text)?.[1];
  if (order === undefined) throw new Fault(`--revision is a revision's number, as 7 for r7, not "${text}".`);
  return Number(order);
}
