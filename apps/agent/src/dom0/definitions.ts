/** definitions applier → clamd: sets of databases in a folder of its own, a test of one by a clamd of its own, the link that
 *  says which is in force, and what the running clamd answers. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import {
  chmod,
  chown,
  copyFile,
  link,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { readClamdConf } from "../gate/clamd-conf.ts";
import { askReload, askVersion, startScan, type Version } from "../gate/reader/clamd.ts";
import { DoorError } from "./dom0.ts";
import { readWords } from "./stick-folder.ts";

/** Bytes that only one set finds, and what it calls them. */
export type Witness = { bytes: Uint8Array; signature: string };

export type Definitions = {
  /** Where clamd's configuration must have it read from. */
  readonly place: string;
  conf(): Promise<{ socket: string | null; database: string }>;
  /** The set that the link points to. */
  current(): Promise<string | undefined>;
  /** Lays a set beside the others; `files` by their paths, `more` by their text. @throws DoorError */
  lay(
    set: string,
    files: readonly { name: string; path: string }[],
    more: { name: string; text: string },
  ): Promise<void>;
  /** Whether a clamd of its own loads that set and finds the witness; in clamd's words, why not. @throws DoorError */
  test(set: string, witness: Witness): Promise<Result<null>>;
  /** From here on clamd reads that one when it loads; undefined: none. */
  use(set: string | undefined): Promise<void>;
  /** Takes every set away but these. */
  forget(keep: readonly string[]): Promise<void>;
  /** Of the clamd that runs; null: none answers. */
  version(): Promise<Version | null>;
  reload(): Promise<boolean>;
  /** Whether the clamd that runs has that set. */
  knows(witness: Witness): Promise<boolean>;
};

/** A full set is loaded in half a minute on a fast machine. */
const TEST_MS_MAX = 300_000;
const LOOK_MS = 100;
/** While clamd loads it may answer nobody; then it is asked again. */
const ANSWER_MS_MAX = 2_000;
const CONF_BYTES_MAX = 1024 * 1024;
const SAID_CHARS_MAX = 16_384;
const SCANNER_USER = "clamav";

/** `socket` is clamd's where its configuration does not say. */
export type DefinitionsPlace = { folder: string; conf: string; socket?: string; program: readonly string[] };

export function clamdDefinitions({ folder, conf, socket: named, program }: DefinitionsPlace): Definitions {
  const place = join(folder, "current");
  const sets = join(folder, "sets");
  const words = async () => readClamdConf((await readWords(conf, CONF_BYTES_MAX)) ?? "");
  const socket = async () => named ?? (await words()).socket;
  return {
    place,
    conf: words,
    current: () =>
      readlink(place).then(
        (target) => basename(target),
        () => undefined,
      ),
    async lay(set, files, more) {
      const fresh = join(sets, `${set}.new`);
      try {
        for (const path of [folder, sets]) await openFolder(path);
        await rm(fresh, { recursive: true, force: true });
        await openFolder(fresh);
        for (const { name, path } of files) await bring(path, join(fresh, name));
        await writeFile(join(fresh, more.name), more.text);
        await chmod(join(fresh, more.name), 0o644);
        await rm(join(sets, set), { recursive: true, force: true });
        await rename(fresh, join(sets, set));
      } catch (error) {
        await rm(fresh, { recursive: true, force: true }).catch(() => undefined); // what cannot be taken away is told of below
        throw new DoorError(`the definitions cannot be laid into ${folder}: ${whyNot(error)}`, { cause: error });
      }
    },
    test: (set, witness) => test({ folder, set: join(sets, set), program }, witness),
    async use(set) {
      if (set === undefined) return rm(place, { force: true });
      await rm(`${place}.new`, { force: true });
      await symlink(join("sets", set), `${place}.new`);
      await rename(`${place}.new`, place);
    },
    async forget(keep) {
      for (const name of await readdir(sets).catch(() => []))
        if (!keep.includes(name)) await rm(join(sets, name), { recursive: true, force: true });
    },
    async version() {
      const at = await socket();
      return at === null ? null : askVersion(at);
    },
    async reload() {
      const at = await socket();
      return at !== null && askReload(at);
    },
    async knows(witness) {
      const at = await socket();
      return at !== null && (await finds(at, witness)) === true;
    },
  };
}

