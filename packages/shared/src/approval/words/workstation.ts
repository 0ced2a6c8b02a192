/** What one workstation is told or allowed, signed one by one: an exception for a stick, a command → in words. Pure. */
import { fail, ok, type Result } from "../../base/result.ts";
import { Command, type CommandOf, faultOfCommand } from "../../command/command.ts";
import { VERB_RULES, type Verb } from "../../command/verb.ts";
import { audienceKey } from "../../policy/verify.ts";
import { CarriedException, handsOver } from "../../usb/exception.ts";
import { exactOf, type Known, named, type Read, type Said, whole } from "./statement.ts";

export function sayException(read: Read, known: Known): Result<Said> {
  const load = whole(CarriedException, read.carried);
  if (!load.ok) return load;
  const { workstation, descriptors, device, manifest, reason } = load.value;
  if (audienceKey(read.statement.audience) !== `workstation/${workstation}`)
    return fail(`it speaks of ${workstation} and is meant for ${audienceKey(read.statement.audience)}`);
  if (read.statement.notAfter === undefined) return fail("an exception that never ends");
  if (device === undefined) return fail("it does not say which stick: it would be for every one of its model");
  return ok({
    head: `Lets one stick pass on workstation ${named(known, workstation)} until ${read.statement.notAfter}`,
    destroys: [],
    looser: [
      "what its scan refuses or holds passes all the same, with exactly the contents of this manifest",
      `handed over is ${handsOver(load.value)}`,
    ],
    other: [`Why, as asked: ${reason}`],
    exact: [`device ${device}`, `descriptors ${descriptors}`, `manifest ${manifest}`, exactOf(read)],
  });
}

const TELLS: Record<Verb, (command: Command) => string> = {
  isolate: (command) => `to cut its guests' network until ${(command as CommandOf<"isolate">).arguments.until}`,
  release: () => "to end its isolation",
  pause: (command) => `to pause its guest ${(command as CommandOf<"pause">).arguments.guest}`,
  resume: (command) => `to let its guest ${(command as CommandOf<"resume">).arguments.guest} go on`,
  "destroy-guest": (command) => `to end its guest ${(command as CommandOf<"destroy-guest">).arguments.guest}`,
  rescan: () => "to scan the images it holds again",
  diagnostics: () => "to gather diagnostics",
  wipe: (command) => `to wipe its volume ${(command as CommandOf<"wipe">).arguments.volume}`,
  "start-guest": (command) => `to start its guest ${(command as CommandOf<"start-guest">).arguments.guest}`,
};

export function sayCommand(read: Read, known: Known): Result<Said> {
  const load = whole(Command, read.carried);
  if (!load.ok) return load;
  const fault = faultOfCommand(read.statement, read.carried);
  if (fault) return fail(`the workstation would refuse it: ${fault.reason}`);
  const audience = read.statement.audience as { workstation: string };
  const { verb, notAfter, id } = load.value;
  const rule = VERB_RULES[verb];
  return ok({
    head: `Tells workstation ${named(known, audience.workstation)} ${TELLS[verb](load.value)}; not begun after ${notAfter}`,
    destroys: rule.isDestructive ? [rule.words] : [],
    looser: [],
    other: rule.isDestructive ? [] : [rule.words],
    exact: [`command ${id}`, exactOf(read)],
  });
}
