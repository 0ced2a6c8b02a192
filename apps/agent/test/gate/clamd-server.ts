/** A real clamd of a test's own: definitions of two lines, its own socket and trays, no cache. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readClamdConf } from "../../src/gate/clamd-conf.ts";
import { askVersion } from "../../src/gate/reader/clamd.ts";
import type { Clamd } from "../../src/gate/scan.ts";

/** The EICAR test file, put together here so that no scanner takes offence at this source. */
export const EICAR = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS", "-TEST-FILE!$H+H*"].join("");
/** A second signature, which may lie anywhere in a file. */
export const MARKER = "sallyport-bad-marker-7f3a";

/** Memory on every Linux; the package has its own. */
const MEMORY = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const START_TRIES_MAX = 300;

export type ClamdServer = Clamd & { trays: string; conf: string; process: ChildProcess; stop(): Promise<void> };

/** `more` settings; `definitions`: further databases, by file name. */
export async function startClamd(
  more: Record<string, string> = {},
  definitions: Record<string, string | Buffer> = {},
): Promise<ClamdServer> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-clamd-"));
  const hex = (text: string) => Buffer.from(text).toString("hex");
  const trays = await mkdtemp(join(MEMORY, "sallyport-trays-"));
  await chmod(trays, 0o711);
  await mkdir(join(folder, "db"));
  await mkdir(join(folder, "tmp"));
  await writeFile(join(folder, "db", "test.ndb"), `Test.Eicar:0:*:${hex(EICAR)}\nTest.Marker:0:*:${hex(MARKER)}\n`);
  for (const [name, content] of Object.entries(definitions)) await writeFile(join(folder, "db", name), content);
  const settings: Record<string, string> = {
    DatabaseDirectory: join(folder, "db"),
    TemporaryDirectory: join(folder, "tmp"),
    LocalSocket: join(folder, "clamd.sock"),
    Foreground: "yes",
    DisableCache: "yes",
    AlertExceedsMax: "yes",
    StreamMaxLength: "25M",
    MaxFileSize: "25M",
    MaxScanSize: "100M",
    // as docs/scanner.md says, so that large texts, pages and programs are looked into
    ...{ MaxScriptNormalize: "25M", MaxHTMLNormalize: "25M", MaxHTMLNoTags: "25M", MaxEmbeddedPE: "25M" },
    ConcurrentDatabaseReload: "no",
    ...more,
  };
  const conf = Object.entries(settings)
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
  await writeFile(join(folder, "clamd.conf"), conf);
  const child = spawn("/usr/sbin/clamd", ["-c", join(folder, "clamd.conf")], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.on("data", (bytes: Buffer) => {
    said = (said + bytes).slice(-4_000);
  });
  child.stderr.on("data", (bytes: Buffer) => {
    said = (said + bytes).slice(-4_000);
  });
  const found = readClamdConf(conf);
  const socket = settings.LocalSocket!;
  for (let tries = 0; (await askVersion(socket)) === null; tries++) {
    if (tries > START_TRIES_MAX || child.exitCode !== null) throw new Error(`clamd did not start: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    ...found,
    socket,
    trays,
    conf: join(folder, "clamd.conf"),
    process: child,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await new Promise((resolve) => child.once("close", resolve));
      }
      for (const each of [folder, trays]) await rm(each, { recursive: true, force: true });
    },
  };
}
