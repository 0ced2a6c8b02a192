import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { heldBySize, readClamdConf } from "../clamd-conf.ts";
import { readAnswer, readFileAnswer, readVersion } from "./clamd.ts";

describe("clamd's answers", () => {
  it("are clean, infected, or say nothing; a limit is never either", () => {
    expect(readAnswer("stream: OK")).toEqual({ answer: "clean" });
    expect(readAnswer("stream: Win.Test.EICAR_HDB-1 FOUND")).toEqual({
      answer: "infected",
      signature: "Win.Test.EICAR_HDB-1",
    });
    expect(readAnswer("stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND")).toEqual({
      answer: "limit",
      detail: "the scanner says Heuristics.Limits.Exceeded.MaxFileSize",
    });
    for (const text of [
      "stream: Heuristics.Encrypted.Zip FOUND",
      "INSTREAM size limit exceeded. ERROR",
      "stream: Can't allocate memory ERROR",
      "stream: OK\nstream: OK",
      "other: OK",
      "",
    ]) {
      expect(readAnswer(text).answer, text).toBe("unsaid");
    }
  });

  it("of any other text is never clean", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(readAnswer(text).answer === "clean").toBe(text === "stream: OK");
      }),
    );
  });

  it("about a file name its path, and say nothing where they do not", () => {
    expect(readFileAnswer("/trays/1.a/7: OK", "7")).toEqual({ answer: "clean" });
    expect(readFileAnswer("/trays/1.a/7: A: B FOUND", "7")).toEqual({ answer: "infected", signature: "A: B" });
    expect(readFileAnswer("/trays/1.a/7: Heuristics.Encrypted.Zip FOUND", "7")?.answer).toBe("unsaid");
    for (const text of [
      "/trays/1.a/17: OK",
      "/trays/1.a/7: Excluded",
      "/trays/1.a/7: Access denied. ERROR",
      "/trays/1.a/7: OK\n/trays/1.a/7: OK",
      "/trays/1.a/7: Not supported file type ERROR\0/trays/1.a/7: OK",
      "7: OK",
      "stream: OK",
      "",
    ])
      expect(readFileAnswer(text, "7"), text).toBeNull();
  });

  it("name the engine and, where there are any, the definitions and their date", () => {
    expect(readVersion("ClamAV 1.4.6/27500/Mon Nov 23 08:25:31 2026")).toEqual({
      engine: "ClamAV 1.4.6",
      definitions: "27500",
      date: "2026-11-23T08:25:31.000Z",
    });
    expect(readVersion("ClamAV 1.4.6")).toEqual({ engine: "ClamAV 1.4.6", definitions: null, date: null });
    expect(readVersion("UNKNOWN COMMAND")).toBeNull();
    expect(readVersion("ClamAV 1.4.6/27500/nonsense")).toMatchObject({ definitions: "27500", date: null });
  });
});

describe("clamd.conf", () => {
  it("gives the least of its limits, and the strictest defaults", () => {
    expect(readClamdConf("")).toEqual({
      socket: null,
      database: "/var/lib/clamav",
      fileBytes: 25 * 1024 * 1024,
      scanMs: 120_000,
      shapes: {
        page: { bytes: 2 * 1024 * 1024, setting: "MaxHTMLNoTags" },
        text: { bytes: 5 * 1024 * 1024, setting: "MaxScriptNormalize" },
        program: { bytes: 10 * 1024 * 1024, setting: "MaxEmbeddedPE" },
      },
      limitsReported: false,
      remembers: true,
      doubts: [],
    });
    const text =
      "# LocalSocket /no\nLocalSocket /run/clamav/clamd.ctl\nStreamMaxLength 10M\nMaxFileSize 1G\nMaxScanSize 0\nMaxScanTime 0\nAlertExceedsMax true\nMaxHTMLNormalize 1M\nMaxScriptNormalize 0\nDisableCache yes\n";
    expect(readClamdConf(text)).toEqual({
      socket: "/run/clamav/clamd.ctl",
      database: "/var/lib/clamav",
      fileBytes: 10 * 1024 * 1024,
      scanMs: Number.MAX_SAFE_INTEGER,
      shapes: {
        page: { bytes: 2 ** 20, setting: "MaxHTMLNormalize" },
        text: { bytes: 2 * 1024 ** 3 - 1, setting: "MaxScriptNormalize" },
        program: { bytes: 10 * 1024 * 1024, setting: "MaxEmbeddedPE" },
      },
      limitsReported: true,
      remembers: false,
      doubts: [],
    });
  });

  it("is read as clamd does: of two the first, and without quotes", () => {
    const text =
      'MaxFileSize "5M"\nMaxFileSize 50M\nAlertExceedsMax no\nAlertExceedsMax yes\nScanPDF "no"\nScanPDF yes\n';
    expect(readClamdConf(text)).toMatchObject({ fileBytes: 5 * 1024 * 1024, limitsReported: false });
    expect(readClamdConf(text).doubts).toEqual([expect.stringContaining("ScanPDF no")]);
  });

  it("is doubted where it switches off what makes an OK mean something", () => {
    const doubted = (text: string) => readClamdConf(text).doubts.map((doubt) => /says (\w+)/.exec(doubt)![1]);
    const all = ["ScanPE", "ScanArchive", "ScanPDF", "ScanOLE2", "ScanMail", "ScanHTML", "HeuristicAlerts", "Bytecode"];
    expect(doubted(all.map((name) => `${name} no\n`).join(""))).toEqual(all);
    expect(doubted(all.map((name) => `${name} yes\n`).join(""))).toEqual([]);
    // names are no business of a stream
    expect(doubted("ScanPDF false\nExcludePath ^/proc/\nScanPartialMessages no\n")).toEqual(["ScanPDF"]);
    expect(doubted("MaxFiles 5\nMaxRecursion 4\n")).toEqual(["MaxFiles", "MaxRecursion"]);
    expect(doubted("MaxFiles 5\nMaxRecursion 4\nAlertExceedsMax yes\n")).toEqual([]);
    expect(doubted("MaxFiles 0\nMaxRecursion 17\n")).toEqual([]);
    // of these it says nothing with AlertExceedsMax either
    expect(doubted("PCREMatchLimit 100\nPCRERecMatchLimit 5000\nAlertExceedsMax yes\n")).toEqual(["PCREMatchLimit"]);
  });
});

it("the limits of a clamd.conf are said where ordinary files run into them, and not where they are wide", () => {
  expect(heldBySize(readClamdConf(""))).toMatch(
    /files beyond 25 MB, programs beyond 10 MB, pages beyond 2 MB, texts beyond 5 MB: docs/,
  );
  const all = (names: string[], size: string) => names.map((name) => `${name} ${size}\n`).join("");
  const whole = all(["StreamMaxLength", "MaxFileSize", "MaxScanSize", "PCREMaxFileSize"], "2000M");
  expect(heldBySize(readClamdConf(whole))).not.toMatch(/files beyond/);
  const kinds = all(["MaxHTMLNormalize", "MaxHTMLNoTags", "MaxScriptNormalize", "MaxEmbeddedPE"], "2000M");
  expect(heldBySize(readClamdConf(whole + kinds))).toBeUndefined();
});
