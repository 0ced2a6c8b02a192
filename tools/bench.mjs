// `npm run bench`: every bench, one after another, one table at the end with the machine named.
// `npm run bench -- --write` writes it to docs/benchmarks.md; `npm run bench -- ingest` runs only that one.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { generate } from "../prisma/generate.mjs";
import { install, NODE, ROOT, run } from "./install.mjs";

const BENCHES = [
  {
    name: "ingest",
    file: "apps/web/bench/ingest.ts",
    about: "batch → committed and receipted, beside plain COPY of the same rows",
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
    args: ["--json"],
    about: "the gate's pass over mixed files, beside clamdscan",
  },
];

const say = (line) => process.stdout.write(`${line}\n`);
const asked = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const unknown = asked.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  say(`There is no bench ${unknown.join(", ")}. There are: ${BENCHES.map(({ name }) => name).join(", ")}.`);
  process.exit(1);
}

await install(say);
generate();
const load = loadavg()[0].toFixed(1);
const results = [];
for (const bench of BENCHES.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
  say(`▶ ${bench.name}: ${bench.about}`);
  const args = ["--disable-warning=ExperimentalWarning", join(ROOT, bench.file), ...(bench.args ?? [])];
  const { code, output } = await run(NODE, args, { onOutput: (text) => process.stdout.write(text) });
  results.push({ ...bench, code, output: output.trim() });
}

const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, ${Math.round(totalmem() / 1024 ** 3)} GB, Linux ${release()}, Node ${execFileSync(NODE, ["--version"], { encoding: "utf8" }).trim()}`;
const table = results.flatMap(({ name, output, code }) =>
  code === 0
    ? figuresOf(output).map(([what, value]) => ({ name, what, value }))
    : [{ name, what: "did not run", value: `code ${code}` }],
);
say(`\nOn ${machine}:`);
for (const { name, what, value } of table) say(`${name.padEnd(8)} ${what.padEnd(60)} ${value}`);
if (process.argv.includes("--write")) write();
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
  if (typeof value === "number") return [[path.join(" · "), value.toLocaleString("en")]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => flatten(each, [...path, key]));
}

function write() {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim();
  const rows = table.map(({ name, what, value }) => `| ${name} | ${what} | ${value} |`);
  const sections = results
    .filter(({ code }) => code === 0)
    .map(
      ({ name, about, output }) =>
        `## ${name}\n${about}\n\`\`\`\n${output.replace(/^\{.*\}$\n?/gm, "").trim() || output}\n\`\`\``,
    );
  const text = `# Benchmarks

Written by \`npm run bench -- --write\`, commit ${commit}, ${new Date().toISOString().slice(0, 10)}. Read the figures as ratios on one machine:
${machine}. Load average before it began: ${load} (what else ran took its share of the clock, not of processor time).

| bench | what | figure |
|---|---|---|
${rows.join("\n")}

${sections.join("\n\n")}
`;
  const file = join(ROOT, "docs/benchmarks.md");
  writeFileSync(file, text);
  say(`Wrote ${file} (${readFileSync(file).length} bytes).`);
}
