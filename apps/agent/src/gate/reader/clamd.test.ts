import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { heldBySize, readClamdConf } from "../clamd-conf.ts";
import { fileAsker, readAnswer, readFileAnswer, readVersion } from "./clamd.ts";

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
    expect(readFileAnswer("3: /trays/1.a/7: OK", 3, "7")).toEqual({ answer: "clean" });
    expect(readFileAnswer("3: /trays/1.a/7: A: B FOUND", 3, "7")).toEqual({ answer: "infected", signature: "A: B" });
    expect(readFileAnswer("3: /trays/1.a/7: Heuristics.Encrypted.Zip FOUND", 3, "7")?.answer).toBe("unsaid");
    for (const text of [
      "3: /trays/1.a/17: OK",
      "2: /trays/1.a/7: OK",
      "13: /trays/1.a/7: OK",
      "/trays/1.a/7: OK",
      "3: /trays/1.a/7: Excluded",
      "3: /trays/1.a/7: Access denied. ERROR",
      "3: /trays/1.a/7: OK\n3: /trays/1.a/7: OK",
      "3: /trays/1.a/7: Not supported file type ERROR\0/trays/1.a/7: OK",
      "3: 7: OK",
      "stream: OK",
      "",
    ])
      expect(readFileAnswer(text, 3, "7"), text).toBeNull();
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

describe("a session with clamd", () => {
  /** `answer` gives what is said to the nth question of a connection; null: nothing. */
  async function pretend(answer: (name: string, id: number, from: Socket) => string | null) {
    const path = join(mkdtempSync(join(tmpdir(), "sallyport-session-")), "clamd");
    let connections = 0;
    let closed = 0;
    const server = createServer((from) => {
      connections += 1;
      from.on("close", () => {
        closed += 1;
      });
      let id = 0;
      let begun = "";
      from.on("error", () => {});
      from.on("data", (bytes) => {
        begun += bytes.toString("latin1");
        for (let stop = begun.indexOf("\0"); stop >= 0; stop = begun.indexOf("\0")) {
          const command = begun.slice(0, stop);
          begun = begun.slice(stop + 1);
          if (command === "zIDSESSION") continue;
          const said = answer(command.replace("zSCAN ", ""), ++id, from);
          if (said !== null) from.write(said);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => {
      server.close();
      rmSync(dirname(path), { recursive: true, force: true });
    });
    return { path, connections: () => connections, closed: () => closed };
  }
  const honest = (name: string, id: number) => `${id}: /trays/1.a/${name}: ${name === "9" ? "Bad FOUND" : "OK"}\0`;
  const clean = { answer: "clean" };

  it("is asked one file after another, and opened once for each that is asked at the same time", async () => {
    const { path, connections } = await pretend(honest);
    const { ask } = fileAsker(path);
    for (const name of ["1", "9", "2"])
      expect(await ask(name, 5_000)).toEqual(name === "9" ? { answer: "infected", signature: "Bad" } : clean);
    expect(connections()).toBe(1);
    await Promise.all(["1", "2", "3"].map((name) => ask(name, 5_000)));
    expect(connections()).toBe(3);
    for (const name of ["1", "2", "3", "4"]) await ask(name, 5_000);
    expect(connections()).toBe(3);
  });

  it("gives up one that waits for a file where a stream needs the room", async () => {
    const { path, connections, closed } = await pretend(honest);
    const files = fileAsker(path);
    await Promise.all(["1", "2"].map((name) => files.ask(name, 5_000)));
    files.makeRoom();
    await expect.poll(closed).toBe(1);
    expect(await Promise.all(["1", "2"].map((name) => files.ask(name, 5_000)))).toEqual([clean, clean]);
    expect(connections()).toBe(3);
  });

  it("is opened again where clamd has hung up on a silent one, and only then", async () => {
    const { path, connections } = await pretend((name, id, from) => {
      if (id > 1 || name === "7") from.destroy();
      return id > 1 || name === "7" ? null : honest(name, id);
    });
    const { ask } = fileAsker(path);
    expect([await ask("1", 5_000), await ask("2", 5_000), await ask("3", 5_000)]).toEqual([clean, clean, clean]);
    expect(connections()).toBe(3);
    expect(await ask("7", 5_000)).toEqual({ answer: "gone", detail: "the scanner hung up without an answer" });
    expect(connections()).toBe(4);
  });

  it("takes nothing for an answer that was said before the question, of another question, or twice", async () => {
    const other = await pretend((name, id) => `${honest(name, id)}${honest(name, id + 1)}`);
    const { ask } = fileAsker(other.path);
    expect(await ask("1", 5_000)).toEqual(clean);
    // a session that said more than was asked is over: the next question has one of its own
    expect(await ask("1", 5_000)).toEqual(clean);
    expect(other.connections()).toBe(2);
    const late = await pretend((name, id) => honest(name, id - 1));
    expect(await fileAsker(late.path).ask("1", 5_000)).toBeNull();
    const long = await pretend(() => "x".repeat(10_000));
    expect(await fileAsker(long.path).ask("1", 5_000)).toBeNull();
  });

  it("that gives no answer in time, or is not there, is gone", async () => {
    const silent = await pretend(() => null);
    expect(await fileAsker(silent.path).ask("1", 50)).toMatchObject({
      answer: "gone",
      detail: expect.stringMatching(/no answer/),
    });
    expect(await fileAsker(`${silent.path}.absent`).ask("1", 5_000)).toMatchObject({
      answer: "gone",
      detail: expect.stringMatching(/cannot be reached/),
    });
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
