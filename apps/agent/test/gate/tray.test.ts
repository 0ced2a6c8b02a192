/** What the reader lays before the scanner, and what it streams: the real clamd behind a relay that hears what it is asked. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { NOBODY } from "../../src/dom0/confine-args.ts";
import { findTrays, makeTray, removeTray } from "../../src/dom0/scanner-tray.ts";
import { unpacksOf } from "../../src/gate/scanner-unpacks.ts";
import { type ClamdServer, EICAR, MARKER, startClamd } from "./clamd-server.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, told } from "./scanning.ts";

const absent = missing("clamd", "bwrap");
const MB = 1_000_000;
const WIDE = {
  StreamMaxLength: "200M",
  MaxFileSize: "200M",
  MaxScanSize: "400M",
  PCREMaxFileSize: "200M",
  MaxScriptNormalize: "200M",
};

describe.skipIf(absent !== null)("the scanner's tray", { timeout: 120_000 }, () => {
  let work: string;
  let bench: Scanning;
  let clamd: ClamdServer;
  let relay: Server;
  let socket: string;
  /** Commands in the order in which they came, without the tray's path. */
  let heard: string[] = [];

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), "sallyport-tray-"));
    bench = await scanning();
    clamd = await startClamd(WIDE);
    socket = join(work, "relay");
    relay = createServer((from) => {
      const to = connect(clamd.socket);
      let streams = false;
      from.on("data", (bytes: Buffer) => {
        if (streams) return;
        for (const command of bytes.toString("latin1").split("\0")) {
          streams ||= command === "zINSTREAM";
          if (/^z(SCAN|INSTREAM)/.test(command)) heard.push(command.replace(/ .*\//, " "));
        }
      });
      from.pipe(to).pipe(from);
      for (const each of [from, to]) each.on("error", () => void [from, to].map((other) => other.destroy()));
    });
    await new Promise<void>((resolve) => relay.listen(socket, resolve));
    // else the first scan asks it what it looks into
    await unpacksOf(socket);
  }, 60_000);
  afterAll(async () => {
    relay?.close();
    await clamd?.stop();
    await bench?.stop();
    rmSync(work, { recursive: true, force: true });
  });
  beforeEach(() => {
    heard = [];
  });

  const look = (files: Record<string, Buffer | string>, more: Partial<ClamdServer> = {}) => {
    const folder = bench.fresh("files");
    mkdirSync(folder);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return bench.look(folder, {}, { clamd: { ...clamd, socket, ...more }, lanes: 1 });
  };

  it("is where each file is laid, and nothing is left in it", async () => {
    const body = await look({ a: "harmless", b: EICAR, c: `${"x".repeat(3 * MB)}${MARKER}`, d: "harmless too" });
    expect(findings(body)).toEqual({ a: "clean", b: "infected", c: "infected", d: "clean" });
    expect(heard).toEqual(["zSCAN 1", "zSCAN 1", "zSCAN 1", "zSCAN 1"]);
    expect(body.confined).toBe("bubblewrap");
    expect(readdirSync(clamd.trays)).toEqual([]);
  });

  it("holds of a file what that file has, whatever a longer one has left there", async () => {
    const body = await look({
      a: `${"x".repeat(2 * MB)}${MARKER}`,
      b: "y".repeat(MB),
      c: "z".repeat(1_500_000),
      d: `${"z".repeat(MB)}${MARKER}`,
    });
    expect(findings(body)).toEqual({ a: "infected", b: "clean", c: "clean", d: "infected" });
  });

  it("is left out for what is too long for it, which is streamed from its first byte on", async () => {
    const long = Buffer.alloc(40 * MB, Buffer.from([1, 2, 0, 255, 1]));
    const marked = Buffer.concat([long.subarray(0, 5), Buffer.from(MARKER), long]);
    const body = await look({ a: long, b: marked, c: Buffer.concat([long, Buffer.from(MARKER)]), d: EICAR });
    expect(told(body, "a")).toBe("clean");
    expect(findings(body)).toEqual({ a: "clean", b: "infected", c: "infected", d: "infected" });
    expect(heard.map((command) => command.split(" ")[0])).toEqual(["zINSTREAM", "zINSTREAM", "zINSTREAM", "zSCAN"]);
  });

  it("is given up from the first file on that the scanner does not open there", async () => {
    const elsewhere = join(work, "other-trays");
    mkdirSync(elsewhere);
    const blind = await startClamd({ ...WIDE, ExcludePath: `^${elsewhere}` });
    try {
      const body = await look({ a: EICAR, b: "harmless", c: MARKER }, { ...blind, trays: elsewhere });
      expect(findings(body)).toEqual({ a: "infected", b: "clean", c: "infected" });
    } finally {
      await blind.stop();
    }
  });

  it("may be full or away: then all is streamed", async () => {
    const small = join(work, "small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=0711", "tmpfs", small]);
    try {
      expect(await findTrays(small)).toBe(small);
      const body = await look(
        { a: `${"x".repeat(3 * MB)}${MARKER}`, b: "y".repeat(3 * MB), c: EICAR },
        { trays: small },
      );
      expect(findings(body)).toEqual({ a: "infected", b: "clean", c: "infected" });
      expect(heard.map((command) => command.split(" ")[0])).toEqual(["zINSTREAM", "zINSTREAM", "zSCAN"]);
    } finally {
      execFileSync("umount", [small]);
    }
    heard = [];
    expect(findings(await look({ a: EICAR }, { trays: join(work, "absent") }))).toEqual({ a: "infected" });
    expect(heard).toEqual(["zINSTREAM"]);
    // a disk is no tray
    expect(await findTrays("/usr")).toBeNull();
    expect(await findTrays(join(work, "absent"))).toBeNull();
  });

  it("is left out with a clamd that remembers clean files: one changed under it would be clean for every later stick", async () => {
    for (const remembers of [true, undefined]) {
      heard = [];
      const body = await look({ a: EICAR, b: "harmless" }, { remembers } as Partial<ClamdServer>);
      expect(findings(body)).toEqual({ a: "infected", b: "clean" });
      expect(heard).toEqual(["zINSTREAM", "zINSTREAM"]);
    }
  });

  it("is cleared of what one that was killed has left", async () => {
    const gone = execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }).trim();
    const left = join(clamd.trays, `${gone}.5a5a5a5a-left`);
    mkdirSync(left);
    writeFileSync(join(left, "1"), "left");
    await look({ a: "harmless" });
    expect(readdirSync(clamd.trays)).toEqual([]);
  });

  it("goes on where clamd's own VirusEvent takes a file out of it", async () => {
    const taking = await startClamd({ ...WIDE, VirusEvent: 'rm -f "$CLAM_VIRUSEVENT_FILENAME"' });
    try {
      const taken = { socket: taking.socket, trays: taking.trays };
      const files = { a: EICAR, b: "harmless", c: MARKER, d: "harmless too" };
      expect(findings(await look(files, taken))).toEqual({ a: "infected", b: "clean", c: "infected", d: "clean" });
      expect(readdirSync(taking.trays)).toEqual([]);
    } finally {
      await taking.stop();
    }
  });

  it("is removed also where a reader that was taken over has laid folders deeper than a path may be long", async () => {
    const deep = (tray: string) =>
      execFileSync("perl", ["-e", "chdir shift or die; for (1..40) { mkdir 'x' x 250; chdir 'x' x 250 or die }", tray]);
    const tray = (await makeTray(clamd.trays, NOBODY.uid))!;
    deep(tray);
    await removeTray(tray);
    expect(existsSync(tray)).toBe(false);
    const gone = execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }).trim();
    const left = join(clamd.trays, `${gone}.5a5a5a5a-deep`);
    mkdirSync(left);
    deep(left);
    await removeTray((await makeTray(clamd.trays, NOBODY.uid))!);
    expect(readdirSync(clamd.trays)).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)(
    "is open to the definitions' group, and to nobody else who learns its name",
    async () => {
      const definitions = mkdtempSync("/dev/shm/sallyport-definitions-");
      const trays = join(definitions, "trays");
      try {
        chmodSync(definitions, 0o755);
        chownSync(definitions, 0, 12_345);
        mkdirSync(trays);
        chmodSync(trays, 0o711);
        const tray = (await makeTray(trays, NOBODY.uid))!;
        writeFileSync(join(tray, "1"), "of a stick", { mode: 0o644 });
        const read = (uid: number, gid: number) =>
          spawnSync("cat", [join(tray, "1")], { uid, gid, encoding: "utf8" }).stdout;
        expect(read(23_456, 12_345)).toBe("of a stick");
        expect(read(23_456, 23_456)).toBe("");
      } finally {
        rmSync(definitions, { recursive: true, force: true });
      }
    },
  );
});
