import { expect, test } from "vitest";
import { readTyped } from "./typed.ts";

test("a moment that was typed is one of this browser's zone; nothing typed is none", () => {
  expect(readTyped("2026-11-24T10:00")).toEqual({ ok: true, at: new Date(2026, 10, 24, 10).toISOString() });
  expect(readTyped("")).toEqual({ ok: true, at: undefined });
});

test.each(["12026-11-24T10:00", "275760-12-31T00:00", "0000-06-01T00:00", "soon"])(
  "%s is told to be no moment, not thrown",
  (typed) => expect(readTyped(typed)).toEqual({ ok: false, fault: "this is no moment of the years 1 to 9999" }),
);
