import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, toUtf8 } from "../base/bytes.ts";
import { padded, readTarHeader, TAR_BLOCK, TAR_END, tarHeader } from "./tar.ts";

describe("a pack", () => {
  it("is read by the machine's own tar", () => {
    const body = toUtf8("hello");
    const padding = new Uint8Array(padded(body.length) - body.length);
    const tar = concat(tarHeader("tile/0/x001/000.p/17", body.length, 1_700_000_000), body, padding, TAR_END);
    expect(execFileSync("tar", ["-tf", "-"], { input: tar, encoding: "utf8" })).toBe("tile/0/x001/000.p/17\n");
    expect(execFileSync("tar", ["-xOf", "-"], { input: tar, encoding: "utf8" })).toBe("hello");
  });

  it("reads back the headers it wrote", () => {
    expect(readTarHeader(tarHeader("checkpoint", 123, 0))).toEqual({
      ok: true,
      value: { name: "checkpoint", size: 123 },
    });
    expect(readTarHeader(new Uint8Array(TAR_BLOCK))).toEqual({ ok: true, value: "end" });
  });

  it("refuses names that leave the folder, and changed headers", () => {
    for (const name of ["../x", "/etc/passwd", "a/../../b", "a//b", ""])
      expect(readTarHeader(tarHeader(name, 1, 0)).ok, name).toBe(false);
    const changed = tarHeader("checkpoint", 123, 0);
    changed[0]!++;
    expect(readTarHeader(changed).ok).toBe(false);
  });

  it("answers any block without throwing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: TAR_BLOCK, maxLength: TAR_BLOCK }), (block) => {
        readTarHeader(block);
      }),
    );
  });
});
