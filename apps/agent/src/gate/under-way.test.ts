/** Whether a file of a hash is on a stick, as often as a policy asks. */
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import type { GateState } from "./passage-state.ts";
import { hashesOf, holdsOf } from "./under-way.ts";

const sumOf = (name: string) => createHash("sha256").update(name).digest("hex");
const scan = (names: readonly (string | null)[]) => ({
  manifest: names.map((name) => ({
    path: name ?? "unread",
    size: 1,
    ...{ md5: null, sha256: name === null ? null : sumOf(name), type: "text/plain", finding: "clean" as const },
  })),
});
const state = { step: "attached", images: [{}] } as unknown as GateState;

it("a file is known by its hash, wherever it stands in whichever scan", () => {
  const holds = holdsOf({ state, hashes: hashesOf([scan(["c", "a", null]), scan(["b"]), scan([])]) })!;
  expect(["a", "b", "c", "d"].map((name) => holds(sumOf(name)))).toEqual([true, true, true, false]);
  expect(holdsOf({ state, hashes: hashesOf([]) })!(sumOf("a"))).toBe(false);
  expect(holdsOf({ state })).toBeUndefined();
});

it("100,000 denied hashes and 200,000 files do not hold up the gate", () => {
  const hex = (number: number) => number.toString(16).padStart(16, "0").padEnd(64, "0");
  const [entry] = scan(["a"]).manifest;
  const manifest = Array.from({ length: 200_000 }, (_, at) => ({ ...entry!, sha256: hex(at) }));
  const holds = holdsOf({ state, hashes: hashesOf([{ manifest }]) })!;
  const denied = Array.from({ length: 100_000 }, (_, at) => hex(200_000 + at));
  const began = performance.now();
  expect(denied.some(holds)).toBe(false);
  // looked for one by one it is a quarter of a minute and more
  expect(performance.now() - began).toBeLessThan(3_000);
});
