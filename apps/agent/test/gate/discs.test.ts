/** Discs that show one system something else than another: each tree, piece and descriptor is read, or told. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesSource } from "../../src/gate/reader/source.ts";
import { countdown, reason } from "../../src/gate/reader/volume.ts";
import { ALSO_UDF } from "../../src/gate/reader/volumes/iso.ts";
import { volumesIn } from "../../src/gate/reader/volumes/probe.ts";
import { MARKER } from "./clamd-server.ts";
import {
  alternate,
  childAt,
  compressed,
  type Disc,
  type DiscRecord,
  type DiscTree,
  discImage,
  discRecord,
  joliet,
  linkTo,
  mode,
  ROCK_RIDGE,
  SECTOR,
} from "./disc-writer.ts";
import { fatImage, isoImage, layOut } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, sh, told } from "./scanning.ts";

const absent = missing("clamd", "bwrap", "genisoimage", "xorriso", "mkfs.vfat", "mcopy", "mkudffs");

const BAD = `${MARKER}\n`;
const GOOD = "all is well\n";
/** By the blocks that `content` below fills. */
const good = (name: string | Buffer, more: Partial<DiscRecord> = {}): DiscRecord => ({
  name,
  block: 41,
  bytes: GOOD.length,
  ...more,
});
const bad = (name: string | Buffer, more: Partial<DiscRecord> = {}): DiscRecord => ({
  name,
  block: 40,
  bytes: BAD.length,
  ...more,
});
const content = { 40: BAD, 41: GOOD };
const root = (system: Buffer): DiscRecord => ({ name: "\0", block: 30, bytes: SECTOR, flags: 2, system });
const ROCK = root(Buffer.concat([ROCK_RIDGE, mode(0o40755)]));
const FILE = 0o100644;
const LINK = 0o120777;
const rock = (kind: number, name: string, ...more: Buffer[]) => ({
  system: Buffer.concat([mode(kind), alternate(name), ...more]),
});

/** What the reader makes of a disc: each file with its content, anything else by its kind, and what is wrong. */
function readImage(image: Buffer): { files: string[][]; problem: string | null } {
  const files: string[][] = [];
  let problem: string | null = null;
  for (const volume of volumesIn(bytesSource(image))) {
    problem = volume.problem ?? null;
    try {
      for (const { path, kind, content: bytes, problem: wrong } of volume.entries(countdown(1000)))
        files.push([path.toString(), wrong ?? bytes?.read(0, Math.min(bytes.size, 26)).toString().trim() ?? kind]);
    } catch (error) {
      problem ??= `its ${volume.fileSystem} ${reason(error)}`;
    }
  }
  return { files, problem };
}
const read = (disc: Disc) => readImage(discImage(disc));
const problem = (disc: Disc) => read(disc).problem;
const files = (disc: Disc) => read(disc).files;

