/** `sallyport exception …`: sticks that may pass by a person's word, listed, and taken back through the console's API. */
import type { Command } from "commander";
import { z } from "zod";
import { Fault } from "./fault.ts";
import { json, teller, url } from "./options.ts";
import { askConsole, askPages, tokenFor } from "./reach.ts";

type Options = { url: string; json?: boolean };

const CODES = `
The API token (scopes exception:read, exception:write) is read from SALLYPORT_TOKEN; make one on the Account page.
Exit codes: 0 done; 3 the console says no; 1 an error of the command's own.`;

const Row = z.looseObject({
  workstation: z.object({ id: z.string(), name: z.string() }),
  exception: z.string(),
  until: z.string(),
  reason: z.string(),
});
const Revoked = z.looseObject({ name: z.string(), until: z.string() });
const PATH = "/api/exception";
const ID_CHARS_MIN = 8;
const READ = ["exception:read"];
const REVOKE = [...READ, "exception:write"];

export function addException(root: Command, say: (text: string) => void): void {
  const exception = root.command("exception").description("sticks that may pass by a person's word (docs/usb-gate.md)");
  const tell = teller(say);
  const reach = ({ url }: Options, scopes: string[]) => ({ url, token: tokenFor(scopes) });
  const standing = async (options: Options, scopes: string[]) =>
    z.array(Row).parse(await askPages(reach(options, scopes), PATH));

  exception
    .command("list")
    .description("those that stand: on which workstation, until when, and why")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (options: Options) => {
      const rows = await standing(options, READ);
      const line = (row: z.infer<typeof Row>) =>
        `${row.exception.slice(0, 12)}  on ${row.workstation.name}, until ${row.until}: ${row.reason}`;
      tell(options, rows, rows.length === 0 ? "No exception stands." : rows.map(line).join("\n"));
    });
  exception
    .command("revoke")
    .description("take it back before it ends; the guest loses the stick at once")
    .argument("<id>", `as \`sallyport exception list\` shows it, at least ${ID_CHARS_MIN} digits of it`)
    .requiredOption("--reason <text>", "why; it is on the console's trail and goes to the workstation")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (id: string, options: Options & { reason: string }) => {
      if (!/^[0-9a-f]+$/.test(id) || id.length < ID_CHARS_MIN)
        throw new Fault(`An exception is named by at least ${ID_CHARS_MIN} digits of its id, not by "${id}".`, 3);
      const named = (await standing(options, REVOKE)).filter(({ exception }) => exception.startsWith(id));
      const [row, ...more] = named;
      if (!row || more.length > 0)
        throw new Fault(`${row ? "More than one exception" : "No exception that stands"} begins with ${id}.`, 3);
      const body = { workstation: row.workstation.id, exception: row.exception, reason: options.reason };
      const revoked = Revoked.parse(await askConsole(reach(options, REVOKE), PATH, body));
      tell(
        options,
        revoked,
        `Revoked: the stick may not pass on ${revoked.name} any more. A workstation that is away hears it when it is back, until ${revoked.until}.`,
      );
    });
}
