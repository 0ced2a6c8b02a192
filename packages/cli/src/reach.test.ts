import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fault } from "./fault.ts";
import { addressOf, afterOf, silent, tokenFor } from "./reach.ts";

const told = (act: () => unknown): string => {
  try {
    act();
    return "";
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
};

describe("the console's API", () => {
  it("is asked with a token that a header can carry; any other is refused, and never shown", () => {
    expect(tokenFor(["deny:read"], { SALLYPORT_TOKEN: "spt_abc" })).toBe("spt_abc");
    expect(told(() => tokenFor(["deny:read"], {}))).toBe(
      "Set SALLYPORT_TOKEN to an API token with the scope deny:read (the console's Account page makes one).",
    );
    expect(told(() => tokenFor(["policy:read", "policy:write"], {}))).toContain("scopes policy:read and policy:write");
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 6 }), (token) => {
        const words = told(() => tokenFor(["export"], { SALLYPORT_TOKEN: token }));
        if (words === "") expect(() => new Headers({ authorization: `Bearer ${token}` })).not.toThrow();
        expect(words).not.toContain(token);
      }),
    );
  });

  it("is at an http address; anything else is a sentence", () => {
    expect(addressOf("http://console.example:3000", "/api/x?a=1").href).toBe("http://console.example:3000/api/x?a=1");
    for (const url of ["", "nonsense", "ftp://console.example", "javascript:alert(1)", "http://"])
      expect(told(() => addressOf(url, "/api/x"))).toContain("is no address");
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.webUrl()), (url) => {
        const words = told(() => addressOf(url, "/api/x"));
        if (words !== "") expect(words).toContain("is no address");
      }),
    );
  });

  it("has the next page of a list in a header that others may have added to; one that cannot be read is no end", () => {
    const ours = '</api/deny?after=%7B%22id%22%3A%221%22%7D>; rel="next"';
    const others = '</style.css>; rel=preload; as=style, </>; rel="canonical"';
    for (const link of [ours, `${others}, ${ours}`, `${ours},${others}`, ours.replaceAll('"', "")])
      expect(afterOf(link)).toBe('{"id":"1"}');
    expect(afterOf(ours.replace("<", "<https://proxy.example/console"))).toBe('{"id":"1"}');
    for (const link of [null, "", others, "</next>; rel=nextish"]) expect(afterOf(link)).toBeUndefined();
    for (const link of ['</api/deny>; rel="next"', 'rel="next"', '</api/deny?after=1>; rel="last next"'])
      expect(told(() => afterOf(link))).toContain("a next page that cannot be read");
  });

  it("that does not answer is a sentence with one end", () => {
    const address = new URL("http://console.example/api/x");
    const refused = Object.assign(new Error("fetch failed"), {
      cause: Object.assign(new Error(), { code: "ECONNREFUSED" }),
    });
    expect(silent(address, refused).message).toBe(
      "The console at http://console.example does not answer: nothing listens there.",
    );
    expect(silent(address, new Error("odd.")).message).toBe(
      "The console at http://console.example does not answer: odd.",
    );
  });
});
