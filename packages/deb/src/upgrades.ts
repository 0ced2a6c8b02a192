/** Where an installed agent's upgrades come from, as apt reads it (sources.list(5), apt_preferences(5)): that repository
 *  under that key, nothing else from there, and this package from nowhere else. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DebError } from "./run.ts";

const PACKAGE = "sallyport-agent";
export const SOURCES = "sallyport.sources";
const SOURCES_PATH = `etc/apt/sources.list.d/${SOURCES}`;
/** Its postinst puts them in their place: it looks first whether another source of the machine names the same host. */
const PREFERENCES_PATH = "usr/share/sallyport-agent/apt-preferences";

/** `key`: the public half of the release key, armoured; `url`: where the repository will be served. */
export type Upgrades = { key: string; url: string };

/** The key stands in the file itself: it needs no other, also where the package is removed and this stays behind.
 *  @throws DebError where the address is none, or the key is */
export function sourcesText({ key, url }: Upgrades): string {
  if (!/^(?:https:|file:)\/\/[^\s\n]+$/.test(url))
    throw new DebError(`${url} is no https:// address; agents fetch upgrades from it`);
  if (!key.startsWith("-----BEGIN PGP PUBLIC KEY BLOCK-----")) throw new DebError("the release key has no public half");
  const lines = key
    .trim()
    .split("\n")
    .map((line) => ` ${line === "" ? "." : line}`);
  return `Types: deb\nURIs: ${url}\nSuites: ./\nSigned-By:\n${lines.join("\n")}\n`;
}

/** By the address that this machine asks, which another repository cannot claim; a repository's own words can be. The
 *  first record that fits a package by its name counts. */
export function preferencesText(url: string): string {
  const origin = `Pin: origin "${new URL(url).hostname}"`;
  return `Explanation: the agent comes from its own repository alone
Package: ${PACKAGE}
${origin}
Pin-Priority: 500

Package: ${PACKAGE}
Pin: version *
Pin-Priority: -1

Explanation: nothing else comes from there
Package: *
${origin}
Pin-Priority: -1
`;
}

/** Into a package's tree. @throws DebError as `sourcesText` */
export async function putUpgrades(tree: string, upgrades: Upgrades): Promise<void> {
  const texts = { [SOURCES_PATH]: sourcesText(upgrades), [PREFERENCES_PATH]: preferencesText(upgrades.url) };
  for (const [path, text] of Object.entries(texts)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), text);
  }
}