/** Whoever clamd runs as reads there, whatever our own mask is. */
async function openFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o755);
}

/** The same bytes under another name; where that is another file system, a copy. */
async function bring(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to));
  await chmod(to, 0o644);
}

/** Undefined: no answer. */
async function finds(socket: string, { bytes, signature }: Witness): Promise<boolean | undefined> {
  const stream = startScan(socket, ANSWER_MS_MAX);
  await stream.write(Buffer.from(bytes));
  const answer = await stream.finish();
  if (answer.answer === "gone") return undefined;
  // clamd adds that it is none of its maker's
  return answer.answer === "infected" && answer.signature.replace(/\.UNOFFICIAL$/, "") === signature;
}

type Trial = { folder: string; set: string; program: readonly string[] };

async function test({ folder, set, program }: Trial, witness: Witness): Promise<Result<null>> {
  const aside = join(folder, "aside");
  const socket = join(aside, "clamd.socket");
  const identity = scannerUser();
  await rm(aside, { recursive: true, force: true });
  await openFolder(aside);
  await mkdir(join(aside, "tmp"));
  const settings = {
    ...{ DatabaseDirectory: set, LocalSocket: socket, TemporaryDirectory: join(aside, "tmp") },
    ...{ Foreground: "yes", DisableCache: "yes", ConcurrentDatabaseReload: "no", MaxThreads: "1" },
  };
  const conf = join(aside, "clamd.conf");
  await writeFile(
    conf,
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(""),
  );
  await chmod(conf, 0o644);
  if (identity) for (const path of [aside, join(aside, "tmp")]) await chown(path, identity.uid, identity.gid);
  // never as root: what it parses came from outside
  const become = identity
    ? ["setpriv", "--reuid", `${identity.uid}`, "--regid", `${identity.gid}`, "--clear-groups", "--no-new-privs"]
    : [];
  const [name = "", ...args] = [...become, ...program, "-c", conf];
  const child = spawn(name, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("utf8")).slice(-SAID_CHARS_MAX);
    });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`${name} cannot be started: ${error.message}`));
    child.once("close", (code, signal) => resolve(lastWords(said) ?? `it ended with ${signal ?? `code ${code}`}`));
  });
  let why: string | undefined;
  void ended.then((words) => {
    why = words;
  });
  try {
    for (const started = performance.now(); ; await delay(LOOK_MS)) {
      if (why !== undefined) return fail(why.slice(0, 500));
      if (performance.now() - started > TEST_MS_MAX)
        return fail(`it had not loaded them after ${TEST_MS_MAX / 60_000} minutes`);
      if (!existsSync(socket)) continue;
      const found = await finds(socket, witness);
      if (found === true) return ok(null);
      if (found === false) return fail("it loads them and does not find what the set itself holds");
    }
  } finally {
    if (why === undefined) child.kill("SIGKILL");
    await ended;
    await rm(aside, { recursive: true, force: true });
  }
}

/** What clamd said is wrong; its first complaint names file and line. */
function lastWords(said: string): string | undefined {
  const lines = said.split("\n").map((line) => line.trim());
  return lines.find((line) => /^(?:LibClamAV Error|ERROR)/.test(line)) ?? lines.find((line) => /error/i.test(line));
}

/** Whom clamd runs as, where we are root and there is one. */
function scannerUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${SCANNER_USER}:`));
  const [uid, gid] = [Number(line?.split(":")[2]), Number(line?.split(":")[3])];
  return uid > 0 && gid > 0 ? { uid, gid } : undefined;
}
