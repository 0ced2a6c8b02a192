import { randomBytes } from "node:crypto";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import { SEVERITIES } from "@sallyport/shared/record/severity.ts";
import { readEntry } from "@sallyport/shared/trail/entry.ts";
import { decodeBatch } from "@sallyport/shared/wire/batch.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Machine } from "../../test/machine.ts";
import { compress, decompress } from "../trail/crypto.ts";
import { momentOf } from "./moment.ts";
import { place } from "./partitions.ts";
import { PlainLine } from "./plain.ts";
import { prepare, prepareCarefully, readEntryFast } from "./prepare.ts";
import { coalesce } from "./receipts.ts";
import { bodyEnd, shapeAt } from "./shape.ts";
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

test("a moment in figures is the one that Date reads, and none where Date's own spelling differs", () => {
  const digits = (count: number) => fc.stringMatching(new RegExp(`^[0-9]{${count}}$`));
  const any = fc
    .tuple(digits(4), digits(2), digits(2), digits(2), digits(2), digits(2), digits(3))
    .map(
      ([year, month, day, hour, minute, second, ms]) => `${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`,
    );
  const real = fc
    .date({ min: new Date("0000-01-01T00:00:00.000Z"), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true })
    .map((date) => date.toISOString());
  fc.assert(
    fc.property(fc.oneof(any, real), (text) => {
      const ms = Date.parse(text);
      const known = !Number.isNaN(ms) && new Date(ms).toISOString() === text;
      expect(momentOf(text)).toBe(known ? ms : Number.NaN);
    }),
    { numRuns: 2_000 },
  );
});

/** Bodies of the kinds that are read off their bytes: most of their shape, some nearly so. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc.string({ minLength: 60, maxLength: 300 }),
  fc.constantFrom("\u0000", "\ud800", '"\\\n\t\b\f\r/', "\u2028", "x".repeat(1_100)),
);
const value = fc.oneof(text, fc.integer(), fc.double(), fc.jsonValue(), fc.constantFrom("udp", "plain", null, 2 ** 60));
const key = fc.constantFrom(
  ...["via", "from", "format", "facility", "level", "app", "message", "raw", "part", "structured", "event"],
  ...["eventTime", "type", "source", "sourcePort", "bytes", "flow", "other", "__proto__", 'a"b'],
);
const log = { via: "tcp", from: "vif1.0", format: "rfc3164", message: "" };
const base = fc.constantFrom<object>(
  log,
  log,
  { eventTime: "now", type: "dns", event: { a: [1, {}, -0.5] } },
  { event: {} },
);
const body = fc
  .tuple(base, fc.array(fc.tuple(key, value), { maxLength: 2 }), key)
  .map(([known, more, first]) => ({ ...(more.length > 1 && { [first]: 1 }), ...known, ...Object.fromEntries(more) }));
const kind = fc.constantFrom("guest.log", "ids.event", "net.drop", "usb.device");

test("what is plainly of its shape is so for JSON.parse and the schema too", () => {
  let plain = 0;
  fc.assert(
    fc.property(kind, body, fc.boolean(), (kind, made, canonical) => {
      const json = Buffer.from(
        canonical ? (canonicalOf(made) ?? JSON.stringify(made)) : (JSON.stringify(made).toWellFormed() as string),
      );
      const shape = shapeAt(Buffer.from(`${kind}"`), 0);
      if (!shape || bodyEnd(shape, json, 0, json.length) !== json.length) return;
      plain++;
      expect(bodySchema(kind)!.safeParse(JSON.parse(json.toString())).success).toBe(true);
    }),
    { numRuns: 2_000 },
  );
  expect(plain).toBeGreaterThan(20);
});

/** Nothing for what canonical JSON cannot say. */
function canonicalOf(made: unknown): string | undefined {
  try {
    return canonicalText(made as never);
  } catch {
    return undefined;
  }
}

test("a batch that is read off its bytes comes to what the careful reader makes of it, whatever it says", () => {
  const said = fc.record({
    kind,
    guest: fc.constantFrom("work", "a.b-c_1", "7"),
    severity: fc.constantFrom(...SEVERITIES),
    text,
    body,
  });
  const raw = fc.tuple(kind, fc.oneof(text, fc.json())).map(([kind, content]) => ({ kind, content }));
  fc.assert(
    fc.property(fc.array(fc.oneof(said, raw), { minLength: 1, maxLength: 6 }), (all) => {
      const sender = new Machine();
      sender.open();
      for (const each of all) {
        if ("content" in each) sender.sayRaw(each.kind, each.content.replace(/[\t\n]/g, " "));
        else if (canonicalOf({ text: each.text, body: each.body }) !== undefined) sender.say(each);
      }
      const batch = sender.batch(0, sender.records.length);
      expect(prepare(sender.id, batch)).toEqual(prepareCarefully(sender.id, batch));
    }),
    { numRuns: 300 },
  );
});

test("for every byte changed, cut or added the two readers of a batch agree", () => {
  fc.assert(
    fc.property(changed, (bytes) => {
      expect(prepare(machine.id, bytes)).toEqual(prepareCarefully(machine.id, bytes));
    }),
    { numRuns: 400 },
  );
  expect(prepare(machine.id, good).ok).toBe(true);
});

test("what agents write by the thousand is read off its bytes", () => {
  const lines = Buffer.from(`${machine.records[2]!.line}${machine.records[1]!.line}`);
  const line = new PlainLine();
  const second = line.read(lines, 0, 2);
  expect(lines.toString("utf8", line.textFrom, line.textTo)).toBe('"späte Tür \u2028"');
  expect(line.read(lines, second, 1)).toBe(lines.length);
  expect(line.read(lines, second, 2)).toBe(-1);
});

test("a body that nests without end, or holds a number past all numbers, is kept and marked", () => {
  const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  const bodies = [`{"a":${deep}}`, '{"a":1e999}'].map(
    (event) => `{"body":{"event":${event},"eventTime":"now","type":"dns"},"text":"dns"}`,
  );
  for (const content of [...bodies, `{"body":{"a":${deep}},"text":1}`, `{"body":{"a":${deep}}}`, deep]) {
    const sender = new Machine();
    sender.open();
    sender.sayRaw("ids.event", content);
    const read = prepare(sender.id, sender.batch(0, 2));
    if (!read.ok) throw new Error(read.error.reason);
    expect(read.value.rows.bytes.toString("latin1")).toMatch(/deeper than 64 levels/);
  }
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
