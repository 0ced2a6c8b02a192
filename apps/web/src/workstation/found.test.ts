import { expect, test } from "vitest";
import { foundWords, isLoose } from "./found.ts";

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

test("what the firewall dropped, by guest and reason", () => {
  const drops = {
    play: { "rule 3 no-telnet": 2 },
    work: { spoofed: 7, "rule 3 no-telnet": 1_500, invalid: 3, "otherwise out": 2, "unknown vif": 1 },
    unknown: { "unknown vif": 1 },
  };
  expect(foundWords("network", { table: "sha256", drops, counters: {} })).toBe(
    [
      "work: 1,513 packets dropped (rule 3 no-telnet 1,500, spoofed 7, invalid 3, others 3)",
      "play: 2 packets dropped (rule 3 no-telnet 2)",
      "unknown vif: 1 packet dropped (unknown vif 1)",
    ].join("\n"),
  );
  expect(foundWords("network", { drops: {} })).toBeUndefined();
  expect(foundWords("network", { counters: { "rule-3": 2 } })).toBeUndefined();
});

test("a firewall that binds not every guest to its card is told from one that does", () => {
  expect(isLoose("network", { drops: {}, unbound: ["NOT BOUND to a card"] })).toBe(true);
  for (const found of [{ unbound: [] }, { drops: {} }, undefined, "x"]) expect(isLoose("network", found)).toBe(false);
  expect(isLoose("ids", { unbound: ["x"] })).toBe(false);
});

test("another section, another shape, and nothing at all say nothing", () => {
  for (const found of [undefined, null, "x", {}, { scanner: "none" }]) expect(foundWords("usb", found)).toBeUndefined();
  expect(foundWords("log", { scanner: null })).toBeUndefined();
});
