/** `sallyport deny …`: what is blocked everywhere at once, added, listed and lifted through the console's API. */
import { readDenied } from "@sallyport/shared/policy/deny-text.ts";
import { deniedWords, OVERLAY_HOURS_DEFAULT, OVERLAY_HOURS_MAX } from "@sallyport/shared/policy/overlay.ts";
import type { Command } from "commander";
import { z } from "zod";
import { Fault } from "./fault.ts";
import { json, teller, url } from "./options.ts";
import { askConsole, askPages, tokenFor } from "./reach.ts";

type Options = { url: string; json?: boolean };
type AddOptions = Options & { reason: string; hours: string; group?: string; workstation?: string };

const CODES = `
The API token (scopes deny:read, deny:write) is read from SALLYPORT_TOKEN; make one on the Account page.
Exit codes: 0 done; 3 the console says no; 1 an error of the command's own.`;

const Row = z.looseObject({
  id: z.string(),
  words: z.string(),
  whose: z.string(),
  reason: z.string(),
  until: z.string(),
  addedBy: z.string(),
  ended: z.looseObject({ how: z.enum(["lifted", "ended"]), at: z.string().optional() }).nullable(),
  reach: z.looseObject({ words: z.string() }).nullable(),
});
const Added = z.looseObject({ id: z.string(), words: z.string(), until: z.string(), whose: z.string() });
const Lifted = z.looseObject({ words: z.string(), whose: z.string() });

export function addDeny(root: Command, say: (text: string) => void): void {
  const deny = root
    .command("deny")
    .description("block a file, a device or an address everywhere, now (docs/deny-overlay.md)");
  const tell = teller(say);
  const ask = ({ url }: Options, body?: object) =>
    askConsole({ url, token: tokenFor([body ? "deny:write" : "deny:read"]) }, "/api/deny", body);

  deny
    .command("add")
    .description("block it on the whole fleet, or on one group or workstation, until it ends or is lifted")
    .argument(
      "<what>",
      'a sha256; a device rule (`block id 0951:1666 serial "…"`) or id; an address, prefix or name, with :port',
    )
    .requiredOption("--reason <text>", "why; it is on the console's trail and on each workstation's")
    .option("--hours <n>", `when it ends by itself, at most ${OVERLAY_HOURS_MAX}`, String(OVERLAY_HOURS_DEFAULT))
    .option("--group <name>", "one group alone, by id or name")
    .option("--workstation <name>", "one workstation alone, by id, name or host name")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (what: string, options: AddOptions) => {
      const read = readDenied(what);
      if (!read.ok) throw new Fault(read.error, 3);
      const { group, workstation, reason } = options;
      if (group !== undefined && workstation !== undefined)
        throw new Fault("Name a group or a workstation, not both; neither is the whole fleet.");
      const body = { what: deniedWords(read.value), hours: hoursOf(options.hours), reason, group, workstation };
      const added = Added.parse(await ask(options, body));
      const text = `${added.words} is blocked on ${added.whose} until ${added.until}. See how far it has come: sallyport deny list. Lift it: sallyport deny lift ${added.id} --reason …`;
      tell(options, added, text);
    });
  deny
    .command("list")
    .description("what stands, who added it, when it ends, and how many workstations have it")
    .option("--all", "what has ended as well")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (options: Options & { all?: boolean }) => {
      const { url, all = false } = options;
      // all that stands is on the first page
      const listed = all ? askPages({ url, token: tokenFor(["deny:read"]) }, "/api/deny") : ask(options);
      const rows = z.array(Row).parse(await listed);
      const shown = rows.filter(({ ended }) => all || ended === null);
      tell(options, shown, shown.length === 0 ? "Nothing is denied." : shown.map(line).join("\n"));
    });
  deny
    .command("lift")
    .description("let it pass again before it ends, wherever the policy does")
    .argument("<id>", "as `sallyport deny list` shows it")
    .requiredOption("--reason <text>", "why; it is on the console's trail")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (id: string, options: Options & { reason: string }) => {
      const lifted = Lifted.parse(await ask(options, { lift: id, reason: options.reason }));
      tell(options, { id, ...lifted }, `${lifted.words} is not blocked by the overlay of ${lifted.whose} any more.`);
    });
}

function line({ id, words, whose, until, reason, addedBy, ended, reach }: z.infer<typeof Row>): string {
  const end = ended === null ? `until ${until}` : ended.how === "ended" ? `ended ${until}` : `lifted ${ended.at ?? ""}`;
  return `${id}  ${words}  on ${whose}, ${end}, by ${addedBy}: ${reason}${reach ? `\n              ${reach.words}` : ""}`;
}

function hoursOf(text: string): number {
  const hours = Number(text);
  if (!Number.isInteger(hours) || hours < 1 || hours > OVERLAY_HOURS_MAX)
    throw new Fault(`--hours is a whole number from 1 to ${OVERLAY_HOURS_MAX}, not "${text}".`);
  return hours;
}
