// `npm test`: installs what is missing, checks, runs every suite, adds up. The last line reads `N passed, N failed`.
// `npm test -- unit browser` (or SALLYPORT_SUITES) runs only those. Suites run two at a time: they share nothing but the machine;
// those that build Xen and boot machines run last, when asked for; CI runs some of them. A file that failed runs once
// more, alone; what passes then is counted as passed and listed as unsteady, with its first fault.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { generate } from "../prisma/generate.mjs";
import { CI_SECONDS_MAX, thatFit } from "./budget.mjs";
import { install, ROOT } from "./install.mjs";
import { absentPackages, aptLine } from "./packages.mjs";
import { failedFiles, failuresOf, sum, summaryLine, withSecond } from "./summary.mjs";

const BIN = join(ROOT, "node_modules/.bin");
const REPORTS = join(ROOT, ".cache/test");
const LANES = 2;
const BEAT_MS = 30_000;
const SUITE_MS_MAX = 40 * 60_000;
/** More than these fail for a reason that a second run does not take away. */
const FILES_AGAIN_MAX = 4;

// the longest first, so that the two lanes end together
const SUITES = ["integration", "newcomer", "package", "browser", "fleet", "unit", "hv"];
// Xen booted, built patch by patch, and a whole workstation: many minutes each, so a plain run leaves them out and says so
// (packages/hv-patches/docs/proofs.md, docs/virtual-workstation.md). Each has the machine to itself: side by side they took
// as long
const ALONE = ["workstation", "boots", "builds", "proofs"];
/** As many of them as it has time for, in this order. */
const ALONE_IN_CI = ["workstation", "boots", "builds"];
const CHECKS = [
  { name: "biome", command: ["biome", "check", "--diagnostic-level=error", "."] },
  { name: "types", command: ["turbo", "run", "typecheck", "--output-logs=errors-only"] },
];

const firstLine = (text) => text.split("\n", 1)[0];
const say = (line) => process.stdout.write(`${line}\n`);
const env = {
  ...process.env,
  PATH: `${BIN}${delimiter}${process.env.PATH}`,
  TURBO_TELEMETRY_DISABLED: "1",
  NEXT_TELEMETRY_DISABLED: "1",
  NO_COLOR: "1",
};
const running = new Map();

try {
  const asked = process.argv.slice(2);
  process.exitCode = await main(asked.length > 0 ? asked : (process.env.SALLYPORT_SUITES?.split(" ") ?? []));
} catch (error) {
  say(`\n${error.message}`);
  say(summaryLine({ passed: 0, failed: 1, skipped: 0 }));
  process.exitCode = 1;
}

async function main(asked) {
  const begun = performance.now();
  const unknown = asked.filter((name) => ![...SUITES, ...ALONE, "check"].includes(name));
  if (unknown.length > 0)
    throw new Error(`There is no suite ${unknown.join(", ")}. There are: check, ${[...SUITES, ...ALONE].join(", ")}.`);
  await install(say);
  if (generate()) say("Made the database client.");
  const absent = absentPackages();
  const faults = tellAbsent(absent);
  const wanted = (name) => asked.length === 0 || asked.includes(name);
  const jobs = [
    ...(wanted("check") ? CHECKS.map((check) => () => runCheck(check)) : []),
    ...SUITES.filter(wanted).map((suite) => () => runSuite(suite)),
  ];
  const beat = setInterval(() => {
    const now = Date.now();
    const parts = [...running].map(([name, { at }]) => `${name} ${Math.round((now - at) / 1000)} s`);
    say(`… running: ${parts.join(", ")}`);
  }, BEAT_MS);
  const results = [];
  const add = async (ended) => {
    for (const result of ended) results.push(await runAgain(result));
  };
  await add(await inLanes(jobs));
  const byItself = process.env.CI === "true" ? thatFit(ALONE_IN_CI, (performance.now() - begun) / 1000) : [];
  const last = ALONE.filter((name) => (asked.length > 0 ? asked : byItself).includes(name));
  for (const suite of last) await add([await runSuite(suite)]);
  clearInterval(beat);

  say("\n──────── summary");
  for (const { name, seconds, counts } of results)
    say(`${name.padEnd(12)} ${String(seconds).padStart(5)} s   ${summaryLine(counts)}`);
  for (const { unsteady = [] } of results)
    for (const fault of unsteady) say(`\nUNSTEADY (failed, and passed when it ran again alone)  ${fault}`);
  for (const { failures } of results) for (const failure of failures) say(`\nFAILED  ${failure}`);
  if (absent.length > 0) say(`\nAbsent Debian packages: ${absent.join(" ")}\n${aptLine(absent)}`);
  const left = asked.length > 0 ? [] : ALONE.filter((name) => !last.includes(name));
  if (left.length > 0) say(`\nLeft out, for the time they take: npm test -- ${left.join(" ")}`);
  const late = process.env.CI === "true" ? ALONE_IN_CI.filter((name) => left.includes(name)) : [];
  if (late.length > 0)
    say(
      `This machine is slow today: with ${late.join(" and ")} it would take more than ${CI_SECONDS_MAX / 60} minutes.`,
    );
  const counts = sum([...results.map((result) => result.counts), { passed: 0, failed: faults, skipped: 0 }]);
  say("");
  say(summaryLine(counts));
  return counts.failed > 0 ? 1 : 0;
}

