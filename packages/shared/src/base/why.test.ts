import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isAnswer, whyNot } from "./why.ts";

const withCode = (code: unknown, message = "as the system put it") => Object.assign(new Error(message), { code });

describe("what the system answered", () => {
  it("is told in words where there are any, else as it was put", () => {
    expect(whyNot(withCode("ENOENT"))).toBe("there is no such file or folder");
    expect(whyNot(withCode("EWHATEVER"))).toBe("as the system put it");
    expect(whyNot("thrown as it is")).toBe("thrown as it is");
  });

  it("is told from a fault of our own, whatever was thrown", () => {
    expect(isAnswer(withCode("ECONNREFUSED"))).toBe(true);
    const thrown = fc.oneof(
      fc.anything(),
      fc.constantFrom("toString", "__proto__", 5, undefined).map((code) => withCode(code)),
    );
    fc.assert(
      fc.property(thrown, (error) => {
        expect(isAnswer(error)).toBe(false);
        expect(typeof whyNot(error)).toBe("string");
      }),
    );
  });
});
