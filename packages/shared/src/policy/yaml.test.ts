import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEEP } from "../../test/drawn.ts";
import { readPlan } from "../rollout/document.ts";
import { readUsbPolicy } from "./usb-text.ts";
import { readYaml } from "./yaml.ts";

const CHARS_MAX = 64 * 1024;

describe("what a person wrote", () => {
  it("of any text is answered in one line, never thrown, by whoever reads it", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.stringMatching(/^[-[\]{}:,&*!|>'"%@` a\n\t]*$/));
    fc.assert(
      fc.property(text, (untrusted) => {
        const read = readYaml(untrusted, CHARS_MAX);
        if (!read.ok) expect(read.error).toMatch(/^[^\n]+$/);
        readUsbPolicy(untrusted);
        readPlan(untrusted);
      }),
    );
  });

  it("is the value that JSON says", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        fc.pre(!JSON.stringify(value).includes("__proto__"));
        const json = JSON.parse(JSON.stringify(value));
        expect(readYaml(JSON.stringify(value), CHARS_MAX)).toEqual({ ok: true, value: json });
      }),
    );
  });

  it("that nests without end, is too long or is quoted back is refused in one line", () => {
    expect(readYaml(DEEP, CHARS_MAX)).toMatchObject({ ok: false, error: expect.stringContaining("nested deeper") });
    expect(readYaml("a".repeat(10), 9)).toEqual({ ok: false, error: "10 characters; at most 9" });
    expect(readPlan("waves: {")).toMatchObject({
      ok: false,
      error: [expect.stringMatching(/ at line 1, column \d+$/)],
    });
    expect(readUsbPolicy("\u001b[2J: {")).toMatchObject({ ok: false, error: expect.not.stringContaining("\u001b") });
  });
});
