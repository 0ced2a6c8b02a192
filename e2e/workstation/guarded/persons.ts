/** People with keys of their own, outside of the console: what they sign is signed by the command line, as they would. */
import { spawn } from "node:child_process";
import path from "node:path";
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import type { Workstation } from "../workstation.ts";
import type { Watched } from "./console.ts";
import { type Guarded, until } from "./guarded.ts";

const SALLYPORT = path.join(import.meta.dirname, "../../../packages/cli/bin/sallyport.mjs");

export type Cli = (...args: string[]) => Promise<string>;

/** `sallyport …` against this console, by a token of the owner's; its standard output, and an error when it fails. */
export async function commandLine({ api, stack, workstation }: Watched & { workstation: Workstation }): Promise<Cli> {
  const scopes = ["approval", "artifact:read", "artifact:write"] as const;
  const { token } = await api.token.make.mutate({ name: "the tests", scopes: [...scopes], days: 1 });
  const env = { ...process.env, SALLYPORT_TOKEN: token, SALLYPORT_URL: stack.consoleUrl };
  return (...args) =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [SALLYPORT, ...args], {
        ...{ env, cwd: workstation.folder },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [out, err] = ["", ""];
      child.stdout.on("data", (bytes) => {
        out += bytes;
      });
      child.stderr.on("data", (bytes) => {
        err += bytes;
      });
      child.once("error", reject);
      child.once("close", (code) =>
        code === 0 ? resolve(out) : reject(new Error(`sallyport ${args[0]}: ${err}${out}`)),
      );
    });
}

/** From now on each of these persons must sign what the group's workstations are told to lose. Known to the workstation. */
export async function setApprovers(at: Guarded, cli: Cli, names: readonly string[]): Promise<void> {
  const approvers: { name: string; publicKey: string }[] = [];
  for (const name of names) {
    const made = await cli("key", "new", `${name}.key`, "--name", name, "--no-passphrase", "--json");
    approvers.push({ name, publicKey: (JSON.parse(made) as { publicKey: string }).publicKey });
  }
  const choice = { approvers, needed: names.length };
  await at.api.approval.setSigners.mutate({ group: at.group as GroupId, choice, reason: "nobody wipes alone" });
  const threshold = names.length + 1;
  await until(
    async () => (await at.reported())?.signers?.threshold === threshold,
    "the workstation knows its approvers",
  );
}

/** One person looks at what waits and signs exactly that. */
export async function sign(
  cli: Cli,
  proposal: string,
  name: string,
): Promise<{ state: string; missing: number | null }> {
  const key = ["--key", `${name}.key`];
  const { confirm } = JSON.parse(await cli("approval", "show", proposal, ...key, "--json")) as { confirm: string };
  return JSON.parse(await cli("sign", proposal, ...key, "--confirm", confirm, "--json"));
}
