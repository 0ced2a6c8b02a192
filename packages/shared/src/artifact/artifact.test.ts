import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Sha256 } from "../base/ids.ts";
import { DefinitionsName } from "./artifact.ts";
import { lineFault, readCvdHeader, setDigest, witness } from "./definitions.ts";
import { checkRules } from "./rules.ts";

const hash = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const rule = (sid: number, more = "") => `alert tcp any any -> any any (msg:"a"; sid:${sid};${more} rev:1;)`;

describe("a rule set", () => {
  it("is counted, over continued lines and past what is turned off", () => {
    const text = `# a comment\r\n${rule(1)}\r\n\n#${rule(2)}\nalert udp any any -> any 53 \\\n  (msg:"b; \\; sid"; sid:3;)\n`;
    expect(checkRules(text)).toEqual({ ok: true, value: { rules: 2 } });
  });
  it("has the rule behind a comment that ends with a backslash, but for what is indented there", () => {
    const broken = rule(2).replace("(", "\\\n(");
    expect(checkRules(`${rule(1)}\n#${broken}`)).toMatchObject({ ok: false });
    expect(checkRules(`${rule(1)}\n#${broken.replace("\n", "\n  ")}`)).toEqual({ ok: true, value: { rules: 1 } });
    expect(checkRules(`# a folder \\\n${rule(1)}`)).toEqual({ ok: true, value: { rules: 1 } });
  });
  it("may have one sid under two generators", () => {
    expect(checkRules(`${rule(1)}\n${rule(1, " gid:3;")}`)).toMatchObject({ ok: true });
  });
  it.each([
    ["", "It holds no rule that is turned on."],
    [`#${rule(1)}`, "It holds no rule that is turned on."],
    [`${rule(1)}\n<!doctype html>`, "Line 2 begins with no action of a rule: <!doctype html>"],
    ["alert tcp any any -> any any", "Line 1 has no options in brackets"],
    ['alert tcp any any -> any any (msg:"a";)', "Line 1 has no sid"],
    [`${rule(7)}\n\n${rule(7)}`, "Line 3 has the sid 7 of line 1"],
    [`${rule(1)}\n  ${rule(2)}`, "Line 2 begins with a blank, and the detector passes over it: alert tcp"],
    [`${rule(1)}\n\t${rule(2)}`, "Line 2 begins with a blank, and the detector passes over it: alert tcp"],
    [`\uFEFF${rule(1)}`, "Line 1 begins with the character U+FEFF, which the detector takes for part of the action: "],
    [`${rule(1)}\n\uFEFF# a comment`, "Line 2 begins with the character U+FEFF"],
    [`${rule(1)}\n\u00a0${rule(2)}`, "Line 2 begins with the character U+00A0"],
    [`${rule(1)}\n\u00a0`, "Line 2 begins with the character U+00A0"],
    [`${rule(1)}\n\u0000`, "It is no text: it holds a NUL."],
  ])("%j is refused", (text, why) =>
    expect(checkRules(text)).toEqual({ ok: false, error: expect.stringContaining(why) }),
  );
});

describe("definitions", () => {
  it("tell who they are in a signed database's header", () => {
    const header = Buffer.alloc(512, " ");
    header.write(`ClamAV-VDB:23 Nov 2026 08-25 +0000:27500:2079000:90:${"a".repeat(32)}:sig:builder:1764000000`);
    expect(readCvdHeader(header)).toEqual({
      ok: true,
      value: { made: "2026-11-23T08:25:00.000Z", version: "27500", signatures: 2_079_000, md5: "a".repeat(32) },
    });
    expect(readCvdHeader(Buffer.from("PK\u0003\u0004")).ok).toBe(false);
    expect(readCvdHeader(Buffer.from("ClamAV-VDB:yesterday:1:1:1:x")).ok).toBe(false);
  });
  it.each([
    ["hdb", `${"a".repeat(32)}:68:Eicar`, true],
    ["hdb", `${"a".repeat(32)}:*:Eicar:73`, true],
    ["hdb", "not a hash:68:Eicar", false],
    ["hsb", `${"a".repeat(64)}:68:Eicar`, true],
    ["ndb", "Eicar:0:*:5835", true],
    ["ndb", "Eicar", false],
    ["ldb", "whatever clamd reads", true],
    ["ldb", "\u0007", false],
    ["ndb", "", true],
  ] as const)(".%s %j", (format, line, fits) => expect(lineFault(format, line) === undefined).toBe(fits));

  it.each([
    ["daily.cvd", true],
    ["site-1.hdb", true],
    ["sallyport-set.hsb", false],
    ["../x.hdb", false],
    [".hdb", false],
    ["a.exe", false],
    ["a/b.hdb", false],
  ])("may be called %s: %s", (name, fits) => expect(DefinitionsName.safeParse(name).success).toBe(fits));

  it("are one set in whatever order they are named", () => {
    const [a, b] = ["a".repeat(64), "b".repeat(64)] as [Sha256, Sha256];
    const one = setDigest(hash, [
      { name: "x.hdb", sha256: a },
      { name: "y.hdb", sha256: b },
    ]);
    expect(
      setDigest(hash, [
        { name: "y.hdb", sha256: b },
        { name: "x.hdb", sha256: a },
      ]),
    ).toBe(one);
    expect(
      setDigest(hash, [
        { name: "y.hdb", sha256: a },
        { name: "x.hdb", sha256: b },
      ]),
    ).not.toBe(one);
    const { bytes, line } = witness(hash, one);
    expect(line).toMatch(new RegExp(`^[0-9a-f]{64}:${bytes.length}:Sallyport\\.Set\\.${one.slice(0, 32)}\n$`));
  });
});
