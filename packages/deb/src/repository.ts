/** Packages of a folder → an apt repository in it, signed by a release key that no console holds. */
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { releaseKey } from "./release-key.ts";
import { DebError, tool } from "./run.ts";
import { SOURCES, sourcesText } from "./upgrades.ts";

export const KEYRING = "sallyport-archive-keyring.gpg";

export type RepositoryOptions = {
  /** Holds the `.deb` files; becomes the repository. */
  folder: string;
  /** A key in gpg's keyring (GNUPGHOME): its fingerprint or address. */
  key: string;
  epoch: number;
  /** Where it will be served: then what machines write down to use it lies beside it. */
  url?: string;
};

/** @throws DebError where there is no such secret key */
export async function repository({ folder, key, epoch, url }: RepositoryOptions): Promise<void> {
  const debs = (await readdir(folder)).filter((name) => name.endsWith(".deb"));
  if (debs.length === 0)
    throw new DebError(`${folder} holds no .deb; build one into it first: npm run deb -- --out ${folder}`);
  const { fingerprint } = await releaseKey(key);
  const packages = await tool("dpkg-scanpackages", ["--multiversion", "--hash", "sha256", "."], { cwd: folder });
  const indexes = { Packages: Buffer.from(packages), "Packages.gz": gzipSync(packages, { level: 9 }) };
  for (const [name, bytes] of Object.entries(indexes)) await writeFile(join(folder, name), bytes);
  const sums = Object.entries(indexes).map(
    ([name, bytes]) => ` ${createHash("sha256").update(bytes).digest("hex")} ${bytes.length} ${name}\n`,
  );
  const release = `Origin: Sallyport
Label: Sallyport
Suite: stable
Architectures: amd64
Date: ${new Date(epoch * 1000).toUTCString().replace("GMT", "UTC")}
SHA256:
${sums.join("")}`;
  await writeFile(join(folder, "Release"), release);
  const sign = (how: string[], to: string) =>
    tool("gpg", [
      "--batch",
      "--yes",
      "--local-user",
      fingerprint,
      "--digest-algo",
      "SHA512",
      ...how,
      "-o",
      join(folder, to),
      join(folder, "Release"),
    ]);
  await sign(["--clearsign"], "InRelease");
  await sign(["--armor", "--detach-sign"], "Release.gpg");
  await tool("gpg", ["--batch", "--yes", "-o", join(folder, KEYRING), "--export", fingerprint]);
  if ((await readFile(join(folder, KEYRING))).length === 0) throw new DebError(`gpg exported nothing for ${key}`);
  if (url !== undefined)
    await writeFile(join(folder, SOURCES), sourcesText({ key: await publicKey(fingerprint), url }));
}

/** What was released under a version stays what it is: a machine that has that version may take no other package of it, and
 *  nobody is told. @throws DebError */
export async function isRelease(folder: string, version: string, packed: string): Promise<void> {
  const index = await readFile(join(folder, "Packages"), "utf8").catch(() => "");
  const own = index
    .split("\n\n")
    .find((each) => /^Package: sallyport-agent$/m.test(each) && versionIn(each) === version);
  const sum = own && /^SHA256: (\S+)$/m.exec(own)?.[1];
  if (
    sum &&
    sum !==
      createHash("sha256")
        .update(await readFile(packed))
        .digest("hex")
  )
    throw new DebError(
      `${version} was released from ${folder} already, and this package is another: a machine that has ${version} may never take it. Name a later one: --version`,
    );
}

const versionIn = (entry: string): string | undefined => /^Version: (\S+)$/m.exec(entry)?.[1];

/** The public half of a release key, armoured, and of no other that its name fits as well. @throws DebError as `releaseKey` */
export async function publicKey(key: string): Promise<string> {
  const { fingerprint } = await releaseKey(key);
  return tool("gpg", ["--batch", "--armor", "--export", fingerprint]);
}
