import { expect, it } from "vitest";
import { type InForce, inForceText } from "./in-force.ts";

const answer: InForce = {
  workstation: { id: "w", name: "lab-07" },
  at: "2026-11-24T08:00:00.000Z",
  found: {
    trail: 3,
    index: 12,
    time: "2026-11-23T07:00:00.000Z",
    received: "2026-11-23T07:00:01.000Z",
    until: null,
    order: 4,
    digest: "d".repeat(64),
    outcomes: { usb: { outcome: "applied" }, disk: { outcome: "failed", reason: "no \u001b[31mdevice" } },
    approval: {
      group: { id: "g", name: "laboratory" },
      message: "Definitions come daily now",
      publishedAt: "2026-11-23T06:59:00.000Z",
      by: "ada@example.org",
      signers: [{ key: "abcd", role: "console" }],
      rollout: { id: "o", wave: 1 },
    },
  },
};

it("says what, who and when, a sentence a line, and what was not as it should be", () => {
  expect(inForceText(answer).split("\n")).toEqual([
    `At 2026-11-24T08:00:00.000Z lab-07 had r4 in force (${"d".repeat(64)}).`,
    "Applied 2026-11-23T07:00:00.000Z by its own clock, committed 2026-11-23T07:00:01.000Z; nothing has followed.",
    "Published to laboratory by ada@example.org at 2026-11-23T06:59:00.000Z: Definitions come daily now",
    "Signed by console abcd.",
    "Told in wave 2 of rollout o.",
    expect.stringMatching(/^disk: failed, no .*\[31mdevice$/),
    "Record 12 of trail 3.",
  ]);
  expect(inForceText(answer)).not.toContain("\u001b");
});

it("says that nobody is known to have published it", () => {
  expect(inForceText({ ...answer, found: { ...answer.found!, approval: null } })).toContain("No publication");
});

it("says that there was nothing", () => {
  expect(inForceText({ ...answer, found: null })).toContain("had said nothing of a policy");
});
