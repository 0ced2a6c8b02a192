/** `npm run hv -- fetch | check | build | boot | selftest-image`: the hypervisor from its sources to its proofs. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { needsSentence } from "./needs.ts";
import { BOOTS } from "./proofs.ts";
import { writeSelftestImage } from "./selftest.ts";
import { checkSeries, loadSeries, type Variant } from "./series.ts";
import { buildXen, openTree, patchTree } from "./tree.ts";
import { fetchUpstream } from "./upstream.ts";

const HELP = `npm run hv -- <command>

  fetch                  get and check the sources of the newest proven version
  check                  headers of the patches, and that all of them apply
  build [--debug]        build Xen with the whole series (or find it in .cache/xen)
  build --each           build every prefix of the series, one after the other
  boot [NAME…]           boot in QEMU and prove (all when none is named); --list names them
  selftest-image FILE    write an image for a USB stick that runs the proofs on a real machine

Exit: 0 done, 1 an error of ours (or a package is missing), 3 a check or a proof failed.
Everything made lies in .cache/ and is made once.`;

const say = (line: string) => console.log(line);

async function fetch(): Promise<number> {
  const { upstream, orig, debian } = await fetchUpstream();
  say(`Xen ${upstream.version}\n${orig}\n${debian}`);
  return 0;
}

async function check(): Promise<number> {
  const { patches, found } = await checkSeries();
  for (const each of found) say(each);
  const tree = await openTree();
  await patchTree(tree, []);
  await patchTree(tree, patches);
  say(`${patches.length} patches apply to Xen ${tree.fetched.upstream.version}, ${found.length} complaints`);
  return found.length === 0 ? 0 : 3;
}

async function build(variant: Variant, each: boolean): Promise<number> {
  const tree = await openTree();
  const patches = await loadSeries();
  const started = Date.now();
  for (let count = each ? 0 : patches.length; count <= patches.length; count++) {
    const built = await buildXen(tree, patches.slice(0, count), variant);
    const seconds = Math.round((Date.now() - started) / 1000);
    say(`${built.xen}  ${count === 0 ? "(unpatched)" : patches[count - 1]!.name}  ${seconds} s`);
  }
  return 0;
}

async function boots(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !BOOTS.some((each) => each.name === name));
  if (unknown.length > 0)
    throw new Error(`there is no boot ${unknown.join(" ")}; there are ${BOOTS.map((each) => each.name).join(" ")}`);
  let failures = 0;
  for (const each of BOOTS) {
    if (names.length > 0 && !names.includes(each.name)) continue;
    const started = Date.now();
    const facts = await each.run();
    say(`${each.name}  ${Math.round((Date.now() - started) / 1000)} s`);
    for (const proof of each.proofs) {
      const against = proof.against(facts);
      failures += against.length === 0 ? 0 : 1;
      say(`  ${against.length === 0 ? "proved" : "FAILED"}  ${proof.name}`);
      for (const what of against) say(`          ${what}`);
    }
  }
  return failures === 0 ? 0 : 3;
}

/** Made only after minutes of building, so what stands in its way is said before. */
async function selftestImage(to: string): Promise<number> {
  const folder = await stat(path.dirname(path.resolve(to))).catch(() => undefined);
  if (!folder?.isDirectory()) throw new Error(`${to} cannot be written: there is no folder ${path.dirname(to)}`);
  const there = await stat(to).catch(() => undefined);
  if (there && !there.isFile())
    throw new Error(`${to} is not a file: name a file here, and write that to the stick afterwards`);
  await writeSelftestImage(to);
  say(`${to}: write it to a whole USB stick; packages/hv-patches/docs/real-machine.md says what to do with it`);
  return 0;
}

/** How many words may follow each command. */
const WORDS_MAX: Readonly<Record<string, number>> = {
  fetch: 0,
  check: 0,
  build: 0,
  boot: Number.POSITIVE_INFINITY,
  "selftest-image": 1,
};

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      debug: { type: "boolean" },
      each: { type: "boolean" },
      list: { type: "boolean" },
    },
  });
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) {
    say(HELP);
    return command === undefined && !values.help ? 1 : 0;
  }
  const most = Object.hasOwn(WORDS_MAX, command) ? WORDS_MAX[command]! : undefined;
  if (most === undefined) throw new Error(`there is no command ${command}; see npm run hv -- --help`);
  if (rest.length > most)
    throw new Error(`${command} does not take ${rest.slice(most).join(" ")}; see npm run hv -- --help`);
  if (command === "fetch") return fetch();
  const needs = await needsSentence();
  if (needs !== undefined) throw new Error(needs);
  if (command === "check") return check();
  if (command === "build") return build(values.debug ? "debug" : "release", values.each ?? false);
  if (command === "boot" && values.list) {
    for (const each of BOOTS) say([each.name, ...each.proofs.map((proof) => `  ${proof.name}`)].join("\n"));
    return 0;
  }
  if (command === "boot") return boots(rest);
  const [to] = rest;
  if (to === undefined) throw new Error("which file should the image be written to? npm run hv -- selftest-image FILE");
  return selftestImage(to);
}

// An exit takes the machine in QEMU along, which a signal alone would leave behind.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
