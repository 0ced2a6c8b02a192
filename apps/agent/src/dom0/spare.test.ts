/** What a full disk did not take, in a folder that is no disk. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { spareIn } from "./spare.ts";

it("is good for going on from the text that the disk has, and from no other", () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-spare-"));
  const spare = spareIn(folder, "orders");
  expect(spare.beyond("first")).toBeUndefined();
  spare.keep("first", "first and more");
  expect(spareIn(folder, "orders").beyond("first")).toBe("first and more");
  // of what cannot be read any more nobody can say it
  expect(spare.beyond(undefined)).toBe("first and more");
  expect(spare.beyond("second")).toBeUndefined();
  // what was seen to be older is so for good
  expect(spare.beyond(undefined)).toBeUndefined();
  writeFileSync(join(folder, "orders"), "torn {");
  expect(spare.beyond("first")).toBeUndefined();
  spare.keep("first", "first and more");
  spare.drop();
  expect(spare.beyond("first")).toBeUndefined();
  // nowhere to put it: memory is all there is
  rmSync(folder, { recursive: true });
  spare.keep("first", "first and more");
  expect(spare.beyond("first")).toBeUndefined();
  spare.drop();
});
