/** `sallyport`: what the console does, from a shell or a pipeline; and evidence verified with no console at all. */

import { isAnswer, whyNot } from "@sallyport/shared/base/why.ts";
import { Command, CommanderError, Option } from "commander";
import own from "../package.json" with { type: "json" };
import { addApproval } from "./approval-commands.ts";
import { addArtifacts } from "./artifact-commands.ts";
import { backup, describeBackup } from "./backup.ts";
import { addCommand } from "./command-commands.ts";
import { completion, SHELLS } from "./completion.ts";
import { addConsoleKey } from "./console-key.ts";
import { addDeny } from "./deny-commands.ts";
import { makeOrganisationKey, unseal } from "./disk.ts";
import { download } from "./download.ts";
import { addException } from "./exception-commands.ts";
import { Fault } from "./fault.ts";
import { readArgumentFile } from "./file.ts";
import { addInForce } from "./in-force.ts";
import { json, url } from "./options.ts";
import { openExport } from "./pack.ts";
import { resetSignIn } from "./people.ts";
import { checkPolicy, diffPolicies, importUsbguard, policySchema, usbRules } from "./policy.ts";
import { tokenFor } from "./reach.ts";
import { addReplay } from "./replay-command.ts";
import { addRepository } from "./repository-commands.ts";
import { restored } from "./restored.ts";
import { addRollout } from "./rollout-commands.ts";
import { addSign } from "./sign.ts";
import { sentences, unaccounted, verifyExport } from "./verify.ts";

const EXIT_CODES = `
Exit codes: 0 done, or yes; 1 an error of the command's own (bad arguments, no such file, no answer); 3 the answer is no.`;

type VerifyOptions = { vkey?: string; checkpoint?: string; requireContents?: boolean; json?: boolean };

const say = (text: string): void => {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
};
const show = (json: boolean | undefined, value: unknown, text: string) =>
  say(json ? JSON.stringify(value, null, 2) : text);

