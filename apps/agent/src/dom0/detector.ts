/** ids applier → Suricata: its files, its test of a configuration aside, and its command socket. */
import { connect } from "node:net";
import { join } from "node:path";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { fail, type Result } from "@sallyport/shared/base/result.ts";
import { z } from "zod";
import { asUser, type DetectorUser, detectorUser, makeFolders, writeFor } from "./detector-place.ts";
import { failedRules, type TestedRules, testedRules } from "./detector-words.ts";
import { type Dom0, DoorError } from "./dom0.ts";

/** `aside/…` is what is tested; without it, what is in force. */
export type DetectorFile = "suricata.yaml" | "detector.rules" | "threshold.config";
export type Link = "up" | "down" | "absent";
export type Detector = {
  read(file: DetectorFile): Promise<string | undefined>;
  write(file: DetectorFile, text: string, aside?: boolean): Promise<void>;
  /** A rule set where it lies; the caller checks the sum. */
  artifact(path: string): Promise<string | undefined>;
  /** What it makes of the rules aside; or why it would not start with these files, in its words.
   *  @throws DoorError where there is no detector */
  test(): Promise<Result<TestedRules>>;
  /** The first rules that the running one could not load. @throws DoorError as `ask` */
  notUnderstood(): Promise<string[]>;
  /** The interface that it watches, as the kernel has it: administratively up or not. @throws DoorError where `ip` cannot say */
  link(name: string): Promise<Link>;
  /** Another text whenever something was written to its file of events; nothing where there is no such file. */
  events(): Promise<string | undefined>;
  /** The answer to one command. @throws DoorError where nobody listens or it is refused */
  ask(command: string, args?: Record<string, Json>): Promise<Json>;
};

/** `user`: as whom it runs; the package's own otherwise, where it is there. */
export type DetectorPlace = {
  folder: string;
  program: readonly string[];
  user?: DetectorUser;
  /** Of an answer that needs no work. */
  answerMsMax?: number;
};

/** Tens of thousands of rules are parsed in minutes on a small machine. */
const TEST_MS_MAX = 600_000;
/** What it answers from memory. It answers one at a time, and a machine under load takes seconds; who is silent for longer
 *  hangs, and a look at the section asks four times. */
const ANSWER_MS_MAX = 20_000;
/** It answers once all rules are parsed. */
const SLOW: readonly string[] = ["ruleset-reload-rules"];
/** It has a line for each rule that it does not understand, and for each that it wonders about. */
const TEST_OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const RULES_BYTES_MAX = 256 * 1024 * 1024;
const ANSWER_CHARS_MAX = 16 * 1024 * 1024;

const Links = z.array(z.object({ flags: z.array(z.string()) }));

export const socketOf = (folder: string): string => join(folder, "run/command.socket");

export function suricata(dom0: Pick<Dom0, "run" | "readText" | "facts">, place: DetectorPlace): Detector {
  const { folder, program } = place;
  const asked = (command: string, args?: Record<string, Json>) =>
    ask(socketOf(folder), command, args, SLOW.includes(command) ? TEST_MS_MAX : (place.answerMsMax ?? ANSWER_MS_MAX));
  const userOf = async () => place.user ?? (await detectorUser(dom0));
  return {
    read: (file) => readWhole(dom0, join(folder, file)),
    async write(file, text, aside = false) {
      const user = await userOf();
      await makeFolders(folder, user);
      await writeFor(join(folder, aside ? "aside" : "", file), text, user);
    },
    artifact: (path) => readWhole(dom0, path),
    async test() {
      const [name, ...first] = [...asUser(await userOf()), ...program];
      const aside = join(folder, "aside");
      const args = [...first, "-T", "-v", "-c", join(aside, "suricata.yaml"), "-l", join(aside, "log")];
      const ran = await dom0.run(name!, args, { timeoutMs: TEST_MS_MAX, outputBytesMax: TEST_OUTPUT_BYTES_MAX });
      if (ran.timedOut) return fail(`the test took longer than ${TEST_MS_MAX / 60_000} minutes`);
      return testedRules(ran);
    },
    notUnderstood: async () => failedRules(await asked("ruleset-failed-rules")),
    async link(name) {
      const ran = await dom0.run("ip", ["-j", "link", "show", "dev", name], { timeoutMs: ANSWER_MS_MAX });
      if (ran.code === 1 && /does not exist|Cannot find device/.test(ran.stderr)) return "absent";
      const [link] = ran.code === 0 ? Links.parse(JSON.parse(ran.stdout)) : [];
      if (!link) throw new DoorError(`ip cannot say whether ${name} is up: ${ran.stderr.trim().slice(0, 200)}`);
      return link.flags.includes("UP") ? "up" : "down";
    },
    async events() {
      const facts = await dom0.facts(join(folder, "log/eve.json"));
      return facts && `${facts.inode} ${facts.size}`;
    },
    ask: asked,
  };
}

/** @throws DoorError where it is larger than any rule set */
async function readWhole(dom0: Pick<Dom0, "readText" | "facts">, path: string): Promise<string | undefined> {
  const size = (await dom0.facts(path))?.size;
  if (size === undefined) return undefined;
  if (size > RULES_BYTES_MAX) throw new DoorError(`${path} has ${size} bytes; at most ${RULES_BYTES_MAX} are read`);
  return dom0.readText(path, size + 1);
}

/** Suricata's protocol, version 0.2: a greeting, then one JSON object a line. */
function ask(path: string, command: string, args: Record<string, Json> | undefined, msMax: number): Promise<Json> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const late = setTimeout(() => refused(`no answer to ${command} within ${msMax / 1000} s`), msMax);
    const refused = (why: string, cause?: unknown) => {
      clearTimeout(late);
      socket.destroy();
      reject(new DoorError(`the detector does not answer at ${path}: ${why}`, { cause }));
    };
    const say = (value: Json) => socket.write(`${JSON.stringify(value)}\n`);
    let text = "";
    let greeted = false;
    socket.on("connect", () => say({ version: "0.2" }));
    socket.on("error", (error) => refused(error.message, error));
    socket.on("close", () => refused("it hung up"));
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("utf8");
      if (text.length > ANSWER_CHARS_MAX) return refused("its answer has no end");
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        let answer: { return?: string; message?: Json };
        try {
          answer = JSON.parse(line) as typeof answer;
        } catch (error) {
          return refused("its answer is no JSON", error);
        }
        if (answer.return !== "OK") return refused(JSON.stringify(answer.message ?? answer).slice(0, 200));
        if (greeted) {
          clearTimeout(late);
          socket.destroy();
          return resolve(answer.message ?? null);
        }
        greeted = true;
        say({ command, ...(args && { arguments: args }) });
      }
    });
  });
}
