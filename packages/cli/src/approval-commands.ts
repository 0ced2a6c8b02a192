/** `sallyport key …`, `sallyport approval …`: arguments → approver-key.ts and approval.ts. */
import { writeFileSync } from "node:fs";
import { Signing } from "@sallyport/shared/approval/proposal.ts";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import type { Command } from "commander";
import { describe, fetchProposal, handIn, listWaiting, policyText, readProposal, type Waiting } from "./approval.ts";
import { makeApproverKey, readApproverKey } from "./approver-key.ts";
import { askHidden, isAtTerminal, passphraseFor } from "./ask.ts";
import { Fault } from "./fault.ts";
import { readArgumentFile } from "./file.ts";
import { json, url } from "./options.ts";
import { type Reach, tokenFor } from "./reach.ts";
import { readSeen } from "./seen.ts";

const TOKEN = "\nThe API token (scope approval) is read from SALLYPORT_TOKEN; make one on the Account page.";
const PASSPHRASE_CHARS_MIN = 12;

type Options = { url: string; json?: boolean };
export const reachOf = ({ url }: { url: string }): Reach => ({ url, token: tokenFor(["approval"]) });

export function addApproval(root: Command, say: (text: string) => void): void {
  const show = (options: { json?: boolean }, value: unknown, text: string) =>
    say(options.json ? JSON.stringify(value, null, 2) : text);

  const key = root.command("key").description("an approver's key, kept outside the console (docs/approvers.md)");
  key
    .command("new")
    .description("make a key; its public half is for the console, its private half never")
    .argument("<file>", "a new file for the private half")
    .requiredOption("--name <name>", "whose key it is")
    .option("--no-passphrase", "keep it under no pass phrase: whoever reads the file can sign")
    .option("--passphrase-file <file>", "the pass phrase; else SALLYPORT_PASSPHRASE, else it is asked for")
    .addOption(json())
    .action(
      async (out: string, options: { name: string; passphrase: boolean; passphraseFile?: string; json?: boolean }) => {
        const { text, ...made } = makeApproverKey(
          out,
          options.name,
          options.passphrase ? await newPassphrase(options) : undefined,
        );
        show(options, made, text);
      },
    );
  key
    .command("show")
    .description("a key's public half")
    .argument("<file>", "the key")
    .addOption(json())
    .action((file: string, options: { json?: boolean }) => {
      const { id, name, publicKey, hasPassphrase } = readApproverKey(file);
      show(options, { id, name, publicKey, hasPassphrase }, `${publicKey}\nKey ${id} of ${escapeForDisplay(name)}`);
    });

  const approval = root.command("approval").description("what waits for signatures (docs/approvers.md)");
  approval
    .command("list")
    .description("all that waits, the oldest first")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", TOKEN)
    .action(async (options: Options) => {
      const waiting = await listWaiting(reachOf(options));
      show(options, waiting, waiting.length === 0 ? "Nothing waits for signatures." : waiting.map(line).join("\n"));
    });
  approval
    .command("show")
    .description("what one does, in words worked out here from its own text")
    .argument("<id>", "as `approval list` names it, or a file that `approval fetch` wrote")
    .option("--key <file>", "compare with what this key has signed before")
    .option("--policy", "print the policy that it proposes, for `policy diff` and `policy replay`")
    .addOption(url())
    .addOption(json())
    .addHelpText(
      "after",
      `${TOKEN}\nExit codes: 0 said; 3 it cannot be said whole, or it waits no more; 1 an error of the command's own.`,
    )
    .action(async (id: string, options: Options & { key?: string; policy?: boolean }) => {
      const proposal = await find(id, options);
      if (options.policy) return say(policyText(proposal));
      const own = options.key === undefined ? undefined : readApproverKey(options.key);
      const found = describe(proposal, own && { publicKey: own.publicKey, seen: readSeen(options.key!) });
      show(options, { id: proposal.id, ...found.said, warnings: found.warnings, confirm: found.code }, found.text);
    });
  approval
    .command("fetch")
    .description("write one to a file, for a machine that reaches no console")
    .argument("<id>", "as `approval list` names it")
    .requiredOption("--out <file>", "a new file")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", TOKEN)
    .action(async (id: string, options: Options & { out: string }) => {
      const proposal = await fetchProposal(reachOf(options), id);
      writeNew(options.out, `${JSON.stringify(proposal)}\n`);
      show(options, { id, out: options.out }, `Wrote ${options.out}. Sign it: sallyport sign ${options.out} --key KEY`);
    });
  approval
    .command("send")
    .description("hand in signatures that were made on another machine")
    .argument("<file>", "what `sallyport sign FILE` wrote; - for standard input")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", `${TOKEN}\nExit codes: 0 handed in; 3 the console says no; 1 an error of the command's own.`)
    .action(async (file: string, options: Options) => {
      const signed = await handIn(reachOf(options), readSigning(file));
      show(options, signed, signedWords(signed));
      if (signed.state === "failed") process.exitCode = 3;
    });
}

/** A file, or what the console has under this id. */
export const find = (what: string, options: { url: string }) =>
  /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(what)
    ? fetchProposal(reachOf(options), what)
    : Promise.resolve(readProposal(what, readArgumentFile(what)));

async function newPassphrase({ passphraseFile }: { passphraseFile?: string }): Promise<string> {
  const given = await passphraseFor("A pass phrase for the new key: ", passphraseFile);
  if (given.length < PASSPHRASE_CHARS_MIN)
    throw new Fault(`A pass phrase has at least ${PASSPHRASE_CHARS_MIN} characters. Nothing was made.`);
  const isTyped = passphraseFile === undefined && process.env.SALLYPORT_PASSPHRASE === undefined && isAtTerminal();
  if (isTyped && (await askHidden("Once more: ")) !== given)
    throw new Fault("The two pass phrases differ. Nothing was made.");
  return given;
}

function line({ id, kind, text, group, missing, needed, expires, by }: Waiting): string {
  const words = `${id}  ${kind.padEnd(9)}  ${missing} of ${needed} missing, until ${expires}: ${text} (group ${group.name}, asked by ${by})`;
  return escapeForDisplay(words);
}

function readSigning(file: string): Signing {
  try {
    return Signing.parse(JSON.parse(readArgumentFile(file)));
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(`${file} holds no signatures (sallyport sign FILE writes them).`, 1, { cause: error });
  }
}

export function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx" });
  } catch (error) {
    throw new Fault(`${path} cannot be written: ${whyNot(error)}.`, 1, { cause: error });
  }
}

export function signedWords({
  state,
  missing,
  reason,
}: {
  state: string;
  missing: number;
  reason: string | null;
}): string {
  if (state === "done") return "Signed, and enough have: it is done.";
  if (state === "failed")
    return `Signed, and enough have, and it cannot be done any more: ${escapeForDisplay(reason ?? "no reason given")}`;
  return `Signed. ${missing} more must sign.`;
}
