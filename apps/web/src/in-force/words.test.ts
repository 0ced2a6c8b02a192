import { expect, it } from "vitest";
import { minute, notYetWords, readMoment, signerWords } from "./words.ts";

it.each([
  ["2026-11-24", "2026-11-24T00:00:00.000Z"],
  ["2026-11-24 08:00", "2026-11-24T08:00:00.000Z"],
  ["2026-11-24T08:00:30Z", "2026-11-24T08:00:30.000Z"],
  [" 2026-11-24 08:00Z ", "2026-11-24T08:00:00.000Z"],
  ["2026-02-30", undefined],
  ["2026-11-24 25:00", undefined],
  ["yesterday", undefined],
  ["", undefined],
])("%j is the moment %j", (text, moment) => expect(readMoment(text)).toBe(moment));

it("a moment is shown as it is typed", () => {
  const shown = minute("2026-11-24T08:00:30.000Z");
  expect(shown).toBe("2026-11-24 08:00Z");
  expect(readMoment(shown)).toBe("2026-11-24T08:00:00.000Z");
});

it("a moment that has not come is told as such, but for what clocks differ by", () => {
  const now = Date.parse("2026-11-24T08:00:00.000Z");
  expect(notYetWords(new Date(now + 60_000), now)).toBeUndefined();
  expect(notYetWords(new Date(now + 3_600_000), now)).toMatch(/^2026-11-24T09:00:00.000Z has not come yet/);
});

it.each([
  [["console"], "signed by the console’s key"],
  [["approver", "console"], "signed by one approver’s key and the console’s key"],
  [["approver", "approver"], "signed by 2 approvers’ keys"],
  [[null], "signed by one other key that the group no longer has"],
  [[], "with no signature kept"],
] as const)("%j reads %j", (roles, words) =>
  expect(signerWords(roles.map((role) => ({ key: "a", role })))).toBe(words),
);

it("names the approvers whose names are known", () => {
  const signers = [
    { key: "a", role: "approver" as const, name: "Anna" },
    { key: "b", role: "approver" as const, name: "Ben" },
    { key: "c", role: "console" as const, name: null },
  ];
  expect(signerWords(signers)).toBe("signed by Anna, Ben and the console’s key");
});
