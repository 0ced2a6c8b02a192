/** What clamd has seen inside of an archive is not shown to it again; which never makes clean what it would not call so by
 *  itself. Archives at random, whole and broken, are looked at both ways. */
import { deflateRawSync, gzipSync } from "node:zlib";
import { DEFAULT_USB } from "@sallyport/shared/policy/usb.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StartReader } from "../../src/dom0/confine.ts";
import { asker } from "../../src/gate/reader/content.ts";
import type { Order, Row, Unpackable } from "../../src/gate/reader/events.ts";
import { examiner } from "../../src/gate/reader/examine.ts";
import { bytesSource } from "../../src/gate/reader/source.ts";
import { scan } from "../../src/gate/scan.ts";
import { unpacksOf } from "../../src/gate/scanner-unpacks.ts";
import { type ClamdServer, MARKER, startClamd } from "./clamd-server.ts";
import { missing } from "./packages.ts";
import { type ZipMember, zipFile } from "./zip-writer.ts";

const ROUNDS = Number(process.env.VOUCHED_ROUNDS ?? 400);
const FILE_MS = 30_000;

describe.skipIf(missing("clamd") !== null)("a member of an archive that clamd has called clean", () => {
  let clamd: ClamdServer;
  beforeAll(async () => {
    clamd = await startClamd();
  });
  afterAll(() => clamd?.stop());

  /** Rows of the manifest, and how often the scanner was asked. */
  async function look(content: Buffer, unpacks: readonly Unpackable[], server: ClamdServer = clamd) {
    const order: Order = {
      target: { kind: "folder", path: "/" },
      clamd: { ...server, tray: null, unpacks },
      bounds: {
        files: 10_000,
        fileMs: FILE_MS,
        archives: { bytes: 1e9, ratio: 10_000, count: 10_000, depth: 4 },
      },
      lanes: 2,
      workDir: null,
      hashImage: false,
    };
    const real = asker(order.clamd, true, FILE_MS);
    let asked = 0;
    const rows: Row[] = [];
    const examine = examiner(
      order,
      {
        begin(size, vouched) {
          if (!vouched) asked += 1;
          return real.begin(size, vouched);
        },
      },
      (row) => rows.push(row),
      1e9,
    );
    const entry = { path: Buffer.from("a"), kind: "file" as const, size: content.length };
    await examine.entry({ ...entry, content: bytesSource(content) });
    const findings = rows.map(({ path, pathBase64, finding }) => `${path ?? pathBase64} ${finding}`).sort();
    return { rows, findings, asked };
  }

  it("is not asked about again, and has its own row; one that holds something is named", async () => {
    const members = ["one", "two", "three"].map((name) => ({ name, content: `this is ${name}\n` }));
    const zip = await look(zipFile(members), ["zip", "gzip"]);
    expect(zip.asked).toBe(1);
    expect(zip.findings).toEqual(["a clean", "a!/one clean", "a!/three clean", "a!/two clean"]);
    expect(zip.rows.every(({ sha256 }) => sha256 !== null)).toBe(true);
    expect((await look(gzipSync(zipFile(members)), ["zip", "gzip"])).asked).toBe(1);
    expect((await look(gzipSync(zipFile(members)), ["gzip"])).asked).toBe(4);
    expect((await look(zipFile(members), [])).asked).toBe(4);
    const bad = await look(zipFile([...members, { name: "bad", content: MARKER }]), ["zip", "gzip"]);
    expect(bad.asked).toBe(5);
    expect(bad.findings).toContain("a!/bad infected");
    expect(bad.findings).toContain("a!/one clean");
  });

  it("is asked about where the archive has another reading, or clamd passes over such a file", async () => {
    const members = [{ name: "one", content: "this is one\n" }];
    expect((await look(zipFile(members, { comment: "later" }), ["zip"])).asked).toBe(2);
    expect((await look(zipFile(members, { before: Buffer.alloc(40) }), ["zip"])).asked).toBe(2);
    expect((await look(Buffer.concat([Buffer.alloc(9), zipFile(members)]), ["zip"])).asked).toBe(2);
    const sound = {
      name: "sound",
      content: Buffer.concat([Buffer.from("ID3"), Buffer.alloc(500), Buffer.from(MARKER)]),
    };
    const passed = await look(zipFile([sound]), ["zip"]);
    expect(passed.asked).toBe(2);
    expect(passed.findings).toEqual(["a infected", "a!/sound infected"]);
  });

  describe("whose sizes clamd and others look for in different places", () => {
    const MEMBER = { name: "bad", content: MARKER };
    const packed = deflateRawSync(MARKER);
    /** Both sizes, as in a header's wide field. */
    const sizes = Buffer.alloc(20);
    sizes.set([1, 0, 16]);
    sizes.writeUInt32LE(MARKER.length, 4);
    sizes.writeUInt32LE(packed.length, 12);
    const FULL = 0xffff_ffff;
    const written = (local: number | null, central: number | null, more: Partial<ZipMember> = {}): Buffer => {
      const bytes = zipFile([{ ...MEMBER, ...more }]);
      const directory = bytes.indexOf("PK\x01\x02");
      for (const at of [0, 4]) if (local !== null) bytes.writeUInt32LE(local, 18 + at);
      for (const at of [0, 4]) if (central !== null) bytes.writeUInt32LE(central, directory + 20 + at);
      return bytes;
    };
    it.each<[string, Buffer]>([
      ["in the local header there are none", written(0, null)],
      ["in the local header they are full, with nothing behind that", written(FULL, null)],
      ["in both headers they are wide", written(FULL, FULL, { localExtra: sizes, centralExtra: sizes })],
      [
        "in the directory they are wide, and behind the member",
        written(null, FULL, { streamed: true, centralExtra: sizes }),
      ],
    ])("is asked about: %s", async (_, content) => {
      const found = await look(content, ["zip", "gzip"]);
      expect([found.asked, found.findings]).toEqual([2, ["a infected", "a!/bad infected"]]);
    });
  });

  describe("in an archive that clamd takes for something else by a mark further in", () => {
    const bad = { name: "bad", content: MARKER };
    const named = (name: string) => zipFile([{ ...bad, name }]);
    const packed = gzipSync(MARKER);
    /** With what its header has from the fifth byte on, and a name. */
    const gz = (header: Buffer, name: string) =>
      Buffer.concat([
        packed.subarray(0, 3),
        Buffer.from([8]),
        header,
        Buffer.from(`${name}\0`, "latin1"),
        packed.subarray(10),
      ]);
    const plain = packed.subarray(4, 10);
    it.each<[string, Buffer]>([
      ["a tar by a member's name", named(`${"n".repeat(257 - 30)}ustar`)],
      ["a GPT by a member's name", named(`${"n".repeat(512 - 30)}EFI PART`)],
      [
        "a tar by another member",
        zipFile([{ name: "first", content: `${"f".repeat(257 - 35)}ustar  `, stored: true }, bad]),
      ],
      ["a tar by a gzip's name", gz(plain, `${"n".repeat(257 - 10)}ustar`)],
      ["a GPT by a gzip's name", gz(plain, `${"n".repeat(512 - 10)}EFI PART`)],
      ["a document by a gzip's time and name", gz(Buffer.from("d0cf11e0a1b1", "hex"), "\x1a\xe1")],
    ])("is asked about: %s", async (_, content) => {
      for (const whole of [content, zipFile([{ name: "in", content, stored: true }]), gzipSync(content)])
        expect((await look(whole, ["zip", "gzip"])).findings).toContain("a infected");
    });

    it("which a tar that is packed itself does not make of it", async () => {
      const block = Buffer.alloc(512);
      block.write("hello.txt");
      block.write("0000644\x000000000\x000000000\x0000000000006\x0000000000000\x00        0", 100, "latin1");
      block.write("ustar\x0000", 257, "latin1");
      const sum = block.reduce((had, byte) => had + byte, 0);
      block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
      const tar = Buffer.concat([block, Buffer.from("hello\n".padEnd(512, "\0")), Buffer.alloc(1024)]);
      const found = await look(gzipSync(tar), ["zip", "gzip"]);
      expect(found.findings).toEqual(["a clean", "a!/a clean", "a!/a!/hello.txt clean"]);
      // the gzip, and the file in the tar, which vouches for nothing
      expect(found.asked).toBe(2);
    });
  });

  it("is asked about where clamd may have kept the archive's answer from a twin of the same MD5", async () => {
    const told: unknown[] = [];
    for (const DisableCache of ["yes", "no"]) {
      const server = await startClamd({ DisableCache });
      const start: StartReader = async ({ clamd: given }) => {
        told.push([DisableCache, given?.unpacks]);
        throw new Error("that is all that is asked");
      };
      const options = { policy: DEFAULT_USB, clamd: server, start, now: () => new Date(), lanes: 1 };
      await expect(scan("stick.img", options)).rejects.toThrow("that is all that is asked");
      await server.stop();
    }
    expect(told).toEqual([
      ["yes", ["zip", "gzip"]],
      ["no", []],
    ]);
  });

  it("is so by clamd's own word: one that looks into no archives, or knows no test file, vouches for nothing", async () => {
    expect(await unpacksOf(clamd.socket)).toEqual(["zip", "gzip"]);
    const blind = await startClamd({ ScanArchive: "no" });
    expect(await unpacksOf(blind.socket)).toEqual([]);
    await blind.stop();
    expect(await unpacksOf(blind.socket)).toEqual([]);
  });

  const deep = (levels: number, content: string): Buffer =>
    levels === 0 ? Buffer.from(content) : zipFile([{ name: "in", content: deep(levels - 1, content) }]);
  const wide = (count: number): Buffer =>
    zipFile(
      Array.from({ length: count }, (_, at) => ({ name: `${at}`, content: at === count - 1 ? MARKER : `${at}\n` })),
    );
  const long = zipFile([
    ...Array.from({ length: 9 }, (_, at) => ({ name: `${at}`, content: Buffer.alloc(300_000, at) })),
    { name: "last", content: MARKER },
  ]);
  it.each<[string, Record<string, string>, Buffer]>([
    ["of members", { MaxFiles: "5" }, wide(12)],
    ["of depth", { MaxRecursion: "3" }, deep(4, MARKER)],
    ["of bytes in all", { MaxScanSize: "1M" }, long],
    [
      "of bytes of one",
      { MaxFileSize: "200K" },
      zipFile([{ name: "a", content: Buffer.concat([Buffer.alloc(210_000), Buffer.from(MARKER)]) }]),
    ],
  ])("past a limit %s inside of the archive is asked about", async (_, limit, content) => {
    const server = await startClamd(limit);
    try {
      const kinds = await unpacksOf(server.socket);
      expect(kinds).toEqual(["zip", "gzip"]);
      const found = await look(content, kinds, server);
      expect(found.findings).toEqual((await look(content, [], server)).findings);
      expect(found.findings).not.toContain("a clean");
    } finally {
      await server.stop();
    }
  });

  it(`is found the same as if it were asked about: ${ROUNDS} archives at random`, async () => {
    const seed = Number(process.env.VOUCHED_SEED ?? Date.now() % 1e9);
    const random = generator(seed);
    let vouched = 0;
    let infected = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const content = broken(random, archive(random, 0));
      const without = await look(content, []);
      const with_ = await look(content, ["zip", "gzip"]);
      expect(with_.findings, `seed ${seed}, round ${round}: ${content.toString("base64").slice(0, 4_000)}`).toEqual(
        without.findings,
      );
      if (with_.asked < without.asked) vouched += 1;
      if (without.findings.some((line) => line.endsWith(" infected"))) infected += 1;
    }
    expect(vouched, `seed ${seed}`).toBeGreaterThan(ROUNDS / 20);
    expect(infected, `seed ${seed}`).toBeGreaterThan(ROUNDS / 20);
  }, 3_600_000);
});

