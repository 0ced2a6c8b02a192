/** `sallyport command …`: one thing told to several workstations at once, and how each stands, through the console's API. */
import { ISOLATION_MS_MAX } from "@sallyport/shared/command/command.ts";
import { Verb } from "@sallyport/shared/command/verb.ts";
import type { Command } from "commander";
import { z } from "zod";
import { Fault } from "./fault.ts";
import { json, teller, url } from "./options.ts";
import { askConsole, tokenFor } from "./reach.ts";

type Options = { url: string; json?: boolean };
type SendOptions = Options & {
  reason: string;
  workstation: string[];
  label: string[];
  group: string[];
  minutes: string;
  hours?: string;
};

const VERBS = ["isolate", "release", "rescan", "diagnostics"];
const HOURS_MAX = ISOLATION_MS_MAX / 3_600_000;
const CODES = `
The API token (scopes command:read, command:write) is read from SALLYPORT_TOKEN; make one on the Account page.
What destroys, or speaks of one guest, is asked for on the workstation's page.
Exit codes: 0 done; 3 the console says no, or to one of them; 1 an error of the command's own.`;

const Answers = z.array(
  z.union([
    z.object({ workstation: z.string(), name: z.string(), command: z.string(), waits: z.boolean() }),
    z.object({ workstation: z.string(), name: z.string(), refused: z.string() }),
  ]),
);
const States = z.array(
  z.looseObject({
    ...{ id: z.string(), name: z.string(), verb: z.string() },
    state: z.looseObject({ state: z.string(), at: z.string(), reason: z.string().optional() }),
  }),
);

const several = (value: string, before: string[]): string[] => [...before, value];

export function addCommand(root: Command, say: (text: string) => void): void {
  const command = root
    .command("command")
    .description("tell several workstations one thing, and see how each stands (docs/commands.md)");
  const tell = teller(say);
  const ask = ({ url }: Options, path: string, body?: object) =>
    askConsole({ url, token: tokenFor([body ? "command:write" : "command:read"]) }, path, body);

  command
    .command("send")
    .description("each is told by a signed statement of its own; one that cannot be does not stop the others")
    .argument("<verb>", VERBS.join(", "))
    .option("--workstation <name>", "by id, name or host name; several times", several, [])
    .option("--label <label>", "all that have it; several times", several, [])
    .option("--group <name>", "all of it; several times", several, [])
    .requiredOption("--reason <text>", "why; it is on the console's trail")
    .option("--minutes <n>", "it is not begun later than this", "60")
    .option("--hours <n>", `how long an isolation lasts, at most ${HOURS_MAX}`)
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (verb: string, options: SendOptions) => {
      if (!VERBS.includes(verb))
        throw new Fault(
          Verb.safeParse(verb).success
            ? `${verb} is asked for on the workstation's page in the console: it destroys, or speaks of one guest. From here: ${VERBS.join(", ")}.`
            : `${verb} is no command. There are: ${VERBS.join(", ")}.`,
        );
      if ((verb === "isolate") !== (options.hours !== undefined))
        throw new Fault(verb === "isolate" ? "Say with --hours how long they are cut off." : "--hours is isolate's.");
      const hours = wholeOf("--hours", options.hours ?? "1", HOURS_MAX);
      const until = new Date(Date.now() + hours * 3_600_000).toISOString();
      const answers = Answers.parse(
        await ask(options, "/api/command", {
          ...{ verb, reason: options.reason, arguments: verb === "isolate" ? { until } : {} },
          ...{ workstations: options.workstation, labels: options.label, groups: options.group },
          minutes: wholeOf("--minutes", options.minutes, 10_080),
        }),
      );
      const line = (each: (typeof answers)[number]) =>
        "refused" in each
          ? `${each.name}  refused: ${each.refused}`
          : `${each.name}  ${each.waits ? "waits for signatures" : "sent"}  ${each.command}`;
      tell(options, answers, answers.map(line).join("\n"));
      const no = answers.filter((each) => "refused" in each).length;
      if (no > 0) throw new Fault(`${no} of ${answers.length} were not told.`, 3);
    });
  command
    .command("show")
    .description("how commands stand, by the ids that send printed")
    .argument("<id...>")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (ids: string[], options: Options) => {
      const asked = ids.map((id) => `id=${encodeURIComponent(id)}`).join("&");
      const rows = States.parse(await ask(options, `/api/command?${asked}`));
      const line = ({ id, name, verb, state }: (typeof rows)[number]) =>
        `${name}  ${verb}  ${state.state} since ${state.at}${state.reason === undefined ? "" : `: ${state.reason}`}  ${id}`;
      tell(options, rows, rows.length === 0 ? "None of these was sent." : rows.map(line).join("\n"));
    });
}

function wholeOf(option: string, text: string, max: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > max)
    throw new Fault(`${option} is a whole number from 1 to ${max}, not "${text}".`);
  return number;
}
