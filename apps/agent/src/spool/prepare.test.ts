import { fromHex, toHex } from "@sallyport/shared/base/bytes.ts";
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { commitment, contentBytes, readContent } from "@sallyport/shared/record/content.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { entryText, leafHash, readEntry } from "@sallyport/shared/trail/entry.ts";
import fc from "fast-check";
import { expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import { freshSalt, indexed, prepare } from "./prepare.ts";

const observed = fc.record({
  severity: fc.constantFrom(...SEVERITIES),
  time: fc.oneof(fc.integer(), fc.double(), fc.integer({ min: 0, max: 4e12 })),
  guest: fc.option(fc.constantFrom("a", "guest-1", "work.vm_2" as string), { nil: undefined }),
  text: fc.oneof(fc.string({ unit: "binary", maxLength: 3_000 }), fc.string()),
  body: fc.dictionary(fc.string(), fc.anything({ maxDepth: 2, withBigInt: true })),
});

it("whatever a source hands over becomes an entry in its one spelling, and the leaf is shared's", () => {
  fc.assert(
    fc.property(observed, fc.nat(), ({ guest, ...rest }, index) => {
      const observation = { kind: "usb.device", ...rest, ...(guest ? { guest: guest as GuestId } : {}) } as Observation;
      const prepared = prepare(observation);
      const salt = freshSalt();
      const { entry, leaf } = indexed(prepared, index, salt);
      const read = readEntry(entry);
      if (!read.ok) throw new Error(read.error);
      expect(entryText(read.value)).toBe(entry);
      expect(toHex(leaf)).toBe(toHex(leafHash(sha256, entry)));
      expect(fromHex(read.value.content)).toEqual(new Uint8Array(commitment(sha256, salt, prepared.content)));
      expect(readContent(prepared.content).ok).toBe(true);
    }),
  );
});

it("a body that JSON cannot say is kept as malformed, with the reason", () => {
  const bad = { kind: "usb.device", severity: "info", time: 0, text: "x", body: { name: "\ud800" } } as Observation;
  const prepared = prepare(bad);
  expect(prepared.kind).toBe("agent.malformed");
  expect(Buffer.from(prepared.content).toString()).toContain("lone surrogate");
});

it("no two salts are alike", () => {
  expect(new Set(Array.from({ length: 2_000 }, () => toHex(freshSalt()))).size).toBe(2_000);
  expect(contentBytes({ text: "", body: {} }).length).toBeGreaterThan(0);
});
