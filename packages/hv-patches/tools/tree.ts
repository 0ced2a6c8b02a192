/** The fetched archives and the series → one source tree in the cache, patched up to any prefix, and Xen built from it. */
import { existsSync } from "node:fs";
import { appendFile, copyFile, mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { CACHE } from "./debian.ts";
import { withLock } from "./lock.ts";
import { run } from "./run.ts";
import { digestOf, namesOf, type Patch, type Variant } from "./series.ts";
import { type Fetched, fetchUpstream } from "./upstream.ts";

const UNPACK_MS_MAX = 300_000;
const BUILD_MS_MAX = 1_800_000;

export type Tree = { fetched: Fetched; folder: string };
export type Built = { xen: string; efi: string | undefined; digest: string };

/** Applies or takes back one patch; never with fuzz. */
const patchTool = (tree: string, file: string, ...more: string[]) =>
  run("patch", ["-p1", "--fuzz=0", "--silent", "--no-backup-if-mismatch", "-r", "-", "-i", file, ...more], {
    cwd: tree,
  });

/** Unpacks Xen with Debian's own patches, once per version. */
export async function openTree(): Promise<Tree> {
  const fetched = await fetchUpstream();
  const folder = path.join(CACHE, `xen-${fetched.upstream.version}`);
  if (existsSync(folder)) return { fetched, folder };
  await withLock(`${folder}.lock`, async () => {
    if (!existsSync(folder)) await unpack(fetched, folder);
  });
  return { fetched, folder };
}

async function unpack(fetched: Fetched, folder: string): Promise<void> {
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await run("tar", ["-xJf", fetched.orig, "--strip-components=1"], { cwd: partial, timeoutMs: UNPACK_MS_MAX });
  await run("tar", ["-xJf", fetched.debian], { cwd: partial, timeoutMs: UNPACK_MS_MAX });
  const debian = path.join(partial, "debian/patches");
  for (const name of namesOf(await readFile(path.join(debian, "series"), "utf8")))
    await patchTool(partial, path.join(debian, name));
  await rename(partial, folder);
}

/** The texts of the patches applied to the tree, so that they can be taken back after an edit. */
const stateOf = (tree: Tree) => path.join(tree.folder, ".applied.json");
/** There while patches are put on or taken off. A run that ended meanwhile left one of them half applied. */
const tornOf = (tree: Tree) => path.join(tree.folder, ".torn");

/** Where the tree stands; undefined when nobody can tell. */
async function standing(tree: Tree): Promise<string[] | undefined> {
  if (existsSync(tornOf(tree))) return undefined;
  if (!existsSync(stateOf(tree))) return [];
  try {
    return JSON.parse(await readFile(stateOf(tree), "utf8")) as string[];
  } catch {
    return undefined;
  }
}

/** Files from an archive are older than any object, so what was built from their predecessors goes too. */
async function unpackAnew(tree: Tree): Promise<string[]> {
  await rm(tree.folder, { recursive: true, force: true });
  for (const variant of Object.keys(OPTIONS) as Variant[])
    await rm(objectsOf(tree, variant), { recursive: true, force: true });
  await unpack(tree.fetched, tree.folder);
  return [];
}

type Before = { file: string; text: string | undefined; modified: Date };

/** The files that these patches touch, as they are now. */
async function remember(tree: Tree, texts: readonly string[]): Promise<Before[]> {
  const names = new Set(texts.flatMap((text) => [...text.matchAll(/^\+\+\+ b\/(\S+)/gm)].map((match) => match[1]!)));
  return Promise.all(
    [...names].map(async (name) => {
      const file = path.join(tree.folder, name);
      if (!existsSync(file)) return { file, text: undefined, modified: new Date(0) };
      return { file, text: await readFile(file, "latin1"), modified: (await stat(file)).mtime };
    }),
  );
}

/** Brings the tree to exactly these patches, when no build is using it. */
export const patchTree = (tree: Tree, patches: readonly Patch[]): Promise<void> =>
  withLock(`${tree.folder}.lock`, () => applyExactly(tree, patches));

/** Files that end as they were keep their time, so builds stay incremental. */
async function applyExactly(tree: Tree, patches: readonly Patch[]): Promise<void> {
  const state = stateOf(tree);
  const applied = (await standing(tree)) ?? (await unpackAnew(tree));
  const wanted = patches.map((patch) => patch.text);
  let common = 0;
  while (common < applied.length && applied[common] === wanted[common]) common++;
  if (common === applied.length && common === wanted.length) return;
  await writeFile(tornOf(tree), "");
  const scratch = path.join(tree.folder, ".patch");
  const before = await remember(tree, [...applied.slice(common), ...wanted.slice(common)]);
  while (applied.length > common) {
    await writeFile(scratch, applied.at(-1)!);
    await patchTool(tree.folder, scratch, "--reverse");
    applied.pop();
    await writeFile(state, JSON.stringify(applied));
  }
  for (const patch of patches.slice(common)) {
    await writeFile(scratch, patch.text);
    await patchTool(tree.folder, scratch).catch((cause) => {
      throw new Error(`${patch.name} does not apply to Xen ${tree.fetched.upstream.version}`, { cause });
    });
    applied.push(patch.text);
    await writeFile(state, JSON.stringify(applied));
  }
  for (const { file, text, modified } of before)
    if (text !== undefined && existsSync(file) && (await readFile(file, "latin1")) === text)
      await utimes(file, modified, modified);
  await rm(tornOf(tree));
}

/** Nothing of the building machine goes into the binary. */
const NEUTRAL = {
  XEN_BUILD_DATE: "Thu Jan  1 00:00:00 UTC 1970",
  XEN_BUILD_TIME: "00:00:00",
  XEN_BUILD_HOST: "sallyport",
  XEN_WHOAMI: "sallyport",
  XEN_DOMAIN: "invalid",
};

/** The feature is without security support upstream, and so are those that come with asking for it. */
const FEATURE = "CONFIG_UNSUPPORTED=y\n# CONFIG_TBOOT is not set\nCONFIG_LOWMEM_DOMU=y\n";
const OPTIONS: Record<Variant, string> = {
  // Asked for, so that a test can see it dropped: the negative control cannot be set in a release.
  release: `${FEATURE}CONFIG_LOWMEM_TEST=y\n`,
  debug: `${FEATURE}CONFIG_DEBUG=y\nCONFIG_LOWMEM_TEST=y\n`,
};

const objectsOf = (tree: Tree, variant: Variant) => `${tree.folder}-${variant}`;

async function make(tree: Tree, variant: Variant, ...args: string[]): Promise<void> {
  const jobs = String(os.availableParallelism());
  await run("make", ["-C", path.join(tree.folder, "xen"), `O=${objectsOf(tree, variant)}`, "-j", jobs, ...args], {
    env: NEUTRAL,
    timeoutMs: BUILD_MS_MAX,
    show: process.env.SALLYPORT_VERBOSE === "1",
  });
}

/** Asks Kconfig only when a patch changed its questions. */
async function configure(tree: Tree, patches: readonly Patch[], variant: Variant, objects: string): Promise<void> {
  const stamp = path.join(objects, ".configured");
  const asking = patches.filter((patch) => /^\+\+\+ .*Kconfig/m.test(patch.text));
  const questions = JSON.stringify(asking.map((patch) => patch.text));
  if (existsSync(stamp) && (await readFile(stamp, "utf8")) === questions) return;
  if (!existsSync(path.join(objects, ".config"))) await make(tree, variant, "defconfig");
  await appendFile(path.join(objects, ".config"), OPTIONS[variant]);
  await make(tree, variant, "olddefconfig");
  await writeFile(stamp, questions);
}

/** Builds Xen with these patches, or finds it in the cache. */
export async function buildXen(tree: Tree, patches: readonly Patch[], variant: Variant): Promise<Built> {
  const { orig, debian } = tree.fetched.upstream;
  const digest = digestOf([orig.sha256, debian.sha256], patches, variant);
  const folder = path.join(CACHE, "xen", digest);
  const efi = path.join(folder, "xen.efi");
  const found = (): Built => ({ xen: path.join(folder, "xen"), efi: existsSync(efi) ? efi : undefined, digest });
  if (existsSync(path.join(folder, "xen"))) return found();
  await withLock(`${tree.folder}.lock`, async () => {
    if (!existsSync(path.join(folder, "xen"))) await makeXen(tree, patches, variant, folder);
  });
  return found();
}

async function makeXen(tree: Tree, patches: readonly Patch[], variant: Variant, folder: string): Promise<void> {
  await applyExactly(tree, patches);
  const objects = objectsOf(tree, variant);
  await mkdir(objects, { recursive: true });
  await configure(tree, patches, variant, objects);
  await make(tree, variant);

  const partial = `${folder}.partial-${process.pid}`;
  await mkdir(partial, { recursive: true });
  for (const name of ["xen", "xen.efi", ".config"]) {
    const made = path.join(objects, name);
    if (existsSync(made)) await copyFile(made, path.join(partial, name.replace(/^\./, "")));
  }
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder);
}

/** The configuration that a build really had. */
export const configOf = (built: Built) => readFile(path.join(path.dirname(built.xen), "config"), "utf8");
