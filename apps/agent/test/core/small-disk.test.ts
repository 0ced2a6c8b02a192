import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { fill } from "./small-disk.ts";

it("the machine's own disk is not filled, also where a small one was mounted before", () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-large-"));
  try {
    expect(() => fill(join(folder, "filler"))).toThrow("is no volume of its own");
    expect(existsSync(join(folder, "filler"))).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