describe("discs that are more than one", () => {
  const linked: Disc = {
    primary: {
      root: 30,
      folders: { 30: [ROCK, bad("BAD.TXT;1", rock(LINK, "bad.txt", linkTo("good.txt"))), good("GOOD.TXT;1")] },
    },
    joliet: { root: 31, folders: { 31: [bad(joliet("bad.txt;1")), good(joliet("good.txt;1"))] } },
    content,
  };

  it("what is a link or a folder in one tree is read where it is a file in the other", () => {
    expect(files(linked)).toContainEqual(["BAD.TXT", MARKER]);
    const folder: Disc = {
      primary: {
        root: 30,
        folders: { 30: [{ name: "DOCS", block: 45, bytes: SECTOR, flags: 2 }, good("GOOD.TXT;1"), ROCK], 45: [] },
        paths: [{ name: "DOCS", block: 45, parent: 1 }],
      },
      joliet: {
        root: 31,
        folders: { 31: [good(joliet("good.txt;1")), { name: joliet("setup.exe;1"), block: 45, bytes: SECTOR }] },
      },
      content,
    };
    expect(files(folder).map(([path]) => path)).toContain("setup.exe");
    // the other way round as well
    expect(
      files({
        ...folder,
        primary: { ...folder.primary, folders: { 30: [ROCK, ...folder.primary.folders[30]!.slice(0, 2)], 45: [] } },
      }).map(([path]) => path),
    ).toContain("setup.exe");
  });

  it("a file in pieces is another where its pieces begin alike and end elsewhere", () => {
    const disc: Disc = {
      primary: {
        root: 30,
        folders: {
          30: [
            ROCK,
            { name: "A.BIN;1", block: 50, bytes: 4096, flags: 0x80, ...rock(FILE, "a.bin") },
            { name: "A.BIN;1", block: 55, bytes: 100, ...rock(FILE, "a.bin") },
          ],
        },
      },
      joliet: {
        root: 31,
        folders: {
          31: [
            { name: joliet("b.bin;1"), block: 50, bytes: 2048, flags: 0x80 },
            { name: joliet("b.bin;1"), block: 55, bytes: 2148 },
          ],
        },
      },
      content: { 50: "g".repeat(4096), 55: "x".repeat(2148) },
    };
    expect(files(disc).map(([path]) => path)).toEqual(["a.bin", "b.bin"]);
  });

  it("the same files under both names are listed once, and what is empty too", () => {
    const disc: Disc = {
      primary: {
        root: 30,
        folders: {
          30: [
            ROCK,
            good("GOOD.TXT;1", rock(FILE, "good.txt")),
            good("L;1", { bytes: 0, ...rock(LINK, "l", linkTo("x")) }),
          ],
        },
      },
      joliet: { root: 31, folders: { 31: [good(joliet("good.txt;1")), good(joliet("l;1"), { bytes: 0 })] } },
      content,
    };
    expect(read(disc)).toEqual({
      files: [
        ["good.txt", GOOD.trim()],
        ["l", "link"],
      ],
      problem: null,
    });
  });

  const two: Disc = {
    primary: { root: 130, folders: { 130: [good("GOOD.TXT;1", { block: 141 })] } },
    joliet: { root: 131, folders: { 131: [bad(joliet("bad.txt;1"), { block: 140 })] } },
    content: { 140: BAD, 141: GOOD },
  };
  const BOTH = [
    ["bad.txt", MARKER],
    ["GOOD.TXT", GOOD.trim()],
  ];
  const marked = (mark: string): Buffer =>
    Buffer.concat([Buffer.from(mark, "latin1"), Buffer.alloc(SECTOR - mark.length)]);
  const junk = marked("\x07JUNK!\x01");
  const filler = marked("\0CD001\x01");

  it("a descriptor behind a sector that is none, or behind many, is read, and the first is told", () => {
    const told = "it has a descriptor behind a sector that is none, where some systems look and others do not";
    const behind: Disc = { ...two, order: (primary, other, end) => [primary, junk, other, end] };
    expect(read(behind)).toEqual({ files: BOTH, problem: told });
    const first = read({ ...two, order: (primary, _, end) => [junk, primary, end] });
    expect(first).toEqual({ files: [BOTH[1]], problem: told });
    for (const count of [70, 81]) {
      const many = {
        ...two,
        order: (p: Buffer, j: Buffer, end: Buffer) => [p, ...Array<Buffer>(count).fill(filler), j, end],
      };
      expect([count, read(many)]).toEqual([count, { files: BOTH, problem: null }]);
    }
    // behind the last descriptor come files; where there is none, what looks like one has to lead to a folder
    expect(read({ ...two, order: (p, j, end) => [p, end, junk, j] })).toEqual({ files: [BOTH[1]], problem: null });
    const elsewhere = (sector: Buffer) => {
      sector.writeUInt32LE(150, 158);
      return sector;
    };
    const none = { ...two, order: (p: Buffer, j: Buffer) => [p, junk, elsewhere(Buffer.from(j))] };
    expect(read(none)).toEqual({ files: [BOTH[1]], problem: null });
  });

  it("descriptors that count in blocks of different sizes, or primary ones that disagree, are told", () => {
    const sized = (sector: Buffer, block: number, root?: number): Buffer => {
      const other = Buffer.from(sector);
      other.writeUInt16LE(block, 128);
      if (root !== undefined) other.writeUInt32LE(root, 158);
      return other;
    };
    const disagree = "it has two primary descriptors that disagree";
    const small: Disc = { ...two, order: (primary, _, end) => [primary, sized(primary, 512), end] };
    expect(read(small)).toMatchObject({ files: expect.arrayContaining([BOTH[1]]), problem: disagree });
    expect(problem({ ...two, order: (primary, _, end) => [primary, sized(primary, SECTOR, 131), end] })).toBe(disagree);
    expect(problem({ ...two, order: (primary, other, end) => [primary, sized(other, 1024), end] })).toBe(
      "its descriptors disagree about the size of a block",
    );
    const twice = read({ ...two, order: (primary, _, end) => [primary, Buffer.from(primary), end] });
    expect(twice).toEqual({ files: [BOTH[1]], problem: null });
  });

  const sierra = marked(`${"\0".repeat(8)}\x01CDROM\x01`);
  sierra.writeUInt16LE(SECTOR, 136);
  discRecord({ name: "\0", block: 130, bytes: SECTOR, flags: 2 }).copy(sierra, 180);
  const sierraBeside: Disc = { ...two, order: (primary, _, end) => [primary, sierra, end] };
  const sierraAlone: Disc = { ...two, order: () => [sierra] };

  it("a High Sierra disc is told, alone and beside ISO 9660", () => {
    const alone = "a High Sierra file system, which the gate does not read";
    const too = "it is a High Sierra file system too, which the gate does not read";
    expect(problem(sierraBeside)).toBe(too);
    expect(problem({ ...two, order: (primary, _, end) => [primary, end, sierra] })).toBe(too);
    expect(problem(sierraAlone)).toBe(alone);
    expect(problem({ ...two, order: (_, __, end) => [filler, sierra, end] })).toBe(alone);
  });

  const far: Disc = {
    ...two,
    order: (p, _, end) => [p, ...Array<Buffer>(12).fill(filler), end, marked("\0NSR02\x01")],
  };

  it("a UDF disc is told, and apart where its mark lies behind more descriptors than 7z is asked about", () => {
    expect(problem({ ...two, order: (p, _, end) => [p, end, marked("\0BEA01\x01"), marked("\0NSR03\x01")] })).toBe(
      ALSO_UDF,
    );
    const wide = [marked("\0BEA01\x01"), junk, marked("\0NSR03\x01")];
    expect(problem({ ...two, order: (p, _, end) => [p, end, ...wide] })).toBe(ALSO_UDF);
    // where a sector has 4,096 bytes, Linux looks at each half of one
    expect(problem({ ...two, order: (p, _, end) => [p, junk, end, marked("\0NSR03\x01")] })).toBe(ALSO_UDF);
    expect(problem({ ...two, order: (p, _, end) => [p, end, junk, junk, marked("\0NSR03\x01")] })).toBe(null);
    const fillers = (count: number) => Array<Buffer>(count).fill(filler);
    const alone = { ...two, content: {}, order: () => [...fillers(100), marked("\0NSR02\x01")] };
    expect(problem(alone)).toBe("it is a UDF file system too, behind more descriptors than any disc has");
    expect(problem(far)).toBe("it is a UDF file system too, behind more descriptors than any disc has");
  });

  const docs = (block: number) => [{ name: "DOCS", block, parent: 1 }];
  const tree = (more: Partial<DiscTree>): DiscTree => ({
    root: 30,
    folders: {
      30: [{ name: "DOCS", block: 45, bytes: SECTOR, flags: 2 }],
      45: [good("GOOD.TXT;1")],
      46: [good("OTHER.TXT;1")],
    },
    paths: docs(45),
    ...more,
  });
  const astray: Disc = { primary: tree({ paths: docs(46) }), content: { 41: GOOD } };

  it("a path table that leads elsewhere than the folders is told, in each tree and by either order of bytes", () => {
    const other = "its iso9660 has a path table that leads to another folder than its folders do";
    expect(problem(astray)).toBe(other);
    expect(problem({ primary: tree({ bigPaths: docs(46) }), content })).toBe(other);
    const more = [...docs(45), { name: "MORE", block: 46, parent: 2 }];
    expect(problem({ primary: tree({ paths: more }), content })).toBe(other);
    const empty = { root: 31, folders: { 31: [] } };
    expect(problem({ primary: tree({}), joliet: { ...empty, paths: docs(46) }, content })).toBe(other);
    expect(problem({ primary: tree({ paths: [{ name: "DOCS", block: 45, parent: 7 }] }), content })).toBe(
      "its iso9660 has a path table that cannot be read: it names a folder before the one that holds it",
    );
    // one that leaves a folder out hides it and shows nothing else
    for (const paths of [docs(45), []])
      expect(read({ primary: tree({ paths }), content })).toEqual({
        files: [
          ["DOCS", "folder"],
          ["DOCS/GOOD.TXT", GOOD.trim()],
        ],
        problem: null,
      });
  });

  it("what Rock Ridge calls a link, a file or a folder is read as what it is without it too", () => {
    const folder: DiscRecord = { name: "DOCS", block: 45, bytes: SECTOR, flags: 2 };
    const disc = (...records: DiscRecord[]): Disc => ({
      primary: { root: 30, folders: { 30: [ROCK, ...records], 45: [good("GOOD.TXT;1")] } },
      content,
    });
    expect(files(disc(bad("BAD.TXT;1", rock(LINK, "there", linkTo("x")))))).toEqual([
      ["there", "link"],
      ["BAD.TXT", MARKER],
    ]);
    for (const kind of [LINK, FILE])
      expect(files(disc({ ...folder, ...rock(kind, "docs") })).map(([path]) => path)).toContain("docs/GOOD.TXT");
    const only = files(disc({ ...folder, flags: 0, ...rock(0o40755, "docs") })).map(([path]) => path);
    expect(only.sort()).toEqual(["DOCS", "docs", "docs/GOOD.TXT"]);
    // a mark behind another field is one to Linux
    const late = root(Buffer.concat([mode(0o40755), ROCK_RIDGE]));
    const moved = { system: Buffer.concat([childAt(45), alternate("docs")]) };
    const hidden: Disc = {
      primary: { root: 30, folders: { 30: [late, good("D;1", { bytes: 0, ...moved })], 45: [good("GOOD.TXT;1")] } },
      content,
    };
    expect(files(hidden).map(([path]) => path)).toEqual(["docs", "docs/GOOD.TXT"]);
  });

  it("a folder that records itself elsewhere, and pieces that disagree or do not end, are told", () => {
    const disc = (...records: DiscRecord[]): Disc => ({ primary: { root: 30, folders: { 30: records } }, content });
    const self = { name: "\0", block: 30, bytes: SECTOR, flags: 2 };
    const told = (...records: DiscRecord[]) => files(disc(...records)).map(([, what]) => what);
    expect(told({ ...self, block: 46 })).toEqual(["is a folder whose record of itself leads elsewhere"]);
    expect(told({ ...self, bytes: 2 * SECTOR })).toEqual(["is a folder whose record of itself leads elsewhere"]);
    expect(told({ ...self, flags: 0 })).toEqual(["is a folder whose record of itself or of its parent is no folder's"]);
    expect(told(bad("BAD.TXT;1", { flags: 0x80 }))).toEqual(["is a folder that ends before its last file's pieces do"]);
    const pieces = [whole("A.TXT;1"), good("B.TXT;1")];
    expect(told(...pieces)).toContain("is in pieces that disagree about its name or its kind");
    expect(told(whole("A.TXT;1"), good("A.TXT;1"))).toHaveLength(1);
  });

  const docsAt = (block: number, more: Partial<DiscRecord> = {}): DiscRecord => ({
    name: "DOCS",
    block,
    bytes: SECTOR,
    flags: 2,
    ...more,
  });
  const self = (block: number, ...system: Buffer[]): DiscRecord => ({
    ...docsAt(block),
    name: "\0",
    system: Buffer.concat(system),
  });
  /** A file of one whole block, of which more follows. */
  const whole = (name: string, more: Partial<DiscRecord> = {}) => good(name, { bytes: SECTOR, flags: 0x80, ...more });
  /** The bad file is in the folder at block 46, to which no record of a folder leads. */
  const hiding = (records: DiscTree["folders"][number], folders: DiscTree["folders"] = {}): Disc => ({
    primary: { root: 30, folders: { 30: records, 45: [good("GOOD.TXT;1")], 46: [bad("BAD.TXT;1")], ...folders } },
    content,
  });
  const way = good("D;1", { bytes: 0, system: childAt(46) });
  const after = (...fields: Buffer[]): DiscRecord => ({ ...way, system: Buffer.concat([...fields, childAt(46)]) });

  it("the way to a moved folder is gone wherever Linux takes one from", () => {
    const end = Buffer.from("ST\x04\x01");
    const short = Buffer.from("XX\x03");
    const unmarked = hiding([way]);
    const discs: [string, Disc][] = [
      ["no mark", unmarked],
      ["none, behind what a CD-ROM XA has", hiding([after(Buffer.alloc(14))])],
      ["behind an end", hiding([ROCK, after(end)])],
      ["behind a field of three bytes", hiding([ROCK, after(short)])],
      [
        "in a tree of Joliet alone",
        {
          ...unmarked,
          joliet: {
            root: 31,
            folders: {
              31: [
                { ...ROCK, block: 31 },
                { ...way, name: joliet("d;1") },
              ],
            },
          },
          order: (_, other, last) => [other, last],
        },
      ],
    ];
    for (const [what, disc] of discs) {
      const { files: found, problem: wrong } = read(disc);
      expect([what, wrong, found.filter(([, text]) => text === MARKER).length]).toEqual([what, null, 1]);
    }
  });

  it("a folder that is another one to Linux by its own record, by its record's pieces or by Rock Ridge is told", () => {
    const wrong = (...args: Parameters<typeof hiding>) =>
      files(hiding(...args))
        .map(([path, text]) => `${path}: ${text}`)
        .filter((line) => !/: (folder|all is well)$/.test(line));
    const other = "DOCS: is a folder whose record of itself or of its parent is another thing by Rock Ridge";
    for (const system of [childAt(46), mode(FILE), alternate("bad.txt")])
      expect(wrong([ROCK, docsAt(45)], { 45: [self(45, system), good("GOOD.TXT;1")] })).toEqual([other]);
    const up: DiscRecord = { name: "\x01", block: 46, bytes: SECTOR, flags: 2, system: alternate("hidden") };
    const places = "/: is a folder whose records of itself and of its parent are not the first ones";
    expect(wrong([ROCK, up])).toEqual([places]);
    const unlike = Buffer.concat([good("GOOD.TXT;1"), self(45)].map(discRecord));
    const first = discImage(hiding([docsAt(45)]));
    unlike.copy(first, 45 * SECTOR);
    expect(readImage(first).files.map(([, text]) => text)).toContain(places.slice(3));
    expect(wrong([docsAt(46, { flags: 0x82 }), docsAt(45)])).toEqual([
      "DOCS: is a folder in pieces, of which some systems read one",
      `DOCS/BAD.TXT: ${MARKER}`,
    ]);
    expect(wrong([ROCK, docsAt(46, { system: childAt(45) })])).toEqual([
      "DOCS: is a folder and by Rock Ridge the way to another one",
      `DOCS/BAD.TXT: ${MARKER}`,
    ]);
    const skipping = Buffer.from("SP\x07\x01\xbe\xef\x14", "latin1");
    const none = "DOCS: has a mark of Rock Ridge where none belongs";
    expect(wrong([ROCK, docsAt(45)], { 45: [self(45, skipping), good("GOOD.TXT;1")] })).toEqual([none]);
    expect(wrong([root(Buffer.concat([ROCK_RIDGE, skipping]))])).toEqual([
      "/: has a mark of Rock Ridge that is another one to some systems",
    ]);
    for (const kinds of [
      [mode(FILE), mode(0o40755)],
      [childAt(46), childAt(45)],
      [childAt(46), mode(FILE)],
    ])
      expect(wrong([ROCK, good("D;1", { bytes: 0, system: Buffer.concat(kinds) })])).toEqual([
        "/: has a record of which Rock Ridge says two things",
      ]);
  });

  it("pieces of which systems read other bytes, and content that some begin elsewhere, are told", () => {
    const told = (...records: DiscRecord[]) => files(hiding(records)).map(([, text]) => text);
    expect(told(good("A.TXT;1", { flags: 0x80 }), good("A.TXT;1"))).toContain(
      "is in pieces that end within a block, of which systems read different bytes",
    );
    const named = (name: string) => rock(FILE, name);
    expect(told(ROCK, whole("A;1", named("a")), good("A;1", named("b")))).toContain(
      "is in pieces that disagree about its name or its kind",
    );
    expect(told(ROCK, whole("A;1", { system: compressed(99) }), good("A;1"))).toContain("is compressed on the disc");
    expect(told(whole("A;1", { units: [1, 1] }), good("A;1"))).toContain("is interleaved");
    expect(told(docsAt(45, { units: [1, 1] }))).toContain("is interleaved");
    const many = (count: number) => files(hiding([docsAt(50, { bytes: 4 * SECTOR })], { 50: manyPieces(count) }));
    expect(many(101).map(([, text]) => text)).toContain("is in more than the 100 pieces that every system reads");
    expect(many(100).map(([path]) => path)).toEqual(["DOCS", "DOCS/A"]);
    for (const record of [good("A;1", { attributes: 1 }), docsAt(44, { attributes: 1 })])
      expect(told(record)).toContain(
        "has extended attributes before its content, which some systems take for its beginning",
      );
  });
  const manyPieces = (count: number): DiscTree["folders"][number] => {
    const piece = discRecord(whole("A;1"));
    const perBlock = Math.floor(SECTOR / piece.length);
    const pieces = Array.from({ length: count }, (_, at) =>
      at + 1 < count ? piece : discRecord(good("A;1", { bytes: SECTOR })),
    );
    const head = discRecord(self(50)).length + discRecord(good("\x01")).length;
    const bytes = Buffer.alloc(4 * SECTOR - head);
    let at = 0;
    for (const each of pieces) {
      // none lies across the end of a block
      if (((at + head) % SECTOR) + each.length > SECTOR) at += SECTOR - ((at + head) % SECTOR);
      each.copy(bytes, at);
      at += each.length;
    }
    expect(perBlock).toBeGreaterThan(30);
    return [{ ...self(50), bytes: 4 * SECTOR }, bytes];
  };

  it("what lies between a folder's records, or across the end of a block, is told", () => {
    const between = "is a folder with something between its records, which is one of them to some systems";
    // 7z goes on behind the zeros
    expect(files(hiding([Buffer.concat([Buffer.alloc(100), discRecord(bad("BAD.TXT;1"))])])).flat()).toContain(between);
    // of the record that Linux reads here, the first byte in the second block is 0
    const crossing = discRecord(bad("BAD.TXT;1"));
    crossing.fill(0, 28, 32);
    const head = discRecord(self(50)).length * 2;
    const empty = (length: number) => {
      const record = discRecord({ ...good("EMPTY;1"), bytes: 0, system: Buffer.alloc(length - 40) });
      expect(record.length).toBe(length);
      return record;
    };
    const room = SECTOR - 28 - head;
    const filled = [...Array<Buffer>(Math.floor(room / 100) - 1).fill(empty(100)), empty(100 + (room % 100))];
    const across: Disc = hiding([docsAt(50, { bytes: 2 * SECTOR })], {
      50: [{ ...self(50), bytes: 2 * SECTOR }, ...filled, crossing],
    });
    expect(files(across).flat()).toContain(between);
    expect(files(hiding([docsAt(50, { bytes: 2 * SECTOR })], { 50: [self(50), ...filled] })).flat()).not.toContain(
      between,
    );
  });

  it("continuations that many records share, or that are larger than a block, end, and a file of no bytes may lie anywhere", () => {
    const more = (bytes: number) => {
      const field = Buffer.alloc(28);
      field.write("CE\x1c\x01", "latin1");
      field.writeUInt32LE(60, 4);
      field.writeUInt32LE(bytes, 20);
      return field;
    };
    const again = { name: "A;1", block: 41, bytes: 1, system: more(SECTOR) };
    const dense = Buffer.concat([...Array<Buffer>(600).fill(Buffer.from("XX\x03")), more(SECTOR)]);
    const told = (records: DiscRecord[]) =>
      files({ primary: { root: 30, folders: { 30: records } }, content: { 60: dense } }).map(([, text]) => text);
    expect(told([again])).toEqual(["has a record that continues without end"]);
    expect(told([{ ...again, system: more(SECTOR + 1) }])).toEqual([
      "has a record that continues in more than a block",
    ]);
    expect(told([good("A;1", { block: 0xffff_ffff, bytes: 0 })])).toEqual([""]);
    const once = Buffer.concat([Buffer.from("XX\x03"), Buffer.alloc(9)]);
    const many = discImage({
      primary: { root: 30, folders: { 30: Array.from({ length: 20 }, () => ({ ...again, system: more(SECTOR) })) } },
      content: { 60: once },
    });
    expect(readImage(many.subarray(0, 100 * SECTOR)).files).toHaveLength(20);
    const cut = many.subarray(0, 61 * SECTOR);
    const few = Array.from({ length: 27 }, () => discRecord(again));
    for (const block of [31, 32, 33]) Buffer.concat(few).copy(cut, block * SECTOR);
    for (const at of [16 * SECTOR + 156, 30 * SECTOR]) cut.writeUInt32LE(4 * SECTOR, at + 10);
    expect(readImage(cut).files.map(([, text]) => text)).toContain("has a record that continues where many others do");
  });

  it("where a block has 512 bytes, records behind a gap are found in the next one, as Linux does", () => {
    const image = discImage({ primary: { root: 30, folders: { 30: [] } }, content: {} });
    const at = 16 * SECTOR;
    image.writeUInt16LE(512, at + 128);
    image.writeUInt32LE(120, at + 158);
    for (const table of [140, 148]) image.writeUInt32LE(0, at + table);
    const folder = [0, 1].map((name) => discRecord({ name: Buffer.from([name]), block: 120, bytes: SECTOR, flags: 2 }));
    image.fill(0, 30 * SECTOR, 31 * SECTOR);
    Buffer.concat(folder).copy(image, 30 * SECTOR);
    discRecord(bad("BAD.TXT;1", { block: 160 })).copy(image, 30 * SECTOR + 512);
    image.write(BAD, 160 * 512);
    expect(readImage(image)).toEqual({ files: [["BAD.TXT", MARKER]], problem: null });
  });

  describe.skipIf(absent !== null)("by the scan", () => {
    let on: Scanning;
    beforeAll(async () => {
      on = await scanning();
    });
    afterAll(() => on?.stop());

    it("a stick that is such a disc is held or blocked, and such a disc as a file is unscannable", async () => {
      const image = (disc: Disc): string => {
        const path = on.fresh("disc");
        writeFileSync(path, discImage(disc));
        return path;
      };
      expect(findings(await on.look(image(linked)))["BAD.TXT"]).toBe("infected");
      expect(await on.look(image(astray))).toMatchObject({
        verdict: "hold",
        reason: expect.stringMatching(/a path table that leads to another folder/),
      });
      const clean = { 140: GOOD, 141: GOOD };
      const made = { astray, sierra: sierraAlone, both: sierraBeside, far };
      const inside = Object.entries(made).map(([name, disc]) => [
        `${name}.iso`,
        discImage(disc === astray ? disc : { ...disc, content: clean }),
      ]);
      const body = await on.look(layOut(on.fresh("made"), Object.fromEntries(inside)));
      for (const name of Object.keys(made))
        expect([name, findings(body)[`${name}.iso`]]).toEqual([name, "unscannable"]);
    });

    it("UDF alone that 7z does not see, or that is another volume by sectors of another size, is unscannable", async () => {
      const folder = layOut(on.fresh("udf"), {});
      // Linux mounts the one by 512 bytes, 7z reads the one by 2,048
      sh(folder, "truncate -s 4M one.img && mkudffs -b 2048 one.img >/dev/null && cp one.img two.img");
      const two = readFileSync(join(folder, "two.img"));
      const anchor = two.subarray(256 * SECTOR, 256 * SECTOR + 512);
      anchor.copy(two, 256 * 512);
      writeFileSync(join(folder, "two.img"), two);
      const fillers = { ...far, content: {}, order: () => [...Array<Buffer>(12).fill(filler), marked("\0NSR02\x01")] };
      writeFileSync(join(folder, "far.iso"), discImage(fillers));
      const body = await on.look(folder);
      const found = findings(body);
      expect(["one.img", "two.img", "far.iso"].map((name) => found[name])).toEqual([
        "clean",
        "unscannable",
        "unscannable",
      ]);
      expect(told(body, "two.img")).toMatch(/a UDF file system by sectors of two sizes, of which systems choose$/);
    });
  });
});

