/** `sallyport artifact …`: arguments → artifact.ts. */
import type { Command } from "commander";
import { addArtifact, listArtifacts, removeArtifact, type Said } from "./artifact.ts";
import { json, url } from "./options.ts";
import { tokenFor } from "./reach.ts";

type Options = { url: string; json?: boolean };

const CODES = `
The API token (scopes artifact:read, artifact:write) is read from SALLYPORT_TOKEN; make one on the Account page.
Exit codes: 0 done; 3 the console says no; 1 an error of the command's own.`;

export function addArtifacts(root: Command, say: (text: string) => void): void {
  const artifact = root
    .command("artifact")
    .description("rule sets and scanner definitions that workstations fetch by their sha256 (docs/artifacts.md)");
  const reachOf = ({ url }: Options, scope: string) => ({ url, token: tokenFor([scope]) });
  const tell = (options: Options, { value, text }: Said) => say(options.json ? JSON.stringify(value, null, 2) : text);

  artifact
    .command("add")
    .description("send a file to the console, and print what a policy must say to have it in force")
    .argument("<file>", "Suricata rules (.rules, or a .tar.gz of them), or one of clamd's databases")
    .option("--name <name>", "what it is called, where that is not the file's name: its end says what it is")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (file: string, options: Options & { name?: string }) =>
      tell(options, await addArtifact(reachOf(options, "artifact:write"), file, options.name)),
    );
  artifact
    .command("list")
    .description("what the console has, newest first, and whose policy names it")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (options: Options) => tell(options, await listArtifacts(reachOf(options, "artifact:read"))));
  artifact
    .command("remove")
    .description("take one away that no policy names")
    .argument("<sha256>", "as `artifact list` prints it")
    .addOption(url())
    .addOption(json())
    .addHelpText("after", CODES)
    .action(async (sha256: string, options: Options) =>
      tell(options, await removeArtifact(reachOf(options, "artifact:write"), sha256)),
    );
}
