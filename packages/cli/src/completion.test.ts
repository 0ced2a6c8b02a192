/** The scripts, in the shell itself. */
import { execFileSync } from "node:child_process";
import { Command } from "commander";
import { expect, test } from "vitest";
import { completion } from "./completion.ts";

function program(): Command {
  const root = new Command("sallyport");
  root.command("verify").option("--vkey <key>", "").option("--json", "");
  const policy = root.command("policy");
  policy.command("plan").option("--detailed-exitcode", "").option("--out <file>", "");
  policy.command("apply").option("--yes", "");
  return root;
}

test.each([
  ["the commands there are", "", "verify policy"],
  ["a command's own", "policy ", "plan apply"],
  ["begun words", "policy pl", "plan"],
  ["a command's options", "policy plan --d", "--detailed-exitcode"],
  ["not those of its neighbour", "policy apply --", "--yes"],
  ["options of one that has no commands, wherever they stand", "verify FILE --v", "--vkey"],
])("completes %s", (_what, typed, wanted) => {
  const words = ["sallyport", ...typed.split(" ")];
  const script = `${completion(program(), "bash")}
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _sallyport; echo "\${COMPREPLY[*]}"`;
  const said = execFileSync("bash", ["-c", script], { encoding: "utf8", cwd: "/proc/self/task" }).trim();
  const options = said.split(" ").filter((word) => word !== "--help" && !/^\d+$/.test(word));
  expect(options.join(" ")).toBe(wanted);
});
