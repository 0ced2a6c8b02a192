/** `sallyport-agent`: each command, or the file that adds it. What a command needs is loaded when it is asked for. */
import { hostname } from "node:os";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { isAnswer, whyNot } from "@sallyport/shared/base/why.ts";
import { Command } from "commander";
import { askWord } from "./enrol/ask-word.ts";
import { STATE_DEFAULT, startWords } from "./enrol/start-words.ts";
import { AGENT_VERSION } from "./version.ts";

const AFTER = `
The state folder holds the keys, the spool and the policy in force: --state, else SALLYPORT_AGENT_STATE, else
${STATE_DEFAULT}. Where evidence comes in is said in config.json in it, or in the file --config names
(docs/configuration.md). The package puts docs into /usr/share/doc/sallyport-agent.

Exit codes: 0 done, 1 an error (said on standard error); scan has codes of its own.`;

const program = new Command("sallyport-agent")
  .description("The agent of a sanitized workstation: evidence to the console, policy from it.")
  .version(AGENT_VERSION)
  .addHelpText("after", AFTER);

const stateOption = [
  "--state <folder>",
  "the state folder",
  process.env.SALLYPORT_AGENT_STATE ?? STATE_DEFAULT,
] as const;

/** What went wrong is said in one sentence; a fault of our own brings its stack. */
const told =
  (act: (...args: never[]) => Promise<void>) =>
  async (...args: unknown[]): Promise<void> => {
    try {
      await act(...(args as never[]));
    } catch (error) {
      const { name, message, stack } = error as Error;
      const expected =
        ["EnrolmentError", "ConfigError", "SpoolBusy", "DoorError"].includes(name) || "code" in (error as Error);
      const said = isAnswer(error)
        ? `${(error as NodeJS.ErrnoException).path ?? "A file"} cannot be used: ${whyNot(error)}.`
        : message;
      process.stderr.write(`${expected ? said.split("\n").map(escapeForDisplay).join("\n") : (stack ?? message)}\n`);
      process.exitCode = 1;
    }
  };

program
  .command("enrol")
  .argument("<token>", "the word that the console's Enrol page shows; - asks for it, or reads it from a pipe")
  .description("make this machine a workstation: keys, certificate, group")
  .option("--name <name>", "a name for people", hostname())
  .option(...stateOption)
  .option("--again", "enrol a machine that is enrolled already anew, as another workstation")
  .option("--other-approvers", "with --again: whoever the console names may sign from here on (docs/approvers.md)")
  .option("--json", "print the result as JSON")
  .action(
    told(
      async (
        token: string,
        options: { name: string; state: string; again?: boolean; otherApprovers?: boolean; json?: boolean },
      ) => {
        const { name, state, again, otherApprovers, json } = options;
        const { enrol, signersWords } = await import("./enrol/enrol.ts");
        const word = token === "-" ? await askWord("Enrolment token (not shown): ") : token;
        const { facts } = await enrol({
          state,
          token: word,
          name,
          hostname: hostname(),
          agentVersion: AGENT_VERSION,
          again: again ?? false,
          otherApprovers: otherApprovers ?? false,
        });
        const { workstation, group, mqtt } = facts;
        const { keepFirstConfig } = await import("./enrol/first-config-file.ts");
        // it is enrolled whatever comes of that
        const configuration = await keepFirstConfig(state).catch((error: Error) => ({
          path: null,
          words: [`No configuration is written: ${error.message}`],
        }));
        const seen = configuration.words.map((each) => `${escapeForDisplay(each)}\n`).join("");
        const words = `Enrolled as workstation ${workstation} (${name}). ${signersWords(facts)}\n${seen}${startWords(state)}\n`;
        process.stdout.write(
          json ? `${JSON.stringify({ workstation, name, group, mqtt, state, configuration })}\n` : words,
        );
      },
    ),
  );

