/** `sallyport-agent replay`: what the agent would spool from a file, one record a line, with no trail. */
import { once } from "node:events";
import { type Command, Option } from "commander";
import { DoorError } from "../dom0/dom0.ts";
import { readInput } from "../dom0/input.ts";
import { REPLAYED, type Replayed, replay } from "./replay.ts";

const AFTER = `
Prints kind, severity, time, guest, text and body as JSON, one record a line, in the order of the input.
There is no index and no salt: nothing is recorded.

Exit codes: 0 all was read (what no source could read is an agent.malformed record), 1 the file could not be read.

Example: sallyport-agent replay --source eve /var/log/suricata/eve.json | head`;

export function replayCommand(program: Command): void {
  program
    .command("replay")
    .description("print the records that a source would make of a file")
    .argument("<file>", "the file to read, or - for standard input")
    .addOption(new Option("--source <source>", "what the file holds").choices(REPLAYED).makeOptionMandatory())
    .addHelpText("after", AFTER)
    .action(async (file: string, { source }: { source: Replayed }) => {
      process.exitCode = await run(source, file);
    });
}

async function run(source: Replayed, file: string): Promise<number> {
  let gone = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    gone = true; // `| head` has read enough
  });
  try {
    for await (const found of replay(source, file === "-" ? "stdin" : file, readInput(file), Date.now)) {
      const { kind, severity, time, guest, text, body } = found;
      const line = JSON.stringify({ kind, severity, time: new Date(time).toISOString(), guest, text, body });
      if (gone) return 0;
      if (!process.stdout.write(`${line}\n`))
        await Promise.race([once(process.stdout, "drain"), once(process.stdout, "close")]);
    }
    return 0;
  } catch (error) {
    if (gone) return 0;
    if (!(error instanceof DoorError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}
