/** `npm run deb`: the agent's Debian package, and an apt repository of it. */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { build } from "./build.ts";
import { ROOT } from "./bundle.ts";
import { endInWords, releaseKey } from "./release-key.ts";
import { isRelease, KEYRING, publicKey, repository } from "./repository.ts";
import { DebError } from "./run.ts";
import { SOURCES } from "./upgrades.ts";

type Options = { out: string; version?: string; repository?: string; key?: string; url?: string; fast?: boolean };

const program = new Command("npm run deb --")
  .description(
    "Builds sallyport-agent_<version>_amd64.deb, with its own Node, and with --repository an apt repository.",
  )
  .option("--out <folder>", "where the package goes", join(ROOT, "dist"))
  .option("--version <version>", "its version (else the agent's)")
  .option("--repository <folder>", "make this folder an apt repository that holds the package, signed by --key")
  .option("--key <id>", "the release key in gpg's keyring: fingerprint or address")
  .option(
    "--url <https address>",
    "where that repository will be served, under a host name of its own: the package then takes upgrades from there alone, under that key alone",
  )
  .option("--fast", "pack quickly and large, to try it")
  .addHelpText(
    "after",
    "\nExamples:\n  npm run deb\n  npm run deb -- --repository /srv/sallyport --key releases@example.org --url https://console.example.org/packages",
  )
  .showHelpAfterError()
  .parse();

try {
  await main(program.opts<Options>());
} catch (error) {
  if (!(error instanceof DebError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main({ out, version, repository: served, key, url, fast }: Options): Promise<void> {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  if (served && !key)
    throw new DebError("--repository needs --key: an unsigned repository is one that anybody may fill");
  if (url && !served) throw new DebError("--url says where the --repository will be served; name that too");
  const release = served && key ? await releaseKey(key) : undefined;
  const ending = release && endInWords(release, new Date());
  const own = JSON.parse(await readFile(join(ROOT, "apps/agent/package.json"), "utf8")) as { version: string };
  const epoch = commitTime();
  const folder = resolve(served ?? out);
  const pack = { version: version ?? own.version, out: folder, epoch, say, compression: fast ? "gzip" : "xz" } as const;
  const repositoryOf = url && release ? { repository: { key: await publicKey(release.fingerprint), url } } : {};
  const judge = (packed: string) => (release ? isRelease(folder, pack.version, packed) : Promise.resolve());
  say(`Built ${await build({ ...pack, ...repositoryOf, judge })}`);
  if (!release) return;
  await repository({ folder, key: release.fingerprint, epoch: Math.floor(Date.now() / 1000), ...(url && { url }) });
  say(`${folder} is an apt repository, signed by ${key}; ${join(folder, KEYRING)} is what machines check it with.`);
  if (url) say(`${join(folder, SOURCES)} is what a machine needs to use it; the console's Enrol page names it.`);
  if (ending) say(ending);
}

/** Of the commit that is checked out, so that the same source gives the same package. */
function commitTime(): number {
  const given = Number(process.env.SOURCE_DATE_EPOCH);
  if (Number.isInteger(given) && given > 0) return given;
  try {
    return Number(execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" }).trim());
  } catch {
    return Math.floor(Date.now() / 1000); // no clone but an archive of the source
  }
}