program
  .command("run")
  .description("record, send, and keep the policy true; stays in the foreground until SIGTERM or Ctrl-C")
  .option(...stateOption)
  .option("--config <file>", "where evidence comes in (else config.json in the state folder)")
  .action(
    told(async ({ state, config: named }: { state: string; config?: string }) => {
      const [{ runAgent }, { readConfig }, { realDom0 }, { default: pino }] = await Promise.all([
        import("./main.ts"),
        import("./config.ts"),
        import("./dom0/real.ts"),
        import("pino"),
      ]);
      const config = readConfig(state, named);
      const level = process.env.SALLYPORT_LOG_LEVEL ?? config.logLevel;
      const log = pino({ name: "agent", level }, pino.destination({ fd: 2, sync: true }));
      const stop = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop.abort());
      // systemd's, of a unit with a RuntimeDirectory
      const runtime = process.env.RUNTIME_DIRECTORY;
      await runAgent({ state, runtime, config, dom0: realDom0, log }, stop.signal);
    }),
  );

program
  .command("status")
  .description("the trail's key and newest checkpoint, what waits in the spool, and the policy in force")
  .option(...stateOption)
  .option("--json", "print it as JSON")
  .action(
    told(async ({ state, json }: { state: string; json?: boolean }) => {
      const { readStatus, statusInWords } = await import("./status.ts");
      const status = readStatus(state);
      process.stdout.write(json ? `${JSON.stringify(status)}\n` : statusInWords(status));
    }),
  );

program
  .command("pin-keyboards")
  .description("let the boot keyboards that are plugged in now, and the hubs on the way, always pass the USB gate")
  .option(...stateOption)
  .option("--config <file>", "the configuration to write them into (else config.json in the state folder)")
  .option("--json", "print the result as JSON")
  .action(
    told(async ({ state, config: named, json }: { state: string; config?: string; json?: boolean }) => {
      const [{ findKeyboards, keepPins }, { GateChoice, readConfig }, { usbPorts }, { join }] = await Promise.all([
        import("./pin-keyboards.ts"),
        import("./config.ts"),
        import("./dom0/usb.ts"),
        import("node:path"),
      ]);
      const path = named ?? join(state, "config.json");
      const place = readConfig(state, named).usb ?? GateChoice.parse({});
      const found = await findKeyboards(usbPorts(place));
      keepPins(path, found.pins);
      const lines = found.devices.map(({ port, id, maker, name }) => `${port}  ${id}  ${maker} ${name}`);
      const words =
        lines.length === 0 ? ["No boot keyboard is plugged in; none is pinned."] : [`Pinned in ${path}:`, ...lines];
      const all = [...words, ...found.unreadable.map((each) => `cannot be judged: ${each}`)];
      process.stdout.write(
        json ? `${JSON.stringify({ path, ...found })}\n` : `${all.map(escapeForDisplay).join("\n")}\n`,
      );
    }),
  );

program
  .command("hold-all")
  .description("hold every USB device but what always passes and what the guest has; for when the agent has ended")
  .option(...stateOption)
  .option("--config <file>", "the agent's configuration (else config.json in the state folder)")
  .option("--json", "print the result as JSON")
  .action(
    told(async ({ state, config, json }: { state: string; config?: string; json?: boolean }) => {
      const { heldInWords, runHoldAll } = await import("./hold-all.ts");
      const held = await runHoldAll(state, config);
      const words = heldInWords(held).map((line) => `${escapeForDisplay(line)}\n`);
      process.stdout.write(json ? `${JSON.stringify(held ?? null)}\n` : words.join(""));
      if (held && held.failed.length > 0) process.exitCode = 1;
    }),
  );

if (!["enrol", "run", "status", "pin-keyboards", "hold-all"].includes(process.argv[2] ?? "")) {
  const [{ scanCommand }, { replayCommand }, { diskCommand }] = await Promise.all([
    import("./gate/command.ts"),
    import("./sources/command.ts"),
    import("./disk-command.ts"),
  ]);
  scanCommand(program);
  replayCommand(program);
  diskCommand(program, told, stateOption);
}

/** An error names the very command that was meant. */
function tellUsage(command: Command, above: string): void {
  const path = `${above}${command.name()}`;
  command.showHelpAfterError(`usage: ${path} ${command.usage()}\n(${path} --help says more)`);
  for (const each of command.commands) tellUsage(each, `${path} `);
}
tellUsage(program, "");
await program.parseAsync();
