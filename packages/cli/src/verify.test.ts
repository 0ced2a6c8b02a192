import { toUtf8 } from "@sallyport/shared/base/bytes.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { layOut, makeTrail } from "../test/trail.ts";
import type { Export } from "./pack.ts";
import { sentences, unaccounted, verifyExport } from "./verify.ts";

const SIZE = 260;
const trail = makeTrail(SIZE);
const files = layOut(trail);
const names = [...files.keys()];
const packOf = (files: ReadonlyMap<string, Uint8Array>): Export => ({
  names: new Set(files.keys()),
  read: async (name) => files.get(name),
  close: async () => undefined,
});
const given = { vkey: trail.vkey, older: trail.checkpoint(100) };

describe("an export", () => {
  it("is whole as it was made, and not after any one byte of any file changed", async () => {
    expect(await verifyExport(packOf(files), given)).toMatchObject({ whole: true, faults: [] });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names.filter((name) => name !== "vkey")),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (name, where, by) => {
          const changed = files.get(name)!.slice();
          changed[where % changed.length]! ^= by;
          const report = await verifyExport(packOf(new Map([...files, [name, changed]])), given);
          expect([report.whole, report.faults.length > 0]).toEqual([false, true]);
          expect(sentences(report)[0]).toBe("NOT WHOLE");
        },
      ),
      { numRuns: 30 },
    );
  });

  it("of any bytes under the right names is answered, never thrown, and never whole with all its contents", async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: "binary" }).map((text) => toUtf8(text.toWellFormed())),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names.filter((name) => name !== "vkey")), bytes, async (name, made) => {
        const report = await verifyExport(packOf(new Map([...files, [name, made]])), given);
        // a bundle of contents may be empty: that is said, and counted
        expect(report.whole && unaccounted(report) === 0).toBe(false);
      }),
      { numRuns: 20 },
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), bytes), async (made) => {
        const report = await verifyExport(packOf(new Map(Object.entries(made))), {});
        expect(report.whole).toBe(false);
      }),
    );
  });

  it("that goes on from another trail says which, and that whole is said of this one alone", async () => {
    const previous = {
      ...{ trail: "0a6c2b7e-4a5d-4e6f-8a9b-0c1d2e3f4a5b", size: 41, root: "ab".repeat(32) },
      reason: "older-disk",
    };
    const opened = {
      ...{ trail: "1b6c2b7e-4a5d-4e6f-8a9b-0c1d2e3f4a5b", agentVersion: "0.1.0", hostname: "lab-07" },
      ...{ session: "2c6c2b7e-4a5d-4e6f-8a9b-0c1d2e3f4a5b", previous },
    };
    const report = await verifyExport(packOf(layOut(makeTrail(3, opened))), {});
    expect(report).toMatchObject({ whole: true, previous });
    expect(sentences(report).join("\n")).toContain(`goes on from trail ${previous.trail} at 41 records (older-disk)`);
    expect((await verifyExport(packOf(files), given)).previous).toBeNull();
  });

  it("that lacks any one file is not whole", async () => {
    for (const name of names.filter((each) => each !== "vkey")) {
      const fewer = new Map(files);
      fewer.delete(name);
      expect((await verifyExport(packOf(fewer), given)).whole, name).toBe(false);
    }
  });
});
