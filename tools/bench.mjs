// `npm run bench`: every bench, one after another, one table at the end with the machine named.
// `npm run bench -- ingest` runs only that one; with `--write` docs/benchmarks.md gets what was measured, each bench with
// the machine, commit, day and load of its own run.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { generate } from "../prisma/generate.mjs";
import { wordsOf } from "./bench-words.mjs";
import { install, NODE, ROOT, run } from "./install.mjs";

const BENCHES = [
  {
    name: "ingest",
    file: "apps/web/bench/ingest.ts",
    about: "batch → committed and receipted, beside plain COPY of the same rows and rsyslog → ompgsql",
  },
  {
    name: "replay",
    file: "apps/web/bench/replay.ts",
    about: "a candidate policy over ten million recorded decisions, none counted together with another",
  },
  { name: "spool", file: "apps/agent/bench/spool.ts", about: "EVE lines → records on disk; what an idle agent costs" },
  {
    name: "eve",
    file: "apps/agent/bench/eve-to-spool.ts",
    about: "Suricata's file → the synced spool, through the followed source",
  },
  { name: "sources", file: "apps/agent/bench/sources.ts", about: "each decoder, by processor time" },
  {
    name: "scan",
    file: "apps/agent/bench/scan.ts",
    args: ["--json", "--megabytes", "2000", "--rounds", "1"],
    about: "the gate's pass over 2 GB of mixed files, beside clamdscan",
  },
];

const HEAD = `# Benchmarks

Written by \`npm run bench -- --write\`. Read the figures as ratios within one run: what else the machine did took its
share of the clock, not of processor time.
`;

const say = (line) => process.stdout.write(`${line}\n`);
const asked = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const unknown = asked.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  say(`There is no bench ${unknown.join(", ")}. There are: ${BENCHES.map(({ name }) => name).join(", ")}.`);
  process.exit(1);
}

await install(say);
generate();
const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 1024 ** 3)} GB, Linux ${release()}, Node ${execFileSync(NODE, ["--version"], { encoding: "utf8" }).trim()}`;
const results = [];
for (const bench of BENCHES.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
  say(`▶ ${bench.name}: ${bench.about}`);
  const load = loadavg()[0].toFixed(1);
  const args = ["--disable-warning=ExperimentalWarning", join(ROOT, bench.file), ...(bench.args ?? [])];
  const { code, output } = await run(NODE, args, { onOutput: (text) => process.stdout.write(text) });
  const figures = code === 0 ? figuresOf(output) : [["did not run", `code ${code}`]];
  const result = { ...bench, code, load, figures, words: wordsOf(output) };
  results.push(result);
  if (process.argv.includes("--write") && code === 0) write(result);
}

say(`\nOn ${machine}:`);
for (const { name, figures } of results)
  for (const [what, value] of figures) say(`${name.padEnd(8)} ${what.padEnd(72)} ${value}`);
process.exitCode = results.some(({ code }) => code !== 0) ? 1 : 0;

/** The numbers of the JSON lines that a bench prints, each with its path in words. */
function figuresOf(output) {
  return output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .flatMap((line) => {
      try {
        return flatten(JSON.parse(line), []);
      } catch {
        return [];
      }
    });
}

function flatten(value, path) {
  if (typeof value === "number") return [[path.join(" · "), value.toLocaleString("en", { maximumFractionDigits: 2 })]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => flatten(each, [...path, each?.name ?? key]));
}

/** Puts a bench's section in its place, and leaves the others as they were measured. */
function write({ name, about, load, figures, words }) {
  const file = join(ROOT, "docs/benchmarks.md");
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim();
  const table = figures.map(([what, value]) => `| ${what} | ${value} |`);
  const shown = words ? `\`\`\`\n${words}\n\`\`\`\n` : `| what | figure |\n|---|---|\n${table.join("\n")}\n`;
  const section = `## ${name}\n${about}. Commit ${commit}, ${new Date().toISOString().slice(0, 10)}, load ${load} before it began; ${machine}.\n\n${shown}`;
  const [head, ...others] = (existsSync(file) ? readFileSync(file, "utf8") : HEAD).split(/^(?=## )/m);
  const sections = new Map(others.map((text) => [/^## (\S+)/.exec(text)?.[1], text.trim()]));
  sections.set(name, section.trim());
  const order = BENCHES.map((bench) => sections.get(bench.name)).filter((text) => text !== undefined);
  writeFileSync(file, `${head.trim()}\n\n${order.join("\n\n")}\n`);
  say(`Wrote ${name} to ${file}.`);
}