describe.skipIf(absent !== null)("discs as people make them", () => {
  let on: Scanning;
  let tree: string;
  beforeAll(async () => {
    on = await scanning();
    const deep = "1/2/3/4/5/6/7/8/9/10/deep.txt";
    tree = layOut(on.fresh("tree"), {
      [deep]: "d",
      "a/same.txt": "s",
      "A long name, with ünïcode.text": "u",
      empty: "",
    });
    symlinkSync("a/same.txt", join(tree, "link"));
    symlinkSync("a", join(tree, "folder-link"));
  });
  afterAll(() => on?.stop());

  const FILES = ["1/2/3/4/5/6/7/8/9/10/deep.txt", "A long name, with ünïcode.text", "a/same.txt", "empty"];
  const clean = async (image: string, files = FILES) => {
    const body = await on.look(image);
    expect([image, body.verdict, body.reason]).toEqual([image, "allow", expect.anything()]);
    // links have no content
    const listed = body.manifest.filter(({ sha256 }) => sha256 !== null).map(({ path }) => path);
    expect([image, listed.sort()]).toEqual([image, [...files].sort()]);
  };
  const xorriso = (image: string, ...args: string[]): string => {
    execFileSync("xorriso", ["-outdev", `stdio:${image}`, "-joliet", "on", ...args], { stdio: "ignore" });
    return image;
  };

  it("with Rock Ridge, Joliet and folders moved for their depth, by genisoimage and xorriso, list each file once", async () => {
    await clean(isoImage(on.fresh("disc"), tree, "-R", "-J"));
    await clean(isoImage(on.fresh("disc"), tree, "-r", "-J", "-D", "-hide-rr-moved"));
    for (const flags of ["-R -J", "-R -J -iso-level 3", "-R -J -rr_reloc_dir moved"]) {
      sh(tree, `xorriso -as mkisofs -quiet ${flags} -o ${join(tree, "..", "made.iso")} .`);
      await clean(join(tree, "..", "made.iso"));
    }
    // a partition that is the same disc by another start
    sh(tree, `xorriso -as mkisofs -quiet -R -J -partition_offset 16 -o ${join(tree, "..", "made.iso")} .`);
    await clean(join(tree, "..", "made.iso"), [...FILES, ...FILES]);
  });

  it("written in several sessions list what the last one shows", async () => {
    const image = xorriso(on.fresh("disc"), "-map", tree, "/", "-commit");
    await clean(image);
    execFileSync("xorriso", ["-dev", `stdio:${image}`, "-rm_r", "/a", "--", "-commit"], { stdio: "ignore" });
    await clean(
      image,
      FILES.filter((name) => name !== "a/same.txt"),
    );
  });

  it("that lie on a small stick, so near to its start that their descriptors are in the disc's own places, are files", async () => {
    const inner = readFileSync(isoImage(on.fresh("disc"), tree, "-R", "-J"));
    for (const bits of [12, 16] as const) {
      const image = fatImage(on.fresh("fat"), layOut(on.fresh("tree"), { "disc.iso": inner }), bits);
      const sectors = readFileSync(image).subarray(16 * SECTOR, 100 * SECTOR);
      expect(sectors.includes("\x01CD001\x01")).toBe(true);
      const body = await on.look(image);
      expect([body.verdict, body.partitions?.map(({ fileSystem }) => fileSystem)]).toEqual(["allow", [`fat${bits}`]]);
    }
    mkdirSync(join(tree, "in"));
    writeFileSync(join(tree, "in", "disc.iso"), inner);
    expect((await on.look(isoImage(on.fresh("disc"), tree, "-R", "-J"))).verdict).toBe("allow");
  });
});
