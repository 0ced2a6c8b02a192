/** Images of disks that the scanner does not take as a whole: clean where each file and each byte of them is, and nothing
 *  hides behind that they are asked about in pieces. */
import { randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClamdServer, MARKER, startClamd } from "./clamd-server.ts";
import { extImage, type Files, fatImage, isoImage, layOut, ntfsImage, partitioned, run } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, told } from "./scanning.ts";

const absent = missing(
  ...["clamd", "bwrap", "mkfs.vfat", "mkfs.ext4", "mkfs.ntfs", "ntfscp", "mcopy", "genisoimage", "sfdisk", "zip", "7z"],
);
const MIB = 1024 * 1024;
const LIMIT = 2 * MIB;
/** As many bytes of the image as a piece has under that limit, and how many of them the next one has too. */
const PIECE = LIMIT - 4096;
const OVERLAP = 128 * 1024;
const APART = "clean: too large for the scanner as a whole; its files and its bytes were scanned apart";

describe.skipIf(absent !== null)("an image of a disk that is larger than the scanner's limit", () => {
  let on: Scanning;
  let clamd: ClamdServer;
  let silent: ClamdServer;
  const limits = { StreamMaxLength: "2M", MaxFileSize: "2M", MaxScanSize: "6M" };
  beforeAll(async () => {
    on = await scanning();
    clamd = await startClamd(limits);
    silent = await startClamd({ ...limits, AlertExceedsMax: "no" });
  });
  afterAll(async () => {
    await silent?.stop();
    await clamd?.stop();
    await on?.stop();
  });
  const look = (files: Files, policy: object = {}) => on.look(layOut(on.fresh("made"), files), policy, { clamd });

  /** Ten files, none of them too large, all of them together four times the limit. */
  const tree = (more: Files = {}): string => {
    const noise = Object.fromEntries(
      Array.from({ length: 10 }, (_, at) => [`d/noise-${at}.bin`, randomBytes(800_000)]),
    );
    return layOut(on.fresh("tree"), { ...noise, "hello.txt": "hello\n", ...more });
  };
  const disc = (more: Files = {}) => readFileSync(isoImage(on.fresh("iso"), tree(more), "-R"));

  it("is clean where all that is in it is: a disc, FAT, ext, NTFS, partitions", async () => {
    const out = on.fresh("made");
    mkdirSync(out);
    isoImage(join(out, "disc.iso"), tree(), "-J", "-R");
    fatImage(join(out, "fat.img"), tree(), 16);
    extImage(join(out, "ext.img"), tree(), "ext4");
    ntfsImage(join(out, "ntfs.img"), { "a.bin": randomBytes(1_000_000), "b.txt": "b" });
    partitioned(join(out, "disk.img"), "gpt", [
      { image: join(out, "fat.img"), type: "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" },
      { image: join(out, "ext.img"), type: "L" },
    ]);
    const body = await on.look(out, {}, { clamd });
    // first, as an image says only that something in it is not
    const unclean = body.manifest.filter((row) => row.finding !== "clean").map(({ path = "" }) => path);
    expect(unclean.map((path) => `${path} ${told(body, path)}`)).toEqual([]);
    for (const name of ["disc.iso", "fat.img", "ext.img", "ntfs.img", "disk.img"])
      expect([name, told(body, name)]).toEqual([name, APART]);
    expect([body.verdict, body.problems]).toEqual(["allow", undefined]);
  });

  it("is clean where the scanner gives up on a smaller one because of all that it unpacks from it", async () => {
    const small = await startClamd({ StreamMaxLength: "25M", MaxFileSize: "25M", MaxScanSize: "9M" });
    try {
      const body = await on.look(layOut(on.fresh("made"), { "disc.iso": disc() }), {}, { clamd: small });
      expect(told(body, "disc.iso")).toBe(APART);
    } finally {
      await small.stop();
    }
  });

  it("is infected where a file in it is, or bytes that no file has, on a border between two pieces too", async () => {
    const image = readFileSync(fatImage(on.fresh("fat"), tree(), 16));
    const marked = (bytes: Buffer, at: number) => {
      const bent = Buffer.from(bytes);
      bent.write(MARKER, at);
      return bent;
    };
    const step = PIECE - OVERLAP;
    const bad = {
      "file.iso": disc({ "deep/bad.txt": MARKER }),
      "front.iso": marked(disc(), 1000),
      // free space of the file system, where nothing but the pieces looks
      "begin.img": marked(image, 8 * step - 10),
      "end.img": marked(image, 7 * step + PIECE - 10),
      "side-by-side.img": marked(image, 8 * PIECE - 10),
      "last.img": marked(image, image.length - MARKER.length),
    };
    const body = await look(bad);
    for (const name of Object.keys(bad)) expect([name, findings(body)[name]]).toEqual([name, "infected"]);
    expect(findings(body)["file.iso!/deep/bad.txt"]).toBe("infected");
    expect(body.verdict).toBe("block");
  });

  it("is infected where a piece begins as what the scanner would not look into", async () => {
    const image = fatImage(on.fresh("fat"), tree(), 16);
    const bytes = readFileSync(image);
    // free space, far behind all files
    const from = (PIECE - OVERLAP) * 8;
    for (const begin of ["OggS\0\x02", "ID3\x03\0", "<html><body>", "\xff\xfb\x90"]) {
      const bent = Buffer.from(bytes);
      bent.write(begin, from, "latin1");
      bent.write(MARKER, from + 900_000);
      const body = await look({ "a.img": bent });
      expect([begin, findings(body)["a.img"]]).toEqual([begin, "infected"]);
    }
  });

  it("is unscannable where it is something else as well: a program, a page, a document, an archive", async () => {
    const clean = disc();
    const begun = (text: string, at = 0) => {
      const bytes = Buffer.from(clean);
      bytes.write(text, at, "latin1");
      return bytes;
    };
    const zipped = on.fresh("zip.zip");
    run("zip", ["-q", "-j", zipped, join(tree(), "hello.txt")]);
    const body = await look({
      "program.iso": begun("MZ\x90\0"),
      "script.iso": begun("#!/bin/sh\n"),
      "page.iso": begun("<script>", 6000),
      "document.iso": begun("%PDF-1.4", 900),
      "picture.iso": begun("GIF89a"),
      "archive.iso": Buffer.concat([clean, readFileSync(zipped)]),
      "noise.bin": randomBytes(3 * MIB),
      "text.txt": "a".repeat(3 * MIB),
    });
    for (const name of Object.keys(findings(body)).filter((path) => !path.includes("!/")))
      expect([name, findings(body)[name]]).toEqual([name, "unscannable"]);
  });

  it("is unscannable where a file in it is: larger than the limit, encrypted, not read; or where it ends early", async () => {
    const locked = on.fresh("locked.7z");
    run("7z", ["a", "-bso0", "-mhe=on", "-psecret", locked, join(tree(), "hello.txt")]);
    const whole = disc();
    const body = await look({
      "large.iso": disc({ "large.bin": randomBytes(LIMIT + 1) }),
      "locked.iso": disc({ "locked.7z": readFileSync(locked) }),
      "cut.iso": whole.subarray(0, whole.length - 2 * MIB),
    });
    for (const name of ["large.iso", "locked.iso", "cut.iso"])
      expect([name, findings(body)[name]]).toEqual([name, "unscannable"]);
    expect(told(body, "large.iso!/large.bin")).toMatch(/larger than the scanner's limit/);
  });

  it("is unscannable where the scanner does not say when a limit stopped it, or takes too little at once", async () => {
    const folder = layOut(on.fresh("made"), { "disc.iso": disc() });
    expect(told(await on.look(folder, {}, { clamd: silent }), "disc.iso")).toMatch(/^unscannable: larger than/);
    const narrow = { ...clamd, fileBytes: MIB };
    expect(told(await on.look(folder, {}, { clamd: narrow }), "disc.iso")).toMatch(/^unscannable: larger than/);
  });

  it("of 700 MB and more is read where it lies: a disk of 1 GiB with little on it", async () => {
    const image = fatImage(on.fresh("fat"), tree(), 16);
    const disk = partitioned(on.fresh("disk"), "dos", [{ image, type: "c" }]);
    const out = on.fresh("made");
    mkdirSync(out);
    copyFileSync(disk, join(out, "disk.img"));
    truncateSync(join(out, "disk.img"), 1024 * MIB);
    const body = await on.look(out, {}, { clamd });
    expect(told(body, "disk.img")).toBe(APART);
    expect(findings(body)["disk.img!/1/hello.txt"]).toBe("clean");
  }, 120_000);
});
