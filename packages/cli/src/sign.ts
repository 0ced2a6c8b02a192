/** `sallyport sign`: what waits is shown, confirmed by a person, and signed with a key that no console has. */
import type { Command } from "commander";
import { CODE_CHARS, describe, fetchProposal, handIn, listWaiting, remember, signProposal } from "./approval.ts";
import { find, reachOf, signedWords, writeNew } from "./approval-commands.ts";
import { type ApproverKey, readApproverKey } from "./approver-key.ts";
import { askLine, isAtTerminal, passphraseFor } from "./ask.ts";
import { Fault } from "./fault.ts";
import { json, url } from "./options.ts";
import { readSeen, writeSeen } from "./seen.ts";

type Options = {
  key: string;
  confirm?: string;
  out?: string;
  passphraseFile?: string;
  url: string;
  json?: boolean;
};

const HELP = `
Without an argument all that waits for this key is shown, one after another. What is signed is only what was confirmed: at
a terminal by typing yes, else by --confirm with the code that is shown. A file that \`approval fetch\` wrote is signed with
no console; hand the result in with \`approval send\`.
The API token (scope approval) is read from SALLYPORT_TOKEN; make one on the Account page.
Exit codes: 0 signed, or nothing waits; 3 not signed: not confirmed, or the console says no; 1 an error of the command's own.`;

export function addSign(root: Command, say: (text: string) => void): void {
  root
    .command("sign")
    .description("sign what waits, after it was shown in words worked out here from its own text (docs/approvers.md)")
    .argument("[what]", "its id, or a file that `approval fetch` wrote; without it all that waits for this key")
    .requiredOption("--key <file>", "your key")
    .option("--confirm <code>", "sign exactly what this code stands for, and ask nothing")
    .option("--out <file>", "with a file: where the signatures go (default: beside it, .signed)")
    .option("--passphrase-file <file>", "the key's pass phrase; else SALLYPORT_PASSPHRASE, else it is asked for")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", HELP)
    .action(async (what: string | undefined, options: Options) => {
      const key = readApproverKey(options.key);
      const done: Done[] = [];
      for (const each of what === undefined ? await ownWaiting(key, options) : [what])
        done.push(await signOne(each, key, options, say));
      if (done.length === 0 && !options.json) say(`Nothing waits for the key ${key.id}.`);
      if (options.json) say(JSON.stringify(what === undefined ? done : done[0], null, 2));
      if (done.some(({ isSigned, state }) => !isSigned || state === "failed")) process.exitCode = 3;
    });
}

async function ownWaiting(key: ApproverKey, options: Options): Promise<string[]> {
  if (options.confirm !== undefined) throw new Fault("--confirm stands for one: name it.");
  const reach = reachOf(options);
  const ids: string[] = [];
  for (const { id, signed } of await listWaiting(reach)) {
    if (signed.some(({ publicKey }) => publicKey === key.publicKey)) continue;
    const { signers } = await fetchProposal(reach, id);
    if (signers.keys.some(({ publicKey, role }) => role === "approver" && publicKey === key.publicKey)) ids.push(id);
  }
  return ids;
}

type Done = {
  id: string;
  head: string;
  destroys: string[];
  looser: string[];
  other: string[];
  exact: string[];
  warnings: string[];
  confirm: string;
  isSigned: boolean;
  state: string;
  missing: number | null;
  reason: string | null;
  out: string | null;
};

async function signOne(what: string, key: ApproverKey, options: Options, say: (text: string) => void): Promise<Done> {
  const proposal = await find(what, options);
  const isFile = proposal.id !== what;
  const seen = readSeen(options.key);
  const { said, warnings, code, text } = describe(proposal, { publicKey: key.publicKey, seen });
  if (!options.json) say(text);
  else if (isAtTerminal() && options.confirm === undefined) process.stderr.write(`${text}\n`);
  const told = { id: proposal.id, ...said, warnings, confirm: code };
  const not = (reason: string): Done => {
    if (!options.json) say(reason);
    return { ...told, isSigned: false, state: "waiting", missing: null, reason, out: null };
  };
  if (!(await isConfirmed(code, options)))
    return not(
      options.confirm === undefined
        ? "Not signed: it was not confirmed."
        : `Not signed: ${options.confirm} does not stand for this.`,
    );
  const passphrase = key.hasPassphrase
    ? await passphraseFor(`Pass phrase of ${options.key}: `, options.passphraseFile)
    : undefined;
  const signing = signProposal(key.unlock(passphrase), key.publicKey, proposal);
  if (isFile) {
    const out = options.out ?? `${what}.signed`;
    writeNew(out, `${JSON.stringify(signing)}\n`);
    writeSeen(options.key, remember(seen, proposal, new Date()));
    if (!options.json) say(`Signed. Hand it in where the console can be reached: sallyport approval send ${out}`);
    return { ...told, isSigned: true, state: "waiting", missing: null, reason: null, out };
  }
  const signed = await handIn(reachOf(options), signing);
  writeSeen(options.key, remember(seen, proposal, new Date()));
  if (!options.json) say(signedWords(signed));
  return { ...told, isSigned: true, ...signed, out: null };
}

async function isConfirmed(code: string, { confirm }: Options): Promise<boolean> {
  if (confirm !== undefined) return confirm.length >= CODE_CHARS && code.startsWith(confirm.toLowerCase());
  if (!isAtTerminal()) return false;
  return (await askLine("Sign exactly this? Type yes: ")).toLowerCase() === "yes";
}
