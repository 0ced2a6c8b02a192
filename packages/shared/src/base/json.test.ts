import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEEP } from "../../test/drawn.ts";
import { canonicalText, JSON_DEPTH_MAX } from "./canonical.ts";
import { isShallow, readJson } from "./json.ts";

const CHARS_MAX = 1_000_000;
const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

describe("JSON from outside", () => {
  it("of any text is answered, never thrown", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json()), (text) => {
        const read = readJson(text, CHARS_MAX);
        if (!read.ok) expect(read.error).not.toBe("");
      }),
    );
  });

  it("that canonical JSON can say is read as it is", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = canonicalText(value);
        expect(readJson(text, CHARS_MAX)).toEqual({ ok: true, value: JSON.parse(text) });
      }),
    );
  });

  it("is refused exactly where it nests too deep for canonical JSON", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 * JSON_DEPTH_MAX }), (levels) => {
        const value = JSON.parse(nested(levels));
        const says = levels <= JSON_DEPTH_MAX + 1;
        expect(isShallow(value)).toBe(says);
        if (says) expect(canonicalText(value)).toBe(nested(levels));
        else expect(() => canonicalText(value)).toThrow(/deeper/);
      }),
    );
    expect(readJson(DEEP, CHARS_MAX)).toMatchObject({ ok: false, error: expect.stringContaining("deeper") });
  });

  it("is refused where it is too long, or has a number that no double holds", () => {
    expect(readJson("[1,2]", 4)).toMatchObject({ ok: false, error: "5 characters; at most 4" });
    expect(readJson("[1e999]", 100)).toMatchObject({ ok: false, error: expect.stringContaining("too large") });
  });
});
