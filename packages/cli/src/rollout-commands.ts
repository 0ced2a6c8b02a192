/** `sallyport rollout …`: arguments → rollout.ts. */

import type { Command as Move } from "@sallyport/shared/rollout/command.ts";
import { type Command, Option } from "commander";
import { Fault } from "./fault.ts";
import { readArgumentFile } from "./file.ts";
import { json, url } from "./options.ts";
import { tokenFor } from "./reach.ts";
import {
  listRollouts,
  MINUTES_DEFAULT,
  minutesOf,
  moveRollout,
  type Said,
  showRollout,
  startRollout,
  watchRollout,
} from "./rollout.ts";

type Options = { url: string; json?: boolean };
type StartOptions = Options & {
  group: string;
  policy: string;
  plan: string;
  message: string;
  basedOn?: string;
  repository?: string;
  preview?: boolean;
  watch?: boolean;
  timeout: string;
};

const TOKEN =
  "\nThe API token (scopes rollout:read, rollout:write) is read from SALLYPORT_TOKEN; make one on the Account page.";
const CODES = `${TOKEN}
Exit codes: 0 done, or under way; 3 the console says no, or it was aborted or superseded; 4 it waits for a person: it is paused, or approvers must sign; 1 an error of the command's own.`;

const MOVES: [Move, string][] = [
  ["pause", "tell nobody more and stop the clock"],
  ["resume", "go on; what a guard found is taken as known"],
  ["promote", "go on to the next wave now, or finish after the last"],
  ["abort", "take it back: the whole group goes to the statement that was signed beforehand"],
];

export function addRollout(root: Command, say: (text: string) => void): void {
  const rollout = root.command("rollout").description("move a policy through a group in waves (docs/rollouts.md)");
  const timeout = () => new Option("--timeout <minutes>", "how long to watch at most").default(MINUTES_DEFAULT);
  const tell = (options: Options, { value, text, exitCode }: Said): void => {
    say(options.json ? JSON.stringify(value, null, 2) : text);
    if (exitCode !== 0) process.exitCode = exitCode;
  };
  const watch = async (id: string, options: Options & { timeout: string }): Promise<void> => {
    const code = await watchRollout(reachOf(options, READ), id, {
      minutes: minutesOf(options.timeout),
      say: (full, text) => say(options.json ? JSON.stringify(full) : text),
      now: Date.now,
    });
    if (code !== 0) process.exitCode = code;
  };

  rollout
    .command("start")
    .description("begin to move a group to a policy")
    .requiredOption("--group <name>", "the group's name or id")
    .requiredOption("--policy <file>", "YAML or JSON; - for standard input")
    .requiredOption("--plan <file>", "waves and guards, YAML or JSON")
    .requiredOption("--message <text>", "what changes, and why")
    .option("--based-on <order>", "the newest order you looked at: refuse where there is a newer one")
    .addOption(
      new Option("--repository <address>", "the repository that the group is managed from").env("SALLYPORT_REPOSITORY"),
    )
    .option("--preview", "say who would be in which wave, and begin nothing")
    .option("--watch", "go on as `rollout watch`")
    .addOption(timeout())
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (options: StartOptions) => {
      if (options.policy === "-" && options.plan === "-")
        throw new Fault("Only one of policy and plan can come from standard input.");
      const begun = await startRollout(reachOf(options, options.watch ? [...READ, ...MOVE] : MOVE), {
        group: options.group,
        source: readArgumentFile(options.policy),
        planText: readArgumentFile(options.plan),
        message: options.message,
        basedOn: options.basedOn === undefined ? undefined : orderOf(options.basedOn),
        repository: options.repository,
        preview: options.preview ?? false,
      });
      tell(options, begun);
      if (options.watch && begun.hasBegun) await watch(begun.id, options);
    });
  rollout
    .command("list")
    .description("rollouts, those under way first")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (options: Options) => tell(options, await listRollouts(reachOf(options, READ))));
  rollout
    .command("show")
    .description("how one stands: waves, counts, and each workstation that is not done")
    .argument("<id>", "the rollout's id")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (id: string, options: Options) => tell(options, await showRollout(reachOf(options, READ), id)));
  rollout
    .command("watch")
    .description("say each change until it has an end or waits for a person; with --json one object a line")
    .argument("<id>", "the rollout's id")
    .addOption(timeout())
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(watch);
  for (const [move, words] of MOVES)
    rollout
      .command(move)
      .description(words)
      .argument("<id>", "the rollout's id")
      .requiredOption("--reason <text>", "why; it is on the console's trail")
      .addOption(url())
      .addOption(json())
      .addHelpText("after", CODES)
      .action(async (id: string, options: Options & { reason: string }) =>
        tell(options, await moveRollout(reachOf(options, MOVE), id, move, options.reason)),
      );
}

const READ = ["rollout:read"];
const MOVE = ["rollout:write"];

function reachOf({ url }: Options, scopes: string[]): { url: string; token: string } {
  return { url, token: tokenFor(scopes) };
}

function orderOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Fault(`--based-on is a revision's number, as 7 for r7, not "${text}".`);
  return Number(text);
}