type Random = (below: number) => number;
function generator(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const HEADS = ["", "", "", "ID3", "OggS", "<html>", "%PDF-1.4\n", "MZ", "#!/bin/sh\n", "PK\x03\x04", "\x1f\x8b\x08"];
const NAMES = [
  "a.txt",
  "../a",
  "b/",
  "b/c.txt",
  "x".repeat(255),
  `${"x".repeat(227)}ustar`,
  `${"x".repeat(482)}EFI PART`,
  "\0",
  "n\nn",
  "a.txt",
  "word/document.xml",
  "META-INF/x",
];

function leaf(random: Random): Buffer {
  const filling =
    random(3) === 0 ? Buffer.alloc(random(3_000)) : Buffer.from(`${random(1e9)} some words\n`.repeat(random(200)));
  const bad = random(8) === 0 ? MARKER : "";
  return Buffer.concat([Buffer.from(HEADS[random(HEADS.length)]!, "latin1"), filling, Buffer.from(bad), filling]);
}

function archive(random: Random, depth: number): Buffer {
  const inner = (): Buffer => (depth < 3 && random(4) === 0 ? archive(random, depth + 1) : leaf(random));
  if (random(3) === 0)
    return Buffer.concat(Array.from({ length: 1 + Number(random(6) === 0) }, () => gzipSync(inner())));
  const members = Array.from({ length: random(5) }, (): ZipMember => {
    const name = random(3) === 0 ? NAMES[random(NAMES.length)]! : `f${random(1e6)}`;
    const extra = random(6) === 0 ? { localExtra: Buffer.from([1, 0x99, 2, 0, 7, 7]) } : {};
    return { name, content: inner(), stored: random(3) === 0, streamed: random(3) === 0, ...extra };
  });
  return zipFile(members, random(8) === 0 ? { comment: "c".repeat(random(30)) } : {});
}

/** Half of them as they are; of the others some bytes are changed, taken away or doubled. */
function broken(random: Random, content: Buffer): Buffer {
  if (random(2) === 0 || content.length < 8) return content;
  let bytes = Buffer.from(content);
  for (let times = 1 + random(3); times > 0; times--) {
    // headers are where readings part: near the start, or in the directory
    const at =
      random(2) === 0 ? random(Math.min(80, bytes.length)) : bytes.length - 1 - random(Math.min(160, bytes.length));
    const kind = random(7);
    // what stands for nothing, and for "elsewhere", in fields of sizes and places
    if (kind === 6) bytes.fill(random(2) * 0xff, at, Math.min(bytes.length, at + 4 * (1 + random(3))));
    else if (kind < 3) bytes[at] = random(256);
    else if (kind === 3) bytes[at] = bytes[at]! ^ (1 << random(8));
    else if (kind === 4) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(4))]);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - random(40)))]);
  }
  return bytes;
}
