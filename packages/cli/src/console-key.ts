/** The console's key follows another, on the console's own machine: files here, rows and statements by the console's own
 *  program, which reads the keys. */
import { execFile } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { keyId } from "@sallyport/shared/trail/signed.ts";
import { type Command, Option } from "commander";
import { z } from "zod";
import { hash } from "./crypto.ts";
import { embeddedUrl, isRunning } from "./embedded.ts";
import { Fault } from "./fault.ts";
import { json } from "./options.ts";

const PROGRAM = fileURLToPath(new URL("../../../apps/web/src/approval/rotate-here.ts", import.meta.url));
const Said = z.object({
  refused: z.string().optional(),
  named: z
    .array(z.object({ group: z.string(), name: z.string(), told: z.number(), waiting: z.string().nullable() }))
    .optional(),
  groups: z.number().optional(),
  standing: z.array(z.object({ name: z.string(), workstations: z.number(), believe: z.number() })).optional(),
});
type Said = z.infer<typeof Said>;
type Step = "name" | "status" | "switch" | "retire" | "adopt";

type Options = { state: string; database?: string; force?: boolean; json?: boolean };

const HELP = `
In turn: next, until status says that all believe it; switch, and restart the console and its workers; retire. Groups with
approvers have each step signed (sallyport sign). Run on the console's machine, by whoever may read its keys.
Exit codes: 0 done; 3 the answer is no; 1 an error of the command's own.`;

export function addConsoleKey(root: Command, say: (text: string) => void): void {
  const command = root.command("console-key").description("let another key of the console follow (docs/approvers.md)");
  const add = (name: string, words: string, act: (options: Options) => Promise<{ value: object; text: string }>) => {
    const added = command
      .command(name)
      .description(words)
      .addOption(new Option("--state <folder>", "the state folder").env("SALLYPORT_STATE").default(".sallyport"))
      .addOption(new Option("--database <url>", "an outside database").env("DATABASE_URL"))
      .addOption(json())
      .addHelpText("after", HELP)
      .action(async (options: Options) => {
        const { value, text } = await act(options);
        say(options.json ? JSON.stringify(value, null, 2) : text);
      });
    if (name === "switch") added.option("--force", "although not all workstations say that they believe the next key");
  };
  add("next", "make the next key, and tell the workstations of it beside the one there is", next);
  add("adopt", "the key that the database knows is lost: take the one in keys/console.key", adopt);
  add("status", "how many workstations believe the next key", async (options) => {
    const { standing = [] } = await run("status", options);
    return { value: { key: idOf(files(options).next), standing }, text: standingWords(standing) };
  });
  add("switch", "sign with the next key from now on; then restart the console and its workers", switchOver);
  add("retire", "tell the workstations that the old key is the console's no more", async (options) => {
    const { named = [] } = await run("retire", options);
    return {
      value: { key: idOf(files(options).key), named },
      text: namedWords(named, "that only the new key is the console's"),
    };
  });
}

async function adopt(options: Options) {
  const { key } = files(options);
  const { groups = 0 } = await run("adopt", options);
  return {
    value: { key: idOf(key), groups },
    text: `${idOf(key)} is the console's key now, in ${groups} groups. Workstations that were never told of it are to be enrolled anew (docs/approvers.md).`,
  };
}

function files({ state }: Options): { folder: string; key: string; next: string } {
  const folder = join(resolve(state), "keys");
  const [key, next] = [join(folder, "console.key"), join(folder, "console.next.key")];
  if (!existsSync(key))
    throw new Fault(`${resolve(state)} holds no console key (keys/console.key). Name the state folder with --state.`);
  return { folder, key, next };
}

function idOf(file: string): string {
  if (!existsSync(file)) throw new Fault(`There is no next key yet (${file}): sallyport console-key next makes it.`, 3);
  const { x } = createPublicKey(createPrivateKey(readFileSync(file))).export({ format: "jwk" }) as { x: string };
  return keyId(hash, new Uint8Array(Buffer.from(x, "base64url")));
}

async function next(options: Options) {
  const { next: file } = files(options);
  if (!existsSync(file)) {
    const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });
    try {
      writeFileSync(file, pem, { mode: 0o600, flag: "wx" });
    } catch (error) {
      throw new Fault(`${file} cannot be written: ${whyNot(error)}.`, 1, { cause: error });
    }
  }
  const { named = [] } = await run("name", options);
  return {
    value: { key: idOf(file), named },
    text: `The next key is ${idOf(file)}, in ${file}: put it into the backup.\n${namedWords(named, "of it")}`,
  };
}

async function switchOver(options: Options) {
  const { folder, key, next: file } = files(options);
  const [old, to] = [idOf(key), idOf(file)];
  const { standing = [] } = await run("switch", options);
  const kept = join(folder, `console.${old}.old.key`);
  renameSync(key, kept);
  renameSync(file, key);
  return {
    value: { from: old, to, kept, standing },
    text: `The console's key is ${to} now. Restart the console and its workers; until then they refuse to record.\nThe old one is in ${kept}: when it is retired, destroy it.`,
  };
}

const namedWords = (named: NonNullable<Said["named"]>, what: string): string =>
  named.length === 0
    ? `Every workstation has been told ${what} already.`
    : named
        .map(({ name, told, waiting }) =>
          escapeForDisplay(
            waiting
              ? `${name}: waits for approvers: sallyport sign ${waiting} --key FILE`
              : `${name}: ${told} workstations are told ${what}.`,
          ),
        )
        .join("\n");

const standingWords = (standing: NonNullable<Said["standing"]>): string =>
  standing.length === 0
    ? "There is no workstation."
    : standing
        .map(({ name, workstations, believe }) => escapeForDisplay(`${name}: ${believe} of ${workstations} believe it`))
        .join("\n");

async function run(step: Step, options: Options): Promise<Said> {
  const { key, next: file } = files(options);
  if (step === "name" || step === "status" || step === "switch") idOf(file);
  else if (step === "retire" && existsSync(file))
    throw new Fault(`The next key ${idOf(file)} was not switched to yet; ${idOf(key)} cannot be retired.`, 3);
  const state = resolve(options.state);
  if (options.database === undefined && !isRunning(state))
    throw new Fault("The console does not run on this state folder. Start it (npm run up), then run this again.");
  const env = { ...process.env, SALLYPORT_STATE: state, DATABASE_URL: options.database ?? embeddedUrl(state) };
  const args = [PROGRAM, step, ...(options.force ? ["force"] : [])];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env }).catch((cause) => {
    const { stderr = "", message } = cause as { stderr?: string; message: string };
    throw new Fault(`Nothing was done: ${stderr.trim() || message}`, 1, { cause });
  });
  const said = Said.parse(JSON.parse(stdout));
  if (said.refused !== undefined) throw new Fault(said.refused, 3);
  return said;
}
