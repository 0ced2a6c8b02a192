import { describe, expect, it } from "vitest";
import { factsOf } from "../tools/boot.ts";
import { wrongPixels } from "../tools/boots/devices.ts";
import { auditOf } from "../tools/boots/facts.ts";
import { ONE_BUILD } from "../tools/proofs.ts";
import { proveAll } from "./setup.ts";

describe("what a boot says", () => {
  it("is read by its first word, whatever the serial line adds", () => {
    const facts = factsOf("noise\r\n@@ INIT 12.3\r\n@@ leaf 1 owner d1\r\n@@ leaf 2 owner none\n", "");
    expect(facts.first("INIT")).toBe("12.3");
    expect(facts.all("leaf")).toEqual(["1 owner d1", "2 owner none"]);
    expect(facts.first("nothing")).toBe("");
  });

  it("an audit that cannot be read is not a good one", () => {
    expect(auditOf("pages=4 direct=3 absent=0 wrong=1 first=0x1000")).toEqual({
      pages: 4,
      direct: 3,
      absent: 0,
      wrong: 1,
    });
    expect(auditOf("").wrong).toBeNaN();
  });

  it("a picture of another size is wrong in every pixel", () => {
    expect(wrongPixels(Buffer.from("P6\n1 1\n255\nabc"))).toBe(640 * 480);
  });
});

proveAll(ONE_BUILD);
