import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDenied } from "./deny-text.ts";
import { deniedWords } from "./overlay.ts";

const HASH = "ab".repeat(32);

describe("what is to be denied", () => {
  it.each([
    [HASH, `sha256 ${HASH}`],
    [`  sha256:${HASH.toUpperCase()} `, `sha256 ${HASH}`],
    ["0951:1666", "block id 0951:1666"],
    ['block id 0951:1666 serial "60A4"', 'block id 0951:1666 serial "60A4"'],
    ["192.0.2.7", "192.0.2.7"],
    ["192.0.2.7:443", "192.0.2.7 port 443"],
    ["192.0.2.0/24 udp", "192.0.2.0/24 udp"],
    ["2001:db8::1", "2001:db8::1"],
    ["[2001:db8::1]:443", "2001:db8::1 port 443"],
    ["2001:db8::/32 tcp port 443", "2001:db8::/32 tcp port 443"],
    ["bad.example", "bad.example"],
    ["Bad.example:8443", "Bad.example port 8443"],
    ["bad.example TCP port 443", "bad.example tcp port 443"],
  ])("%s", (text, words) => {
    const read = readDenied(text);
    expect(read.ok ? deniedWords(read.value) : read.error).toBe(words);
  });
  it.each<[string, RegExp]>([
    ["", /Nothing is named/],
    ["ab".repeat(16), /md5 or a sha1/],
    [`md5:${"ab".repeat(16)}`, /md5 or a sha1/],
    [`SHA1 ${"ab".repeat(20)}`, /md5 or a sha1/],
    [HASH.slice(1), /63 hex digits, and a sha256 has 64/],
    [`${HASH}ab`, /66 hex digits, and a sha256 has 64/],
    ["sha256:ce877e28", /8 hex digits, and a sha256 has 64/],
    ["https://bad.example/x", /its host, whatever the page: bad\.example$/],
    ["http://ada@[2001:db8::1]:8080/x", /: \[2001:db8::1\]$/],
    ["bad.example:80,443", /"bad\.example:80,443": .*a name as DNS has it/],
    ["allow id 0951:1666", /begins with block/],
    ["block", /an id, a serial or a hash/],
    ["192.0.2.7 and more", /no sha256, no rule/],
    ["0.0.0.0/0", /wider than \/8/],
    ["192.0.2.300", /./],
    ["192.0.2.7:0", /./],
    ["192.0.2.7:70000", /"192\.0\.2\.7:70000": at most 65535/],
    ["-x", /a name as DNS has it/],
    ["x".repeat(2000), /At most/],
  ])("not %j", (text, words) => {
    const read = readDenied(text);
    expect(read.ok ? "read" : read.error).toMatch(words);
  });
  it("of any text is answered, and its own words read back as the same", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        const read = readDenied(text);
        if (read.ok) expect(readDenied(deniedWords(read.value))).toEqual(read);
      }),
    );
  });
});
