import { randomBytes } from "node:crypto";
import { readEntry } from "@sallyport/shared/trail/entry.ts";
import { decodeBatch } from "@sallyport/shared/wire/batch.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Machine } from "../../test/machine.ts";
import { compress, decompress } from "../trail/crypto.ts";
import { place } from "./partitions.ts";
import { prepare, readEntryFast } from "./prepare.ts";
import { coalesce } from "./receipts.ts";
import { SHARDS, share } from "./shards.ts";
import { unpack } from "./unpack.ts";

const machine = new Machine();
machine.open();
for (const text of ["plain", "späte Tür \u2028", "", "\u0000"]) machine.say({ text, guest: "work" });
const good = machine.batch(0, 5);

/** One byte of the unpacked lines changed, cut or added: the packing itself stays whole. */
const changed = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "insert", "cut")).map(([where, byte, how]) => {
  const lines = Buffer.from(decompress(good.subarray(1), 1 << 20));
  const at = where % lines.length;
  const [before, after] = [lines.subarray(0, at), lines.subarray(how === "insert" ? at : at + 1)];
  const whole = how === "cut" ? Buffer.concat([before, after]) : Buffer.concat([before, Buffer.of(byte), after]);
  return Buffer.concat([Buffer.of(1), compress(whole)]);
});

test("the quick reader of batches says what the shared one says, for every byte changed", () => {
  fc.assert(
    fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      const [quick, shared] = [unpack(bytes), decodeBatch(decompress, bytes)];
      expect(quick.ok).toBe(shared.ok);
      if (!quick.ok || !shared.ok) return;
      expect(quick.value.header).toEqual(shared.value.header);
      const seen = quick.value.lines.map(({ entry, salt, content }) => [
        entry,
        salt?.toString("hex"),
        content?.toString(),
      ]);
      const told = shared.value.records.map(({ entry, salt, content }) => [
        entry,
        salt && Buffer.from(salt).toString("hex"),
        content,
      ]);
      expect(seen).toEqual(told);
    }),
    { numRuns: 500 },
  );
});

test("the quick reader of entries takes exactly what the shared one takes", () => {
  const entry = machine.records[1]!.entry;
  const edits = fc
    .tuple(fc.nat(entry.length - 1), fc.constantFrom("", "0", "-", '"', "z", " ", "9"))
    .map(([at, char]) => entry.slice(0, at) + char + entry.slice(at + 1));
  const times = fc.constantFrom("2026-02-30T00:00:00.000Z", "0000-01-01T00:00:00.000Z", "2026-13-01T00:00:00.000Z");
  const timed = times.map((time) => entry.replace(/"time":"[^"]+"/, `"time":"${time}"`));
  fc.assert(
    fc.property(fc.oneof(edits, timed, fc.string()), (text) => {
      expect(readEntryFast(text).ok).toBe(readEntry(text).ok);
    }),
    { numRuns: 1_000 },
  );
});

test("bytes of any kind are read or refused with a reason, never thrown", () => {
  fc.assert(
    fc.property(fc.oneof(changed, fc.uint8Array()), (bytes) => {
      const read = prepare(machine.id, bytes);
      expect(read.ok || read.error.reason.length > 0).toBe(true);
    }),
    { numRuns: 300 },
  );
  expect(prepare(machine.id, good).ok).toBe(true);
  expect(prepare(machine.id, randomBytes(64)).ok).toBe(false);
});

test("workers share the shards evenly and give back what is too much", () => {
  expect(share(0, 1)).toEqual({ take: SHARDS, give: 0 });
  expect(share(SHARDS, 2)).toEqual({ take: 0, give: 128 });
  expect(share(80, 3)).toEqual({ take: 6, give: 0 });
});

test("a commit is received where a partition is open, whatever the clock says", () => {
  const sealed = { name: "a", fromMs: 0, toMs: 100, sealed: true };
  const open = { name: "b", fromMs: 100, toMs: 200, sealed: false };
  expect(place([sealed, open], 150)).toEqual({ receivedMs: 150, name: "b" });
  expect(place([sealed, open], 5)).toEqual({ receivedMs: 100, name: "b" });
  expect(place([sealed, open], 200)).toBeUndefined();
  expect(place([], 5)).toBeUndefined();
});

test("of many answers the newest stand and the newest refusal of each trail go out", () => {
  const of = (answer: "new" | "duplicate" | "ahead" | "refused", reason = "") =>
    ({ workstation: machine.id, trail: machine.trail, answer, reason }) as const;
  const answers = [of("new"), of("refused", "first"), of("duplicate"), of("refused", "second"), of("ahead")];
  expect(coalesce(answers)).toEqual([of("refused", "second"), of("ahead")]);
});
