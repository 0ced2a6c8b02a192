/** The scanner's definitions with a real clamd: tested aside, swapped, loaded, found in force, rolled back. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { setDigest } from "@sallyport/shared/artifact/definitions.ts";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { SectionState } from "@sallyport/shared/state/reported.ts";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DefinitionsApplier, withDefinitions } from "../../src/appliers/definitions.ts";
import { ungated } from "../../src/appliers/usb.ts";
import { startReader } from "../../src/dom0/confine.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { clamdDefinitions, type Definitions } from "../../src/dom0/definitions.ts";
import { askVersion } from "../../src/gate/reader/clamd.ts";
import { scan } from "../../src/gate/scan.ts";

const CLAMD = "/usr/sbin/clamd";
const absent = existsSync(CLAMD) ? null : "no clamd";
if (absent && process.env.CI) throw new Error("clamd is missing: apt install clamav-daemon");
const root = mkdtempSync(join(tmpdir(), "sallyport-definitions-"));
chmodSync(root, 0o755); // whoever clamd runs as passes through
const BAD = "a file that nobody wants";
const hex = (text: string) => Buffer.from(text).toString("hex");
const ndb = (name: string, text: string) => `${name}:0:*:${hex(text)}\n`;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

let count = 0;
let folder: string;
let conf: string;
let child: ChildProcess | undefined;
let policy: UsbSection;
let told: Observation[];
let applier: DefinitionsApplier;
let definitions: Definitions;
let store: Map<string, string>;
let now: number;

beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder, { mode: 0o755 });
  conf = join(folder, "clamd.conf");
  const settings = {
    ...{ DatabaseDirectory: join(folder, "db/current"), LocalSocket: join(folder, "clamd.sock"), Foreground: "yes" },
    ...{ DisableCache: "yes", AlertExceedsMax: "yes", ConcurrentDatabaseReload: "yes" },
  };
  writeFileSync(
    conf,
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(""),
  );
  store = new Map();
  told = [];
  now = Date.now();
  policy = UsbSection.parse({});
  make({});
});
afterEach(async () => stop());
afterAll(() => rmSync(root, { recursive: true, force: true }));

function make(change: Partial<Definitions>, reloadMsMax?: number, absentMs = 0) {
  definitions = { ...clamdDefinitions({ folder: join(folder, "db"), conf, program: [CLAMD] }), ...change };
  applier = withDefinitions(ungated(), {
    definitions,
    artifacts: {
      async get(digest, what) {
        const path = store.get(digest);
        if (path === undefined) throw new Error(`${what} could not be fetched`);
        return path;
      },
      retain() {},
    },
    policy: () => policy,
    hash: sha256,
    now: () => now,
    monotonic: () => performance.now(),
    pause: (ms) => delay(ms),
    tell: (observation) => void told.push(observation),
    log: quiet,
    absentMs,
    ...(reloadMsMax !== undefined && { reloadMsMax }),
  });
}

async function start(): Promise<void> {
  child = spawn(CLAMD, ["-c", conf], { stdio: "ignore" });
  await until(async () => (await askVersion(join(folder, "clamd.sock"))) !== null, "clamd answers");
}
async function stop(): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child!.once("close", resolve));
  child.kill("SIGKILL");
  await ended;
}
async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  for (const started = performance.now(); !(await holds()); await delay(50))
    if (performance.now() - started > 90_000) throw new Error(`never came true: ${what}`);
}

function artifact(name: string, text: string): { name: string; sha256: Sha256 } {
  const digest = createHash("sha256").update(text).digest("hex") as Sha256;
  const path = join(folder, `artifact-${digest}`);
  writeFileSync(path, text, { mode: 0o600 });
  store.set(digest, path);
  return { name, sha256: digest };
}
const wants = (...files: { name: string; sha256: Sha256 }[]): Sha256 => {
  policy = UsbSection.parse({ definitions: files });
  return setDigest(sha256, policy.definitions!);
};
async function look(): Promise<SectionState> {
  const state = SectionState.parse(applier.judge(policy, await applier.inspect()));
  for (const { kind, body } of told) expect(bodySchema(kind)?.safeParse(body).success).toBe(true);
  return state;
}
async function settle(): Promise<SectionState> {
  await applier.apply(policy);
  return look();
}
const scanOf = async (text: string) => {
  const place = mkdtempSync(join(root, "scan-"));
  chmodSync(place, 0o755);
  writeFileSync(join(place, "file"), text, { mode: 0o644 });
  const limits = { fileBytes: 1_000_000, scanMs: 10_000, limitsReported: true };
  const set = await applier.inForce();
  return scan(place, {
    ...{ policy, clamd: { socket: join(folder, "clamd.sock"), trays: null, ...limits }, start: startReader, lanes: 1 },
    ...{ now: () => new Date(), ...(set !== undefined && { set }) },
  });
};

describe.skipIf(absent)("the scanner's definitions", { timeout: 120_000 }, () => {
  it("lie ready before there is a clamd, and are in force when the one that runs finds what only they find", async () => {
    const set = wants(artifact("site.ndb", ndb("Site.One", BAD)));
    expect(await settle()).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("lie ready, and clamd does not answer"),
    });
    expect(told).toMatchObject([{ kind: "usb.scanner", severity: "error", body: { state: "absent" } }]);
    await start();
    // the gate itself is not turned on here
    expect(await look()).toMatchObject({ outcome: "not-applied", reason: expect.not.stringContaining("clamd") });
    expect((await look()).found).toMatchObject({
      scanner: { engine: expect.stringMatching(/^ClamAV /), set, files: 1 },
    });
    expect(told.at(-1)).toMatchObject({
      severity: "notice",
      text: "The scanner has definitions without a version, as the policy names them (1 file).",
      body: { state: "current", set, files: policy.definitions },
    });
    const body = await scanOf(`x ${BAD}`);
    expect(body).toMatchObject({ verdict: "block", scanner: { set }, manifest: [{ finding: "infected" }] });
    await look();
    expect(told).toHaveLength(2);
  });

  it("are renewed without a restart, file by file", async () => {
    const one = artifact("one.ndb", ndb("Site.One", BAD));
    wants(one);
    await settle();
    await start();
    const pid = child?.pid;
    expect((await scanOf("another bad one")).verdict).toBe("allow");
    const set = wants(one, artifact("two.ndb", ndb("Site.Two", "another bad one")));
    expect((await settle()).found).toMatchObject({ scanner: { set, files: 2 } });
    expect((await scanOf("another bad one")).verdict).toBe("block");
    expect((await scanOf(BAD)).verdict).toBe("block");
    expect(child?.pid).toBe(pid);
    expect(readdirSync(join(folder, "db/sets"))).toEqual([set]);
    expect(lstatSync(join(folder, "db/current")).isSymbolicLink()).toBe(true);
  });

  it("that clamd refuses are told in its words, and those before stay in force", async () => {
    const good = wants(artifact("one.ndb", ndb("Site.One", BAD)));
    await settle();
    await start();
    const bad = artifact("bad.ndb", "Site.Bad:0:*:not hex at all\n");
    wants(bad);
    await expect(settle()).rejects.toThrow(
      /^The scanner refuses the definitions, and those before stay in force: .*(?:[Mm]alformed|Problem)/,
    );
    expect(await applier.inForce()).toBe(good);
    expect((await scanOf(BAD)).verdict).toBe("block");
    // a set that was refused is not loaded at each look
    const began = performance.now();
    await expect(settle()).rejects.toThrow("The scanner refuses the definitions");
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(existsSync(join(folder, "db/aside"))).toBe(false);
  });

  it("come back where the running clamd does not load what passed the test", async () => {
    const good = wants(artifact("one.ndb", ndb("Site.One", BAD)));
    await settle();
    await start();
    // the reload is lost on its way the first time
    let lost = 0;
    const real = clamdDefinitions({ folder: join(folder, "db"), conf, program: [CLAMD] });
    make({ reload: () => (lost++ === 0 ? Promise.resolve(false) : real.reload()) }, 1_000);
    wants(artifact("two.ndb", ndb("Site.Two", "two")));
    await expect(settle()).rejects.toThrow(
      /does not load the definitions [0-9a-f]{12}; those before are in force again\.$/,
    );
    expect(await applier.inForce()).toBe(good);
    expect(readdirSync(join(folder, "db/sets"))).toEqual([good]);
  });

  it("that could not be fetched leave everything as it is", async () => {
    const good = wants(artifact("one.ndb", ndb("Site.One", BAD)));
    await settle();
    await start();
    wants({ name: "daily.cvd", sha256: "0".repeat(64) as Sha256 });
    await expect(settle()).rejects.toThrow("The definitions daily.cvd could not be fetched");
    expect(await applier.inForce()).toBe(good);
  });

  it("are not laid where clamd does not read them", async () => {
    writeFileSync(conf, `DatabaseDirectory /var/lib/clamav\nLocalSocket ${join(folder, "clamd.sock")}\n`);
    wants(artifact("one.ndb", ndb("Site.One", BAD)));
    expect(await settle()).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining(
        `clamd reads them from /var/lib/clamav: set DatabaseDirectory ${join(folder, "db/current")}`,
      ),
    });
    expect(existsSync(join(folder, "db"))).toBe(false);
  });

  it("that another put in their place are not believed to be the policy's", async () => {
    const set = wants(artifact("one.ndb", ndb("Site.One", BAD)));
    await settle();
    await start();
    writeFileSync(join(folder, "db/sets", set, "sallyport-set.hsb"), `${"0".repeat(64)}:1:Somebody.Else\n`);
    await definitions.reload();
    await until(async () => (await applier.inForce()) === undefined, "the set is no longer what it was");
    expect((await look()).reason).toContain("clamd has not loaded them");
    expect((await settle()).found).toMatchObject({ scanner: { set } });
  });

  it("are not missed at once when clamd is silent: it starts slowly", async () => {
    make({}, undefined, 60_000);
    await look();
    await look();
    expect(told).toEqual([]);
    make({});
    await look();
    expect(told).toMatchObject([{ body: { state: "absent" } }]);
  });

  it("that have grown old are told once, and the section says so", async () => {
    wants(artifact("one.ndb", ndb("Site.One", BAD)));
    await settle();
    await start();
    const date = "2026-10-01T08:00:00.000Z";
    make({ version: async () => ({ engine: "ClamAV 1.4.6", definitions: "27400", date }) });
    now = Date.parse("2026-10-10T00:00:00Z");
    await look();
    expect(told.at(-1)).toMatchObject({ severity: "notice", body: { state: "current", definitions: "27400", date } });
    now = Date.parse("2026-10-20T00:00:00Z");
    expect((await look()).reason).toContain(
      "The scanner's definitions are of 2026-10-01, and 14 days is the oldest they may be",
    );
    await look();
    const stale = told.filter(({ body }) => (body as { state?: string }).state === "stale");
    expect(stale).toMatchObject([{ kind: "usb.scanner", severity: "warning" }]);
  });
});
