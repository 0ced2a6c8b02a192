/** What the parent makes of a reader that may have been taken over by what it read. */
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { CONTENT_BYTES_MAX } from "@sallyport/shared/record/content.ts";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import { prepare } from "../spool/prepare.ts";
import type { Event } from "./reader/events.ts";
import { scanObservations } from "./records.ts";
import { scan } from "./scan.ts";

const NOW = new Date("2026-11-24T12:00:00Z");
const scanner: Event = {
  event: "scanner",
  scanner: { engine: "ClamAV 1.4.6", definitions: "1", date: "2026-11-23T00:00:00.000Z" },
};
const clean = (path: string): Event => ({
  event: "file",
  file: { path, size: 1, md5: "0".repeat(32), sha256: "1".repeat(64), type: "text/plain", finding: "clean" },
});

async function said(lines: (Event | string)[], ended: string | null = null, policy: object = {}): Promise<ScanBody> {
  async function* each() {
    for (const line of lines) yield typeof line === "string" ? line : JSON.stringify(line);
  }
  const body = await scan("stick.img", {
    policy: UsbSection.parse(policy),
    clamd: null,
    start: async () => ({ confined: "bubblewrap", kind: "image", lines: each(), ended: Promise.resolve(ended) }),
    now: () => NOW,
    lanes: 1,
  });
  return ScanBody.parse(body);
}

describe("a reading", () => {
  it("that ends as it should is allowed, in order of path", async () => {
    const body = await said([scanner, clean("b"), clean("a"), { event: "end" }]);
    expect(body.verdict).toBe("allow");
    expect(body.manifest.map((file) => file.path)).toEqual(["a", "b"]);
  });

  it("that stops early, dies, or says what cannot be read is held", async () => {
    for (const [lines, ended, reason] of [
      [[scanner, clean("a")], null, /stopped in the middle/],
      [[scanner, clean("a"), { event: "end" }], "the reader ended with SIGKILL", /SIGKILL/],
      [[scanner, "nonsense", { event: "end" }], null, /cannot be read/],
      [[scanner, `{"event":"verdict","verdict":"allow"}`, { event: "end" }], null, /cannot be read/],
      [
        [scanner, JSON.stringify({ event: "file", file: { path: "a", finding: "clean" } }), { event: "end" }],
        null,
        /cannot be read/,
      ],
      [[scanner, "x".repeat(300_000), { event: "end" }], null, /cannot be read/],
    ] as [(Event | string)[], string | null, RegExp][]) {
      const body = await said(lines, ended);
      expect(body.verdict).toBe("hold");
      expect(body.reason).toMatch(reason);
    }
  });

  it("of more files than policy lets be is held and its manifest bounded", async () => {
    const files = Array.from({ length: 30 }, (_, at) => clean(`f${at}`));
    const body = await said([scanner, ...files, { event: "end" }], null, {
      limits: { files: 10 },
      archives: { count: 5 },
    });
    expect(body.manifest.length).toBe(15);
    expect(body.verdict).toBe("hold");
  });

  it("of a medium that says more of itself than a record holds is recorded all the same, and held", async () => {
    const partition = { table: "gpt" as const, from: 0, bytes: 512, fileSystem: "ntfs" };
    // as long as NTFS has a volume's name, in letters of three bytes each, and 256 entries that all lead there
    const partitions = Array.from(
      { length: 256 },
      (_, at): Event => ({
        event: "partition",
        partition: { ...partition, number: at + 1, label: "\u8a9e".repeat(200) },
      }),
    );
    const files = Array.from({ length: 1_000 }, (_, at) => clean(`${"f".repeat(200)}${at}`));
    const faults = Array.from({ length: 32 }, (): Event => ({ event: "problem", problem: "\u8a9e".repeat(500) }));
    for (const facts of [partitions, [...partitions.slice(0, 100), ...faults]]) {
      const body = await said([scanner, ...facts, ...files, { event: "end" }]);
      const records = scanObservations(body, NOW.getTime(), sha256).map(prepare);
      expect(new Set(records.map(({ kind }) => kind))).toEqual(new Set(["usb.scan"]));
      expect(Math.max(...records.map(({ content }) => content.length))).toBeLessThanOrEqual(CONTENT_BYTES_MAX);
      expect(body.verdict).toBe("hold");
      expect(body.problems).toContain("it says more of itself than a record holds");
    }
  });

  it("of more gaps than are kept names one that is not zeros, wherever it lies", async () => {
    const gap = (at: number, zeros: boolean): Event => ({
      event: "outside",
      outside: { from: at * 1024, bytes: 512, zeros },
    });
    const gaps = Array.from({ length: 300 }, (_, at) => gap(at, true));
    const policy = { unscannable: "allow", present: "image", outside: "block" };
    const body = await said([scanner, clean("a"), ...gaps, gap(300, false), { event: "end" }], null, policy);
    expect([body.verdict, body.rule]).toEqual(["block", "outside"]);
    expect(body.outside?.length).toBe(256);
    expect(body.problems).toContain("it has more gaps between partitions than any real medium");
  });

  it("with stale definitions calls nothing clean", async () => {
    const old: Event = {
      event: "scanner",
      scanner: { engine: "ClamAV 1.4.6", definitions: "1", date: "2026-01-01T00:00:00.000Z" },
    };
    const body = await said([old, clean("a"), { event: "end" }]);
    expect(body.verdict).toBe("hold");
    expect(body.manifest).toMatchObject([{ finding: "unscannable", detail: "stale definitions" }]);
    expect((await said([old, clean("a"), { event: "end" }], null, { definitionsDaysMax: null })).verdict).toBe("allow");
  });

  it("of any lines at all ends in a body that can be recorded", async () => {
    const line = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.constantFrom(JSON.stringify(scanner), JSON.stringify(clean("a")), `{"event":"end"}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
        const body = await said(lines);
        const orderly =
          lines.every((each) => each.startsWith('{"event"')) &&
          lines.includes(`{"event":"end"}`) &&
          lines.includes(JSON.stringify(scanner));
        expect(body.verdict).toBe(orderly ? "allow" : "hold");
      }),
    );
  });
});
