import { expect, test } from "vitest";
import { isolationWord, type Signs, status } from "./status.ts";

const NOW = Date.parse("2026-11-24T12:00:00.000Z");
const ago = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();
const signs = (more: Partial<Signs>): Signs => ({
  state: "enrolled",
  stateReason: null,
  lastReceiptAt: ago(1),
  enrolledAt: ago(9999),
  presence: "online",
  healthSeconds: 300,
  ...more,
});

test.each([
  ["receipted a minute ago", signs({}), "reporting", "allow"],
  ["receipted a minute ago, not connected now", signs({ presence: "offline" }), "reporting", "allow"],
  ["connected, but nothing committed for an hour and more", signs({ lastReceiptAt: ago(61) }), "silent", "block"],
  ["nothing committed for twenty minutes", signs({ lastReceiptAt: ago(20) }), "late", "hold"],
  [
    "told to say so every six hours, nothing for ten",
    signs({ healthSeconds: 21_600, lastReceiptAt: ago(600) }),
    "reporting",
    "allow",
  ],
  [
    "told to say so every six hours, nothing for thirteen",
    signs({ healthSeconds: 21_600, lastReceiptAt: ago(780) }),
    "late",
    "hold",
  ],
  [
    "told to say so every six hours, nothing for a day and more",
    signs({ healthSeconds: 21_600, lastReceiptAt: ago(1500) }),
    "silent",
    "block",
  ],
  [
    "told to say so every ten seconds, nothing for ten minutes",
    signs({ healthSeconds: 10, lastReceiptAt: ago(10) }),
    "reporting",
    "allow",
  ],
  ["told nothing that is known", signs({ healthSeconds: null, lastReceiptAt: ago(20) }), "late", "hold"],
  ["enrolled and never heard of", signs({ lastReceiptAt: null }), "no record yet", "hold"],
  ["quarantined, however lively", signs({ state: "quarantined" }), "quarantined", "block"],
  ["revoked", signs({ state: "revoked" }), "revoked", "info"],
])("%s: %o", (_name, given, word, tone) => expect(status(NOW, given)).toMatchObject({ word, tone }));

test("a silent workstation that is connected says that connection is not delivery", () => {
  expect(status(NOW, signs({ lastReceiptAt: ago(90) })).reason).toMatch(/connected, but nothing/);
});

test("only what contains DMA looks safe", () => {
  const green = (["iommu", "direct-map", "emulated", "none"] as const).filter(
    (isolation) => isolationWord({ hypervisor: "xen", isolation }).tone === "allow",
  );
  expect(green).toEqual(["iommu", "emulated"]);
  expect(isolationWord({ hypervisor: "none", isolation: "none" })).toMatchObject({
    tone: "hold",
    word: "no hypervisor",
  });
  expect(isolationWord(undefined).tone).toBe("info");
});
