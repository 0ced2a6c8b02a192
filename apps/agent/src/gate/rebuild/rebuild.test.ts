/** The fresh file system, read back by the gate's own readers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { partitions } from "../reader/partitions.ts";
import { bytesSource, slice } from "../reader/source.ts";
import { countdown } from "../reader/volume.ts";
import { exfat } from "../reader/volumes/exfat.ts";
import { exfatLayout, imageBytesMax, upper } from "./exfat.ts";
import { aroundNumber, NAME_UNITS_MAX, safeName, safeParts } from "./names.ts";
import { emptyFolder, place } from "./tree.ts";

const stamp = { label: "SALLYPORT", serial: 0x1234_5678, timeMs: Date.parse("2026-11-24T08:46:00.000Z") };

type Files = ReadonlyMap<string, Buffer>;

function build(files: Files): { image: Buffer; names: ReadonlyMap<string, string> } {
  const root = emptyFolder<Buffer>();
  const names = new Map<string, string>();
  let bytes = 0;
  for (const [path, content] of files) {
    names.set(path, place(root, safeParts(Buffer.from(path)), content.length, content));
    bytes += content.length;
  }
  const layout = exfatLayout(root, bytes, stamp);
  expect(layout.bytes).toBeLessThanOrEqual(imageBytesMax(bytes, files.size));
  const image = Buffer.alloc(layout.bytes);
  layout.write((at, part) => image.set(part, at));
  for (const { file, at } of layout.files) image.set(file, at);
  return { image, names };
}

function readBack(image: Buffer): Map<string, Buffer> {
  const source = bytesSource(image);
  const tables = partitions(source);
  expect(tables.problems).toEqual([]);
  const [only, ...more] = tables.partitions;
  expect(more).toEqual([]);
  const volume = exfat(slice(source, only!.from, only!.bytes))!;
  expect(volume.problem).toBeUndefined();
  const found = new Map<string, Buffer>();
  for (const { path, kind, content, problem } of volume.entries(countdown(100_000))) {
    expect(problem).toBeUndefined();
    if (kind === "file")
      found.set(path.toString("utf8"), content!.size === 0 ? Buffer.alloc(0) : content!.read(0, content!.size));
  }
  return found;
}

describe("a fresh file system", () => {
  it("holds the files under their names, empty ones and folders too", () => {
    const files = new Map([
      ["a.txt", Buffer.from("a")],
      ["empty", Buffer.alloc(0)],
      ["folder/deep/b.bin", Buffer.alloc(10_000, 7)],
    ]);
    expect(readBack(build(files).image)).toEqual(files);
  });
  it("of nothing is an empty one", () => {
    expect(readBack(build(new Map()).image).size).toBe(0);
  });
  it("gives back whatever was put in, byte for byte, each under a name of its own", () => {
    const name = fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 9_000 })), { maxLength: 12 }), (made) => {
        const files: Files = new Map(made.map(([path, bytes]) => [path, Buffer.from(bytes)]));
        const { image, names } = build(files);
        const found = readBack(image);
        expect(found.size).toBe(files.size);
        for (const [path, content] of files) expect(found.get(names.get(path)!)).toEqual(content);
        expect(new Set([...found.keys()].map(upper)).size).toBe(found.size);
      }),
      { numRuns: 60 },
    );
  });
  it("has many files in one folder", () => {
    const files = new Map(Array.from({ length: 3_000 }, (_, at) => [`file ${at}`, Buffer.from(String(at))]));
    expect(readBack(build(files).image).size).toBe(3_000);
  });
});

describe("a name", () => {
  it.each([
    ["two\nlines", "two_lines"],
    ["\u202etxt.exe", "_txt.exe"],
    ["\u001b[31mred", "_[31mred"],
    ["..", "__"],
    ["what?.", "what__"],
    ["CON.txt", "_CON.txt"],
    ["e\u0301", "\u00e9"],
    ["", "_"],
    ["plain name.pdf", "plain name.pdf"],
  ])("%j becomes %j", (from, to) => {
    expect(safeName(from)).toBe(to);
  });
  it("keeps its extension when it is cut", () => {
    const cut = safeName(`${"x".repeat(400)}.docx`);
    expect([cut.length, cut.slice(-5)]).toEqual([NAME_UNITS_MAX, ".docx"]);
  });
  it("that is no Unicode, or climbs, stays in its folder", () => {
    expect(safeParts(Buffer.from([0x61, 0xff, 0x2f, 0x62]))).toEqual(["a_", "b"]);
    expect(safeParts(Buffer.from("../../etc//passwd"))).toEqual(["__", "__", "etc", "passwd"]);
  });
  it("whatever it was, is one that a guest can have", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const parts = safeParts(Buffer.from(bytes));
        expect(parts.length).toBeGreaterThan(0);
        for (const part of parts) {
          expect(part.length).toBeGreaterThan(0);
          expect(part.length).toBeLessThanOrEqual(NAME_UNITS_MAX);
          expect(part).not.toMatch(/[\u0000-\u001f"*/:<>?\\|\u202e]|[. ]$/);
          expect(part.isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });
  it("like another is numbered, whatever its case", () => {
    const root = emptyFolder<number>();
    expect(["A.txt", "a.TXT", "a.txt/b", "A.txt"].map((path, at) => place(root, path.split("/"), 0, at))).toEqual([
      "A.txt",
      "a (2).TXT",
      "a (3).txt/b",
      "A (4).txt",
    ]);
  });
  it("like another with an ending that is nearly all of it is cut as a whole", () => {
    const root = emptyFolder<number>();
    const long = "b".repeat(253);
    const names = [`a.${long}`, `A.${long}`, `a.${long}`].map((name, at) => place(root, [name], 0, at));
    expect(names).toEqual([`a.${long}`, `A.${long.slice(4)} (2)`, `a.${long.slice(4)} (3)`]);
  });
  it("like another keeps a long ending where there is room for it", () => {
    const root = emptyFolder<number>();
    const name = "Mr. Jones and the others came late";
    expect([name, name].map((each, at) => place(root, [each], 0, at))).toEqual([
      name,
      "Mr (2). Jones and the others came late",
    ]);
  });
  it("has no blank at its end where it was cut", () => {
    expect(safeName(`${"x".repeat(254)} ${"y".repeat(20)}`)).toBe(`${"x".repeat(254)}_`);
  });
  it("with a number, whatever it was, is one that a guest can have", () => {
    const unit = fc.constantFrom("x", ".", " ", "\u{1f4be}", "\u00e9", "x".repeat(200), "y".repeat(120), ".tar", ".gz");
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), fc.integer({ min: 1, max: 7 }), (units, digits) => {
        const { before, after } = aroundNumber(safeName(units.join("")), digits);
        const name = `${before}${"9".repeat(digits)}${after}`;
        expect(name.length).toBeLessThanOrEqual(NAME_UNITS_MAX);
        expect(name).not.toMatch(/[. ]$/);
        expect(name.isWellFormed()).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("names that become one", () => {
  /** Asked of all folders of a tree, how often what they hold was looked up. */
  class Counted<V> extends Map<string, V> {
    static looks = 0;
    override get(key: string): V | undefined {
      Counted.looks += 1;
      return super.get(key);
    }
  }
  const countedFolder = () => ({
    ...emptyFolder<number>(),
    taken: new Counted<null>(),
    counted: new Counted<number>(),
  });
  /** Counts from 1 for each name, as it reads in a docstring. */
  function slowly() {
    const taken = new Map<string, "file" | "folder">();
    const first = (folder: string, wanted: string, isFit: (kind: string | undefined) => boolean) => {
      for (let number = 1; ; number++) {
        const { before, after } = aroundNumber(wanted, String(number).length);
        const name = number === 1 ? wanted : `${before}${number}${after}`;
        if (isFit(taken.get(upper(folder + name)))) return name;
      }
    };
    return (parts: readonly string[]): string => {
      let folder = "";
      for (const part of parts.slice(0, -1)) {
        folder += first(folder, part, (kind) => kind !== "file");
        taken.set(upper(folder), "folder");
        folder += "/";
      }
      const name = first(folder, parts.at(-1)!, (kind) => kind === undefined);
      taken.set(upper(folder + name), "file");
      return folder + name;
    };
  }

  it("get the numbers that counting from 1 for each of them gives", () => {
    const long = "z".repeat(NAME_UNITS_MAX - 1);
    const part = fc.constantFrom(
      "a",
      "A",
      "a (2)",
      "A (3)",
      "a.b",
      "a (2).b",
      "A.B",
      `${long}a`,
      `${long}b`,
      `${long}B`,
    );
    fc.assert(
      fc.property(fc.array(fc.array(part, { minLength: 1, maxLength: 3 }), { maxLength: 60 }), (paths) => {
        const root = emptyFolder<number>();
        const bySlow = slowly();
        // a folder is called as the first that wanted it
        expect(paths.map((parts, at) => upper(place(root, parts, 0, at)))).toEqual(paths.map(bySlow).map(upper));
      }),
      { numRuns: 300 },
    );
  });
  const FILES = 20_000;
  const long = "z".repeat(240);
  it.each<[string, (at: number) => string[]]>([
    ["one name", () => ["________"]],
    ["one name in two cases, with an ending", (at) => [at % 2 === 0 ? "a.txt" : "A.TXT"]],
    ["the folders and files of one name", (at) => (at % 2 === 0 ? ["a", "a"] : ["a"])],
    ["names that have the numbers already", (at) => [at % 2 === 0 ? `a (${at})` : "a"]],
    ["long names that are alike once there is a number in them", (at) => [`${long}${10_000_000 + (at >> 1)}`]],
    ["folders of long names that are alike so", (at) => [`${long}${10_000_000 + (at >> 1)}`, ...(at % 2 ? ["a"] : [])]],
    ["deep ones", (at) => [...Array.from({ length: 30 }, (_, depth) => (at % 7 === depth ? "A" : "a")), "a"]],
    ["wide ones", (at) => [`folder ${at % 1_000}`, "a"]],
  ])("are numbered with a few looks each: %s", (_, partsOf) => {
    Counted.looks = 0;
    const root = countedFolder();
    const names = new Set(Array.from({ length: FILES }, (_, at) => upper(place(root, partsOf(at), 0, at))));
    expect(names.size).toBe(FILES);
    expect(Counted.looks).toBeLessThan(20 * FILES);
  });
});
