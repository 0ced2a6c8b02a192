/** Settings under which a real clamd says OK of a file it has not looked into. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readWords } from "../../src/dom0/stick-folder.ts";
import { findClamd } from "../../src/gate/command.ts";
import { askVersion } from "../../src/gate/reader/clamd.ts";
import { type ClamdServer, MARKER, startClamd } from "./clamd-server.ts";
import { layOut } from "./images.ts";
import { missing } from "./packages.ts";
import { pdf } from "./pdf.ts";
import { findings, type Scanning, scanning, told } from "./scanning.ts";

const absent = missing("clamd", "bwrap");
const MIB = 1024 * 1024;

describe.skipIf(absent !== null)("the scanner's own settings", () => {
  let on: Scanning;
  const others: ClamdServer[] = [];
  beforeAll(async () => {
    on = await scanning();
  });
  afterAll(async () => {
    for (const other of others) await other.stop();
    await on?.stop();
  });
  const other = async (
    settings: Record<string, string>,
    definitions: Record<string, string> = {},
  ): Promise<ClamdServer> => {
    const started = await startClamd(settings, definitions);
    others.push(started);
    return started;
  };

  it("that leave files out are a doubt on the whole, and hold it though each file is called clean", async () => {
    const folder = layOut(on.fresh("tree"), { "bad.pdf": pdf(MARKER), "hello.txt": "hello" });
    expect((await on.look(folder)).verdict).toBe("block");
    const body = await on.look(folder, {}, { clamd: await other({ ScanPDF: "no" }) });
    expect(findings(body)).toEqual({ "bad.pdf": "clean", "hello.txt": "clean" });
    expect(body.problems?.[0]).toContain("clamd.conf says ScanPDF no");
    expect(body.verdict).toBe("hold");
  });

  it("are no matter to what clamd passes over by its first bytes: it is asked again, as of data", async () => {
    const heads = {
      "song.mp3": "ID3\x03\0",
      "plain.mp3": "\xff\xfb\x90\0",
      "song.ogg": "OggS\0\x02",
      "film.rm": ".RMF\0",
      "history.db": "SQLite format 3\0",
      "log.wal": "7\x7f\x06\x82\0-\xe2\x18",
      "picture.raw": `x/RGB\nID\n${"\xff".repeat(24)}`,
      "run.bat": "ID3\r\n",
    };
    const noise = randomBytes(1000).toString("latin1");
    const files = Object.fromEntries(
      Object.entries(heads).flatMap(([name, head]) => [
        [name, Buffer.from(`${head}${noise}`, "latin1")],
        [`bad-${name}`, Buffer.from(`${head}${noise}${MARKER}`, "latin1")],
      ]),
    );
    files["bad-short.mp3"] = Buffer.from(`ID3${MARKER}`);
    const body = await on.look(layOut(on.fresh("tree"), files));
    const expected = Object.keys(files).map((name) => [name, name.startsWith("bad-") ? "infected" : "clean"]);
    expect(findings(body)).toEqual(Object.fromEntries(expected));
  });

  it("of HTML: a page beyond them is unscannable, as clamd would call even a bad one clean; a text is not", async () => {
    const text = "lorem ipsum ".repeat((2 * MIB) / 12);
    const clamd = await other({ MaxHTMLNormalize: "1M" });
    const pages = {
      "page.html": `<html><body>${text}</body></html>`,
      "bad.html": `<html><body>${text}${MARKER}</body></html>`,
      "wide.html": Buffer.from(`\ufeff<IMG src=x>${text}`, "utf16le"),
      "late.txt": `${text}<a name=x href=y>${text}`,
      "picture.gif": Buffer.concat([
        Buffer.from("GIF89a\x01\0\x01\0\0\0\0,", "latin1"),
        Buffer.from(`${text}<script>`),
      ]),
      "bytes.bin": Buffer.concat([Buffer.alloc(700), Buffer.from(`<tablet>${text}`)]),
      "late.bin": Buffer.concat([Buffer.alloc(1100), Buffer.from(`<table>${text}`)]),
      "small.html": `<html>${text.slice(0, 1000)}`,
      "text.txt": text,
      "bad.txt": `${text}${MARKER}`,
    };
    const body = await on.look(layOut(on.fresh("tree"), pages), {}, { clamd });
    expect(findings(body)).toEqual({
      "page.html": "unscannable",
      "bad.html": "unscannable",
      "wide.html": "unscannable",
      "late.txt": "unscannable",
      "picture.gif": "unscannable",
      "bytes.bin": "unscannable",
      "late.bin": "clean",
      "small.html": "clean",
      "text.txt": "clean",
      "bad.txt": "infected",
    });
    expect(told(body, "page.html")).toContain("MaxHTMLNormalize");
  });

  it("of pages without their tags: by the least of the two limits, as clamd finds it up to there only", async () => {
    const definitions = { "page.ndb": `Test.Page:3:*:${Buffer.from("evil payload words").toString("hex")}\n` };
    const page = (bytes: number) =>
      `<html><p>${"lorem ipsum\n".repeat(bytes / 12)}</p><p>evil <b></b>payload <i></i>words</p></html>`;
    const pages = { "small.html": page(MIB / 2), "large.html": page(2 * MIB) };
    const scanned = async (noTags: string) => {
      const clamd = await other({ MaxHTMLNoTags: noTags }, definitions);
      return on.look(layOut(on.fresh("tree"), pages), {}, { clamd });
    };
    const narrow = await scanned("1M");
    expect(findings(narrow)).toEqual({ "small.html": "infected", "large.html": "unscannable" });
    expect(told(narrow, "large.html")).toContain("MaxHTMLNoTags");
    expect(findings(await scanned("25M"))).toEqual({ "small.html": "infected", "large.html": "infected" });
  });

  it("of texts: what clamd takes for one is unscannable beyond them; with the settings of docs/scanner.md 20 MB are clean", async () => {
    const bad = "badpayload marker run";
    const definitions = { "text.ndb": `Test.Text:7:*:${Buffer.from(bad).toString("hex")}\n` };
    const rows = (bytes: number) => "1234,Name of it,55.20,2026-11-29\r\n".repeat(bytes / 34);
    const random = randomBytes(2 * MIB);
    const files = {
      "small.csv": rows(MIB / 2),
      "small-bad.csv": `${rows(MIB / 2)} BADPAYLOAD  MARKER\n\nRUN`,
      "large.csv": rows(2 * MIB),
      "large-bad.csv": `${rows(2 * MIB)} BADPAYLOAD  MARKER\n\nRUN`,
      "wide.txt": Buffer.from(rows(MIB), "utf16le"),
      "report.pdf": `%PDF-1.4\n${rows(2 * MIB)}`,
      "film.bin": Buffer.concat([Buffer.alloc(16), random]),
      "packed.bz2": Buffer.concat([Buffer.from("BM"), random]),
    };
    const scanned = async (size: string, more = {}) => {
      const clamd = await other({ MaxScriptNormalize: size }, definitions);
      return on.look(layOut(on.fresh("tree"), { ...files, ...more }), {}, { clamd });
    };
    const narrow = await scanned("1M");
    const clean = { "small.csv": "clean", "report.pdf": "clean", "film.bin": "clean", "packed.bz2": "clean" };
    expect(findings(narrow)).toEqual({
      ...clean,
      ...{ "small-bad.csv": "infected", "large.csv": "unscannable" },
      ...{ "large-bad.csv": "unscannable", "wide.txt": "unscannable" },
    });
    expect(told(narrow, "large.csv")).toContain("MaxScriptNormalize in clamd.conf");
    expect(findings(await scanned("25M", { "log.txt": rows(20 * MIB) }))).toEqual({
      ...clean,
      ...{ "small-bad.csv": "infected", "large-bad.csv": "infected" },
      ...{ "large.csv": "clean", "wide.txt": "clean", "log.txt": "clean" },
    });
  });

  it("of a program inside another, and of patterns: beyond them nothing is clean that clamd would pass over", async () => {
    const inner = program("inner");
    const section = createHash("md5").update(inner.subarray(512, 1024)).digest("hex");
    const definitions = {
      "section.mdb": `512:${section}:Test.Section\n`,
      "pattern.ldb": "Test.Pattern;Engine:81-255,Target:0;0&1;68696464;0/hidden[0-9]+marker/\n",
    };
    const tail = (bytes: number) => Buffer.alloc(bytes, "A");
    const files = {
      "alone.exe": inner,
      "near.exe": Buffer.concat([program("outer"), inner, tail(MIB / 2)]),
      "far.exe": Buffer.concat([program("outer"), inner, tail(2 * MIB)]),
      "plain.exe": Buffer.concat([program("outer"), tail(2 * MIB)]),
      "pattern.bin": Buffer.concat([Buffer.alloc(2 * MIB), Buffer.from("hidden12marker")]),
    };
    const scanned = async (settings: Record<string, string>) =>
      on.look(layOut(on.fresh("tree"), files), {}, { clamd: await other(settings, definitions) });
    const found = { "alone.exe": "infected", "near.exe": "infected", "pattern.bin": "infected", "plain.exe": "clean" };
    const narrow = await scanned({ MaxEmbeddedPE: "1M" });
    expect(findings(narrow)).toEqual({ ...found, "far.exe": "unscannable" });
    expect(told(narrow, "far.exe")).toContain("MaxEmbeddedPE");
    expect(findings(await scanned({}))).toEqual({ ...found, "far.exe": "infected" });
    const patterns = await scanned({ PCREMaxFileSize: "1M" });
    expect(findings(patterns)["pattern.bin"]).toBe("unscannable");
  });

  it("that were changed after clamd had started hold every scan until it is started again", async () => {
    const clamd = await other({ MaxFileSize: "5M", AlertExceedsMax: "no" });
    const bad = layOut(on.fresh("tree"), { "bad.bin": Buffer.concat([Buffer.alloc(10 * MIB), Buffer.from(MARKER)]) });
    const found = async () => (await findClamd(undefined, clamd.conf, {}, readWords))!;
    const look = async () => on.look(bad, {}, { clamd: await found() });
    expect(findings(await look())).toEqual({ "bad.bin": "unscannable" });
    expect((await found()).doubts).toEqual([]);
    const text = readFileSync(clamd.conf, "utf8");
    writeFileSync(clamd.conf, text.replace("MaxFileSize 5M", "MaxFileSize 25M").replace("Max no", "Max yes"));
    // what runs has the limit it had, and says nothing of it
    const changed = await look();
    expect(findings(changed)).toEqual({ "bad.bin": "clean" });
    expect([changed.verdict, changed.problems?.[0]]).toEqual(["hold", expect.stringContaining("start clamd again")]);
    const again = await startedAgain(clamd);
    try {
      expect((await found()).doubts).toEqual([]);
      expect(findings(await look())).toEqual({ "bad.bin": "infected" });
    } finally {
      again.kill("SIGKILL");
    }
  });

  it("which keep answers by MD5 do not let one file answer for another", async () => {
    // two blocks of one MD5 (Wang and Yu, 2005)
    const [one, two] = COLLISION.map((hex) => Buffer.from(hex, "hex"));
    const body = await on.look(layOut(on.fresh("tree"), { one: one!, two: two!, again: one! }));
    expect(Object.values(findings(body)).sort()).toEqual(["clean", "clean", "unscannable"]);
    expect(body.manifest.some((row) => /MD5 of another file/.test(row.detail ?? ""))).toBe(true);
    expect(new Set(body.manifest.map((row) => row.md5)).size).toBe(1);
  });
});

/** Another clamd by the same file, in the place of the one that ran. */
async function startedAgain(clamd: ClamdServer): Promise<ChildProcess> {
  clamd.process.kill("SIGKILL");
  await once(clamd.process, "close");
  const child = spawn("/usr/sbin/clamd", ["-c", clamd.conf], { stdio: "ignore" });
  for (let tries = 0; (await askVersion(clamd.socket)) === null; tries++) {
    if (tries > 300) throw new Error("clamd did not start again");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return child;
}

/** A Windows program of one section, as short as clamd takes one for. */
function program(content: string): Buffer {
  const bytes = Buffer.alloc(1024);
  bytes.write("MZ");
  bytes.writeUInt32LE(64, 60);
  bytes.write("PE\0\0", 64, "latin1");
  bytes.writeUInt16LE(0x14c, 68);
  bytes.writeUInt16LE(1, 70);
  bytes.writeUInt16LE(224, 84);
  bytes.writeUInt16LE(0x102, 86);
  bytes.writeUInt16LE(0x10b, 88);
  bytes.writeUInt32LE(0x1000, 88 + 16);
  bytes.writeUInt32LE(0x40_0000, 88 + 28);
  bytes.writeUInt32LE(0x1000, 88 + 32);
  bytes.writeUInt32LE(0x200, 88 + 36);
  bytes.writeUInt16LE(4, 88 + 48);
  bytes.writeUInt32LE(0x2000, 88 + 56);
  bytes.writeUInt32LE(0x200, 88 + 60);
  bytes.writeUInt16LE(3, 88 + 68);
  bytes.writeUInt32LE(16, 88 + 92);
  const section = 88 + 224;
  bytes.write(".text", section);
  for (const [at, value] of [
    [8, 0x200],
    [12, 0x1000],
    [16, 0x200],
    [20, 0x200],
    [36, 0x6000_0020],
  ])
    bytes.writeUInt32LE(value!, section + at!);
  bytes.write(content, 512);
  return bytes;
}

const COLLISION = [
  "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70",
  "d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f8955ad340609f4b30283e4888325f1415a085125e8f7cdc99fd91dbd7280373c5bd8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70",
];
