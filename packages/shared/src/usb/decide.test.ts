import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_USB, UsbSection } from "../policy/usb.ts";
import { decide, unlisted } from "./decide.ts";
import { type ManifestFile, manifestDigest, splitManifest } from "./manifest.ts";
import { ScanBody, type ScanFacts } from "./scan.ts";

const now = new Date("2026-11-24T12:00:00Z");
const scanner = { engine: "ClamAV 1.4.6", definitions: "27500", date: "2026-11-23T08:00:00Z" };

const file = (path: string, more: Partial<ManifestFile> = {}): ManifestFile => ({
  path,
  size: 1,
  md5: "0".repeat(32),
  sha256: "a".repeat(64),
  type: "text/plain",
  finding: "clean",
  ...more,
});
const facts = (manifest: ManifestFile[], more: Partial<ScanFacts> = {}): ScanFacts => ({ manifest, scanner, ...more });
const policy = (input: object) => UsbSection.parse(input);

const gap = (zeros: boolean) => ({ from: 512, bytes: 512, zeros });
const BESIDE = { outside: [gap(true), gap(false)] };
const IMAGE = { present: "image" };

describe("decide", () => {
  const infected = file("b.exe", { finding: "infected", detail: "Eicar" });
  const unscannable = file("c.zip", { finding: "unscannable", detail: "encrypted" });
  const rows: [string, ScanFacts, object, string, RegExp][] = [
    ["allows what is clean", facts([file("a")]), {}, "allow", /1 file, clean/],
    ["allows an empty medium that was scanned", facts([]), {}, "allow", /0 files/],
    ["blocks what is infected", facts([file("a"), infected]), {}, "block", /"b.exe" is infected \(Eicar\)/],
    ["holds what is infected where policy says so", facts([infected]), { infected: "hold" }, "hold", /infected/],
    ["holds what cannot be scanned", facts([unscannable]), {}, "hold", /encrypted/],
    ["lets infected win over unscannable", facts([unscannable, infected]), { unscannable: "allow" }, "block", /b.exe/],
    ["blocks the unscannable where policy says so", facts([unscannable]), { unscannable: "block" }, "block", /c.zip/],
    ["allows the unscannable where policy says so", facts([unscannable]), { unscannable: "allow" }, "allow", /c.zip/],
    ["holds everything without a scanner", facts([file("a")], { scanner: null }), {}, "hold", /no scanner/],
    ["holds an empty medium without a scanner", facts([], { scanner: null }), {}, "hold", /no scanner/],
    [
      "holds a partition that cannot be read, with nothing in the manifest",
      facts([], { partitions: [{ number: 2, table: "mbr", from: 0, bytes: 9, fileSystem: null }] }),
      {},
      "hold",
      /partition 2: no file system/,
    ],
    [
      "holds a reading that did not end",
      facts([file("a")], { problems: ["the reader was killed"] }),
      {},
      "hold",
      /killed/,
    ],
    [
      "holds on stale definitions",
      facts([file("a")], { scanner: { ...scanner, date: "2026-10-01T00:00:00Z" } }),
      {},
      "hold",
      /older than 14 days/,
    ],
    ["holds an image with bytes outside of partitions", facts([file("a")], BESIDE), IMAGE, "hold", /512 bytes outside/],
    ["not its copy", facts([file("a")], BESIDE), {}, "allow", /clean/],
    ["nor one with zeros there", facts([file("a")], { outside: [gap(true)] }), IMAGE, "allow", /clean/],
    ["as policy has it", facts([file("a")], BESIDE), { ...IMAGE, outside: "block" }, "block", /512 bytes outside/],
    ["also where it lets them go", facts([file("a")], BESIDE), { ...IMAGE, outside: "allow" }, "allow", /clean/],
    [
      "and whatever it lets go unscanned",
      facts([unscannable], BESIDE),
      { ...IMAGE, unscannable: "allow" },
      "hold",
      /512 bytes outside/,
    ],
    [
      "blocks a hash on the deny list whatever the scanner says",
      facts([file("a", { sha256: "b".repeat(64) })]),
      { denySha256: ["b".repeat(64)] },
      "block",
      /denied by hash/,
    ],
    [
      "blocks a denied type",
      facts([file("a", { type: "image/png" })]),
      { denyTypes: ["image/*"] },
      "block",
      /denied type/,
    ],
    ["only tells in audit mode", facts([infected]), { mode: "audit" }, "allow", /would block/],
  ];
  for (const [name, given, input, verdict, reason] of rows) {
    it(name, () => {
      const decision = decide(given, policy(input), now);
      expect(decision.verdict).toBe(verdict);
      expect(decision.reason).toMatch(reason);
      expect(ScanBody.safeParse({ ...given, ...decision }).success).toBe(true);
    });
  }

  it.each([
    ["infected", {}],
    ["infected", { mode: "audit" }],
    ["infected", { denySha256: ["1".repeat(64)] }],
    ["clean", { denyTypes: ["text/*"] }],
    ["unscannable", {}],
    ["unscannable", { mode: "audit" }],
  ] as const)("gives a reason that a record takes, whatever the names on the stick: %s, %j", (finding, input) => {
    for (const name of ["\u0001".repeat(255), "\u{1f4a3}".repeat(300), '"'.repeat(5_000)])
      for (const detail of ["", "\u0001".repeat(1_024), "\u{1f4a3}".repeat(500)]) {
        const found = file(name, { finding, detail, sha256: "1".repeat(64) });
        const given = facts([found, found], { problems: Array(3).fill(detail.slice(0, 512).toWellFormed()) });
        const decision = decide(given, policy(input), now);
        expect(ScanBody.safeParse({ ...given, ...decision }).error).toBeUndefined();
        expect(decision.reason.isWellFormed()).toBe(true);
      }
  });

  it("never allows under the default policy what holds one file that is not clean", () => {
    const findings = fc.array(fc.constantFrom("clean", "infected", "unscannable"), { maxLength: 20 });
    fc.assert(
      fc.property(findings, (list) => {
        const manifest = list.map((finding, at) => file(`f${at}`, { finding: finding as ManifestFile["finding"] }));
        const { verdict } = decide(facts(manifest), DEFAULT_USB, now);
        expect(verdict === "allow").toBe(list.every((finding) => finding === "clean"));
      }),
    );
  });
});