export function program(): Command {
  const root = new Command("sallyport")
    .description("Sallyport's command line: verify and export evidence, check policies, back the console up.")
    .version(own.version)
    .addHelpText("after", EXIT_CODES);

  root
    .command("verify")
    .description("check an exported trail with no console: every entry, the tree, the signature")
    .argument("<export>", "a folder that `sallyport export` wrote, or a pack (.tar)")
    .option(
      "--vkey <key>",
      "the workstation's verifier key, as text or in a file; else the export's own is trusted on first sight",
    )
    .option("--checkpoint <file>", "an older checkpoint that you kept: nothing before it may have changed or vanished")
    .option("--require-contents", "contents that are not here, and that no gap record names, are a failure")
    .addOption(json())
    .addHelpText(
      "after",
      "\nExit codes: 0 whole, 3 not whole (or contents are missing and were required), 1 an error of the command's own.",
    )
    .action(async (path: string, options: VerifyOptions) => {
      const pack = await openExport(path);
      try {
        const report = await verifyExport(pack, {
          ...(options.vkey === undefined
            ? {}
            : { vkey: /\+.+\+/.test(options.vkey) ? options.vkey : readArgumentFile(options.vkey) }),
          ...(options.checkpoint === undefined ? {} : { older: readArgumentFile(options.checkpoint) }),
        });
        show(options.json, report, sentences(report).join("\n"));
        if (!report.whole || (options.requireContents && unaccounted(report) > 0)) process.exitCode = 3;
      } finally {
        await pack.close();
      }
    });

  root
    .command("export")
    .description("fetch a workstation's trail from the console")
    .requiredOption("--workstation <name>", "its id, name or host name; `console` for the console's own trail")
    .requiredOption("--out <path>", "a new folder, or a name that ends in .tar for one pack")
    .option("--trail <id>", "an older trail than the newest one")
    .addOption(url())
    .addOption(json())
    .addHelpText(
      "after",
      "\nThe API token (scope: export) is read from SALLYPORT_TOKEN; make one on the console's Account page.",
    )
    .action(async (options: { workstation: string; out: string; trail?: string; url: string; json?: boolean }) => {
      const token = tokenFor(["export"]);
      const got = await download({ ...options, token });
      const older = got.olderTrails.map((id) => `\nAn older trail of it: --trail ${id}`).join("");
      show(options.json, got, `Wrote trail ${got.trail} to ${got.out}. Check it: sallyport verify ${got.out}${older}`);
    });

  const policy = root.command("policy").description("policy documents");
  policy
    .command("check")
    .description("whether a policy document is valid; each fault with its line and column")
    .argument("<file>", "YAML or JSON; - for standard input")
    .addOption(json())
    .addHelpText("after", "\nExit codes: 0 valid, 3 not valid, 1 an error of the command's own.")
    .action((file: string, options: { json?: boolean }) => {
      const { valid, value, text } = checkPolicy(file, readArgumentFile(file));
      show(options.json, value, text);
      if (!valid) process.exitCode = 3;
    });
  policy
    .command("diff")
    .description("what a policy changes against another, in words; what is lost or loosened first")
    .argument("<before>", "YAML or JSON, as it is in force; - for standard input")
    .argument("<after>", "YAML or JSON, as it is to be; - for standard input")
    .option("--fail-on-loosening", "exit with 3 where something is removed or loosened")
    .addOption(json())
    .addHelpText(
      "after",
      "\nExit codes: 0 compared, 3 it loosens and --fail-on-loosening was given, 1 an error of the command's own.",
    )
    .action((before: string, after: string, options: { json?: boolean; failOnLoosening?: boolean }) => {
      if (before === "-" && after === "-") throw new Fault("Only one of the two can come from standard input.");
      const read = (file: string) => ({ file, text: readArgumentFile(file) });
      const { value, text, loosens } = diffPolicies(read(before), read(after));
      show(options.json, value, text);
      if (loosens && options.failOnLoosening) process.exitCode = 3;
    });
  policy
    .command("schema")
    .description("the policy document's JSON Schema, for editors (docs/operations.md)")
    .action(() => say(policySchema()));
  policy
    .command("import-usbguard")
    .description("a USBGuard rules file as a policy document")
    .argument("<file>", "rules.conf; - for standard input")
    .addHelpText("after", "\nExit codes: 0 done, 3 a rule cannot be read, 1 an error of the command's own.")
    .action((file: string) => say(importUsbguard(file, readArgumentFile(file))));

  addRepository(policy, say);
  addReplay(policy, say);
  addInForce(policy, say);

  addRollout(root, say);
  addDeny(root, say);
  addCommand(root, say);
  addException(root, say);
  addApproval(root, say);
  addSign(root, say);
  addConsoleKey(root, say);
  addArtifacts(root, say);

  root
    .command("usb")
    .description("device rules")
    .command("rules")
    .description("each rule's canonical form, one a line, as usbguard-rule-parser prints it")
    .argument("<file>", "rules in the USBGuard language; - for standard input")
    .addOption(json())
    .addHelpText("after", "\nExit codes: 0 done, 3 a rule cannot be read, 1 an error of the command's own.")
    .action((file: string, options: { json?: boolean }) => {
      const rules = usbRules(file, readArgumentFile(file));
      show(options.json, rules, rules.join("\n"));
    });

  const disk = root.command("disk").description("recovery keys of the guests' volumes");
  disk
    .command("key")
    .description("make the organisation's key pair; recovery keys are sealed to its public half")
    .argument("<file>", "a new file for the private half")
    .addOption(json())
    .action((out: string, options: { json?: boolean }) => {
      const { text, ...made } = makeOrganisationKey(out);
      show(options.json, made, text);
    });
  disk
    .command("unseal")
    .description("open a volume's recovery key with the organisation's private key; needs no console")
    .argument("<file>", "the body of a disk.recovery record; - for standard input")
    .requiredOption("--key <file>", "the organisation's private key")
    .addOption(json())
    .addHelpText("after", "\nExit codes: 0 opened, 3 it does not open with this key, 1 an error of the command's own.")
    .action((file: string, options: { key: string; json?: boolean }) => {
      const opened = unseal(file, readArgumentFile(file), readArgumentFile(options.key));
      show(options.json, opened, opened.recoveryKey);
    });

  const state = () => new Option("--state <folder>", "the state folder").env("SALLYPORT_STATE").default(".sallyport");
  root
    .command("backup")
    .description("back the embedded console up while it runs: database and keys")
    .argument("<folder>", "a new folder")
    .addOption(state())
    .addOption(json())
    .action(async (out: string, options: { state: string; json?: boolean }) => {
      const made = await backup({ stateFolder: options.state, out });
      show(options.json, made, describeBackup(made));
    });
  root
    .command("restored")
    .description(
      "say that the console's database was restored from a backup: raises the epoch, so that workstations send again",
    )
    .addOption(state())
    .addOption(new Option("--database <url>", "an outside database").env("DATABASE_URL"))
    .addOption(json())
    .action(async (options: { state: string; database?: string; json?: boolean }) => {
      const done = await restored(options);
      show(options.json, done, done.text);
    });
  root
    .command("people")
    .description("accounts on the console")
    .command("reset")
    .description("a last way back in: take somebody's password, second factor and sessions, and print a one-time link")
    .argument("<email>", "whose sign-in, an owner's as well")
    .addOption(state())
    .addOption(new Option("--database <url>", "an outside database").env("DATABASE_URL"))
    .addOption(new Option("--url <url>", "the console's address, for the link").env("SALLYPORT_URL"))
    .addOption(json())
    .addHelpText(
      "after",
      "\nRun on the console's machine, by whoever may read its key. It is a record on the console's trail.\nExit codes: 0 done, 3 nobody has that address, 1 an error of the command's own.",
    )
    .action(async (email: string, options: { state: string; database?: string; url?: string; json?: boolean }) => {
      const done = await resetSignIn(email, options);
      show(options.json, done, done.text);
    });
  root
    .command("completion")
    .description('a completion script: eval "$(sallyport completion bash)"')
    .argument("<shell>", SHELLS.join(" or "))
    .action((shell: string) => say(completion(root, shell)));
  return root;
}

/** Arguments → exit code. */
export async function main(args: readonly string[]): Promise<void> {
  const root = program();
  const calm = (command: Command, above: string): void => {
    const path = `${above}${command.name()}`;
    command
      .exitOverride()
      .configureOutput({ outputError: (text, write) => write(text) })
      .showHelpAfterError(`usage: ${path} ${command.usage()}\n(${path} --help says more)`);
    for (const each of command.commands) calm(each, `${path} `);
  };
  calm(root, "");
  try {
    await root.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 1;
    else {
      process.stderr.write(`${told(error)}\n`);
      process.exitCode = error instanceof Fault ? error.code : 1;
    }
  }
}

/** The system's answer about a path is a sentence; a fault of our own brings its stack. */
function told(error: unknown): string {
  if (error instanceof Fault) return error.message;
  const { path, stack } = error as NodeJS.ErrnoException;
  return isAnswer(error) ? `${path ?? "A file"} cannot be used: ${whyNot(error)}.` : `sallyport failed: ${stack}`;
}

// a reader that has seen enough (head, less) is no error
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
await main(process.argv.slice(2));