function tellAbsent(absent) {
  if (absent.length === 0) return 0;
  say(`These Debian packages are absent, and tests that need them cannot run: ${absent.join(" ")}`);
  say(`Get them with: ${aptLine(absent)}`);
  if (process.env.CI !== "true") return 0;
  say("CI=true: a missing package is a failure.");
  return 1;
}

async function inLanes(jobs) {
  const results = [];
  const queue = [...jobs];
  const lane = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) results.push(await job());
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return results;
}

/** A check that passes is not counted as a test; one that fails is a failure. */
async function runCheck({ name, command }) {
  const { code, seconds, output } = await start(name, command);
  const failed = code === 0 ? 0 : 1;
  return {
    name,
    seconds,
    counts: { passed: 0, failed, skipped: 0 },
    failures: failed ? [`${name}\n${output.trim().slice(-6000)}`] : [],
  };
}

async function runSuite(suite) {
  const { code, seconds, output, report } = await vitest(suite, suite, []);
  return { name: suite, seconds, report, ...failuresOf(suite, code, report, output, ROOT) };
}

/** The files of a suite that failed, once more, with the machine to themselves. */
async function runAgain(result) {
  const files = failedFiles(result.report);
  // those of the workstation share one machine: what ends it fails all that follow
  if (files.length === 0 || (files.length > FILES_AGAIN_MAX && result.name !== "workstation")) return result;
  const { code, seconds, output, report } = await vitest(result.name, `${result.name} again`, files);
  if (report === undefined) return result;
  const ended = failuresOf(result.name, code, withSecond(result.report, report), output, ROOT);
  const still = new Set(ended.failures.map(firstLine));
  const unsteady = result.failures.filter((failure) => !still.has(firstLine(failure)));
  return { ...result, seconds: result.seconds + seconds, ...ended, unsteady };
}

async function vitest(suite, name, files) {
  const path = join(REPORTS, `${name.replace(" ", "-")}.json`);
  mkdirSync(REPORTS, { recursive: true });
  rmSync(path, { force: true });
  const args = ["--project", suite, "--reporter=default", "--reporter=json", `--outputFile.json=${path}`, ...files];
  const ended = await start(name, ["vitest", "run", ...args]);
  return { ...ended, report: existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined };
}

function start(name, [command, ...args]) {
  const at = Date.now();
  running.set(name, { at });
  say(`▶ ${name}`);
  return new Promise((resolve) => {
    const child = spawn(join(BIN, command), args, {
      cwd: ROOT,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.get(name).child = child;
    let output = "";
    let line = "";
    const keep = (bytes) => {
      output = (output + bytes).slice(-500_000);
      const lines = (line + bytes).split("\n");
      line = lines.pop();
      for (const each of lines) if (each.trim()) say(`[${name}] ${each}`);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const limit = setTimeout(() => {
      keep(`\nstopped after ${SUITE_MS_MAX / 60_000} minutes\n`);
      killGroup(child, "SIGKILL");
    }, SUITE_MS_MAX);
    const done = (code) => {
      clearTimeout(limit);
      running.delete(name);
      const seconds = Math.round((Date.now() - at) / 1000);
      say(`■ ${name} ${code === 0 ? "passed" : "failed"} in ${seconds} s`);
      resolve({ code, seconds, output });
    };
    child.on("error", (error) => {
      keep(`${error.message}\n`);
      done(1);
    });
    child.on("close", (code) => done(code ?? 1));
  });
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {} // it is gone already
}

for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, () => {
    for (const { child } of running.values()) killGroup(child, signal);
    process.exit(130);
  });