describe("a manifest", () => {
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

  it("has one digest whatever the order and the findings, and another when a size, a hash or a path differs", () => {
    const a = [file("a"), file("b", { finding: "infected" })];
    const digest = manifestDigest(a, sha256);
    expect(manifestDigest([file("b"), file("a")], sha256)).toBe(digest);
    for (const other of [{ size: 2 }, { sha256: "c".repeat(64) }, { path: "x" }, { partition: 1 }]) {
      expect(manifestDigest([a[0]!, { ...a[1]!, ...other }], sha256)).not.toBe(digest);
    }
  });

  it("is split into parts within the bound that add up to the whole", () => {
    const whole = Array.from({ length: 100 }, (_, at) => file(`f${at}`));
    const parts = splitManifest(whole, 2_000);
    expect(parts.length).toBeGreaterThan(5);
    expect(parts.flat()).toEqual(whole);
  });

  it("refuses a file with both spellings of its path, or none", () => {
    const { path: _, ...nameless } = file("a");
    expect(ScanBody.safeParse({ ...facts([nameless as ManifestFile]), verdict: "allow", reason: "" }).success).toBe(
      false,
    );
    const both = [file("a", { pathBase64: "YQ==" })];
    expect(ScanBody.safeParse({ ...facts(both), verdict: "allow", reason: "" }).success).toBe(false);
  });
});

it("says what an image holds that is in no listed file", () => {
  const read = { number: 1, table: "mbr" as const, from: 0, bytes: 9, fileSystem: "fat16" };
  const link = file("link", { sha256: null, type: "inode/symlink" });
  expect(unlisted(facts([file("a"), link], { partitions: [read], outside: [gap(true)] }))).toEqual([]);
  const lines = unlisted(
    facts([file("locked", { sha256: null, detail: "encrypted" })], {
      ...BESIDE,
      partitions: [read, { ...read, number: 2, fileSystem: null }],
      problems: ["the reader was killed"],
    }),
  );
  expect(lines).toEqual([
    "the reader was killed",
    "partition 2: no file system that the gate reads",
    expect.stringMatching(/512 bytes outside of its partitions, from byte 512/),
    '"locked" is not read whole (encrypted)',
  ]);
});
