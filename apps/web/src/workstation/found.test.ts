import { expect, test } from "vitest";
import { foundWords } from "./found.ts";

test("what the detector says it has", () => {
  const running = { version: "7.0.10 RELEASE", loaded: 41_872, failed: 0, packets: 100_000, drops: 12 };
  expect(foundWords("ids", { running, rules: { sha256: "a".repeat(64), count: 41_872 } })).toBe(
    "Suricata 7.0.10 · 41,872 rules loaded · rule set aaaaaaaaaaaa · 12 of 100,000 packets unseen",
  );
  expect(foundWords("ids", { running: { ...running, failed: 2 }, rules: null })).toContain("rules loaded, 2 failed");
  expect(foundWords("ids", { running: null, rules: null })).toBeUndefined();
});

test("what the scanner says it has", () => {
  const scanner = { engine: "ClamAV 1.4.6", definitions: "27500", date: "2026-11-23T08:25:00.000Z" };
  expect(foundWords("usb", { controllers: [], scanner: { ...scanner, set: "b".repeat(64), files: 2 } })).toBe(
    "ClamAV 1.4.6 · definitions 27500 of 2026-11-23 · the policy’s set bbbbbbbbbbbb",
  );
  expect(foundWords("usb", { scanner: { ...scanner, definitions: null, date: null } })).toBe(
    "ClamAV 1.4.6 · definitions without a version",
  );
});

test("another section, another shape, and nothing at all say nothing", () => {
  for (const found of [undefined, null, "x", {}, { scanner: "none" }]) expect(foundWords("usb", found)).toBeUndefined();
  expect(foundWords("log", { scanner: null })).toBeUndefined();
});
