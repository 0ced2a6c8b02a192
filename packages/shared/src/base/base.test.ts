import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromBase64, fromHex, fromUtf8, toBase64, toHex, toUtf8 } from "./bytes.ts";
import { canonicalText, JSON_DEPTH_MAX } from "./canonical.ts";
import { escapeForDisplay } from "./escape.ts";
import { Time } from "./ids.ts";

describe("canonical JSON", () => {
  it("is RFC 8785's own example", () => {
    const value = {
      numbers: JSON.parse("[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001]"),
      string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/",
      literals: [null, true, false],
    };
    expect(canonicalText(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it("sorts members by UTF-16 code units", () => {
    expect(canonicalText({ "\u20ac": 1, "\r": 2, "1": 4, "\u{1f600}": 5, "\u0080": 6, "\ufb33": 3 })).toBe(
      '{"\\r":2,"1":4,"\u0080":6,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
    );
  });

  it("means the same value again, one spelling, no raw tab or newline", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = canonicalText(value);
        expect(canonicalText(JSON.parse(text))).toBe(text);
        expect(text).not.toMatch(/[\t\n]/);
      }),
    );
  });

  it("refuses what JSON cannot say exactly", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, "\ud800", { a: "\udfff" }, () => 1, [undefined]]) {
      expect(() => canonicalText(value)).toThrow(TypeError);
    }
    let deep: unknown = 1;
    for (let at = 0; at <= JSON_DEPTH_MAX; at++) deep = [deep];
    expect(() => canonicalText(deep)).toThrow(/deeper/);
  });

  it("is the engine's own JSON with the members in order, however many an object has", () => {
    const inOrder = (value: unknown): unknown => {
      if (typeof value !== "object" || value === null) return value;
      if (Array.isArray(value)) return value.map(inOrder);
      const keys = Object.keys(value).sort();
      return new Map(keys.map((key) => [key, inOrder((value as Record<string, unknown>)[key])]));
    };
    const written = (value: unknown): string => {
      if (Array.isArray(value)) return `[${value.map(written).join(",")}]`;
      if (!(value instanceof Map)) return JSON.stringify(value);
      return `{${[...value].map(([key, each]) => `${JSON.stringify(key)}:${written(each)}`).join(",")}}`;
    };
    const many = fc.dictionary(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), { maxKeys: 100 });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), many), (value) => {
        expect(canonicalText(value)).toBe(written(inOrder(value)));
      }),
    );
  });
});

describe("bytes as text", () => {
  it("go there and back, in one spelling only", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromHex(toHex(bytes))).toEqual(bytes);
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      }),
    );
    for (const bad of ["A", "AB==C", "AB", "QQ=", "QR==", "Q Q="]) expect(() => fromBase64(bad)).toThrow(RangeError);
    expect(() => fromHex("abc")).toThrow(RangeError);
    expect(() => fromUtf8(Uint8Array.of(0xff))).toThrow(TypeError);
    expect(fromUtf8(toUtf8("\ufeffa"))).toBe("\ufeffa");
  });
});

describe("escapes", () => {
  it("leave nothing that moves a cursor or turns a line around", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(escapeForDisplay(text)).not.toMatch(
          /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/,
        );
      }),
    );
    expect(escapeForDisplay("a\u202eb\u001b[2J\r\n\u0085")).toBe("a\\u202eb\\x1b[2J\\r\\n\\x85");
    expect(escapeForDisplay("Grüße, 日本")).toBe("Grüße, 日本");
  });
});

describe("a time", () => {
  it("has one spelling and exists", () => {
    expect(Time.safeParse("2026-11-24T08:46:00.000Z").success).toBe(true);
    for (const bad of [
      "2026-11-24T08:46:00Z",
      "2026-02-30T00:00:00.000Z",
      "2026-11-24T08:46:00.000+00:00",
      "2026-11-24T24:00:00.000Z",
    ]) {
      expect(Time.safeParse(bad).success, bad).toBe(false);
    }
  });
});
