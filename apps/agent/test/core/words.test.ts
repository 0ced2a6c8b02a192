/** What the command line has is what completion offers and the man page names: each command, each option. */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const AGENT = at("../../bin/sallyport-agent.mjs");
const COMPLETION = at("../../../../packages/deb/debian/completion.bash");
const PAGE = at("../../../../packages/deb/debian/sallyport-agent.8");
const run = promisify(execFile);

type Command = { words: string[]; options: string[] };
const commands: Command[] = [];

async function helpOf(words: string[]): Promise<{ options: string[]; below: string[] }> {
  const { stdout } = await run(process.execPath, [AGENT, ...words, "--help"], { encoding: "utf8" });
  const lines = (head: string) => new RegExp(`^${head}:\\n((?: .*\\n|\\n(?= ))*)`, "m").exec(stdout)?.[1] ?? "";
  return {
    options: [...lines("Options").matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option!),
    below: [...lines("Commands").matchAll(/^ {2}([a-z-]+)/gm)]
      .map(([, word]) => word!)
      .filter((word) => word !== "help"),
  };
}

/** What bash offers behind these words. */
const offered = (words: string[], begun: string): string[] => {
  const all = ["sallyport-agent", ...words, begun];
  const script = `source ${COMPLETION}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sallyport_agent; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["--norc", "-c", script, "bash", ...all], { encoding: "utf8" })
    .split("\n")
    .filter(Boolean);
};

beforeAll(async () => {
  const walk = async (words: string[]): Promise<void> => {
    const { options, below } = await helpOf(words);
    commands.push({ words, options });
    for (const word of below) await walk([...words, word]);
  };
  await walk([]);
}, 300_000);

it("there are commands, and commands below them", () => {
  const all = commands.map(({ words }) => words.join(" "));
  expect(all).toEqual(expect.arrayContaining(["enrol", "scan", "disk recovery", "disk tpm"]));
});

it("completion offers each command and each of its options, and none that is not there", () => {
  for (const { words, options } of commands) {
    const below = commands.filter(
      (each) => each.words.length === words.length + 1 && `${each.words}`.startsWith(`${words}`),
    );
    const next = below.map((each) => each.words.at(-1)!);
    if (next.length > 0)
      expect([
        words,
        offered(words, "")
          .filter((word) => !word.startsWith("-"))
          .sort(),
      ]).toEqual([words, next.sort()]);
    expect([words, offered(words, "--").sort()]).toEqual([words, options.sort()]);
  }
});

it("the man page names each command, and each option but those of help", () => {
  const page = readFileSync(PAGE, "utf8").replaceAll("\\-", "-");
  for (const { words, options } of commands.filter((each) => each.words.length > 0)) {
    const name = words.join(" ");
    if (commands.some((each) => each.words.length > words.length && each.words[0] === words[0])) continue;
    expect(page).toMatch(new RegExp(`^\\.B ${name}$`, "m"));
    const begins = page.indexOf(`.B sallyport-agent ${name}`);
    expect([name, begins > 0]).toEqual([name, true]);
    const ends = /\n\.(?:br|SH)/.exec(page.slice(begins))!.index;
    const synopsis = page.slice(begins, begins + ends);
    const missing = options.filter((each) => !["--help", "--state"].includes(each) && !synopsis.includes(each));
    expect([name, missing]).toEqual([name, []]);
  }
});

it("the man page names what the agent takes from its environment", () => {
  const all = execFileSync("git", ["grep", "-hoE", "SALLYPORT_[A-Z_]+", "--", ":!*.test.ts"], { cwd: at("../../src") });
  const names = [...new Set(all.toString().trim().split("\n"))];
  expect(names.length).toBeGreaterThan(3);
  const page = readFileSync(PAGE, "utf8");
  const environment = page.slice(page.indexOf(".SH ENVIRONMENT"), page.indexOf(".SH EXIT STATUS"));
  expect(names.filter((name) => !environment.match(new RegExp(`\\b${name}\\b`)))).toEqual([]);
});
