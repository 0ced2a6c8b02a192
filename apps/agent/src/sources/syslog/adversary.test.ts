/** A guest that lies: in its counts, its names, its times and its bytes. Whatever it sends becomes records that hold every
 *  byte, say of whom they are by the way they came, and cost no more than others. */
import { contentBytes } from "@sallyport/shared/record/content.ts";
import { GuestLog } from "@sallyport/shared/record/guest.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { prepare } from "../../spool/prepare.ts";
import { guestMap } from "../guest.ts";
import { readDatagram } from "./datagram.ts";
import { type Frame, frames } from "./frames.ts";
import type { Origin } from "./record.ts";

const NOW = Date.parse("2026-11-24T09:00:00.000Z");
const guests = guestMap([{ id: "work" as never, addresses: ["10.0.0.5"] }]);
const origin: Origin = { via: "tcp", from: "10.0.0.5", guest: guests.byAddress("10.0.0.5") };
const read = (bytes: Buffer | string, max = 8192): Observation[] =>
  readDatagram({ bytes: Buffer.from(bytes), origin }, "any", max, NOW);
const bodyOf = (bytes: Buffer | string): GuestLog => GuestLog.parse(read(bytes)[0]!.body);
const rawOf = ({ body }: Observation): Buffer => {
  const { raw, rawBase64 } = body as GuestLog;
  return raw === undefined ? Buffer.from(rawBase64!, "base64") : Buffer.from(raw);
};

/** All frames of a stream that comes in these chunks. */
function framed(chunks: readonly Buffer[], max = 8192): Frame[] {
  const reader = frames(() => max);
  const found: Frame[] = [];
  for (const chunk of chunks)
    for (const frame of reader.push(chunk)) found.push({ ...frame, bytes: Buffer.from(frame.bytes) });
  return [...found, ...reader.rest().map((frame) => ({ ...frame, bytes: Buffer.from(frame.bytes) }))];
}
const cutInto = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, at) => bytes.subarray(from, places[at] ?? bytes.length));
};
const shown = (found: readonly Frame[]): string[] =>
  found.map((frame) => `${"unread" in frame ? "unread " : ""}${frame.bytes.toString("latin1")}`);

describe("a sender that lies in its octet counts", () => {
  it("is read the same however the stream is cut, and no byte behind a count is lost", () => {
    const message = fc.oneof(
      fc.constantFrom("<13>a: b", "<13>1 - - - - - - x", "", "12 ", "\n", "\0\0", "5 <1>"),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    );
    const lie = fc.constantFrom(0, 0, 0, 0, -3, 1, 7, 900, 99_999_999);
    const frame = fc.tuple(message, lie).map(([text, by]) => `${Math.max(1, text.length + by)} ${text}`);
    const stream = fc
      .tuple(
        fc.array(frame, { minLength: 1, maxLength: 8 }),
        fc.constantFrom("", "0 <13>x\n", "-4 y\n", "1e3 z\n", "99"),
      )
      .map(([all, end]) => Buffer.from(all.join("") + end, "latin1"));
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), fc.constantFrom(480, 8192), (bytes, cuts, max) => {
        const whole = framed([bytes], max);
        expect(shown(framed(cutInto(bytes, cuts), max))).toEqual(shown(whole));
        for (const each of whole) expect(each.bytes.length).toBeLessThanOrEqual(max);
        // what is no count is in a frame: letters and signs of messages all come out, in order
        const out = whole
          .filter((each) => !("unread" in each) || each.unread.startsWith("the connection"))
          .map((each) => each.bytes.toString("latin1"))
          .join("");
        const letters = (text: string) => text.replaceAll(/[^a-z<>:]/g, "");
        expect(letters(out)).toBe(letters(bytes.toString("latin1")));
      }),
      { numRuns: 600 },
    );
  });

  it("has what it hides in a larger count kept as one line, and cannot make it another's", () => {
    const [line] = framed([Buffer.from("40 <13>a: b\n17 <11>other: forged x")]);
    const record = read(Buffer.from(line!.bytes))[0]!;
    expect(record).toMatchObject({ guest: "work", body: { from: "10.0.0.5" } });
    expect(rawOf(record).toString()).toContain("other: forged");
  });

  it("costs no more by single bytes than by large ones", () => {
    const body = Buffer.alloc(131_072, 0x61);
    const stream = Buffer.concat([Buffer.from("131072 "), body]);
    const bytes = Array.from({ length: stream.length }, (_, at) => stream.subarray(at, at + 1));
    const started = performance.now();
    expect(framed(bytes, 131_072).map((frame) => frame.bytes.length)).toEqual([131_072]);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe("a line that lies of itself", () => {
  it("has its guest, its way and its time from dom0, whatever it says", () => {
    const time = fc.constantFrom(
      "1970-01-01T00:00:00Z",
      "9999-12-31T23:59:59.999Z",
      "2038-01-19T03:14:08+14:00",
      "Feb 31 25:61:61",
      "Jan  1 00:00:00",
      "-",
    );
    const name = fc.constantFrom(
      "dom0",
      "10.0.0.9",
      "quiet",
      "__proto__",
      "constructor",
      "../../etc",
      "\u202equiet",
      "😀".repeat(64),
    );
    const form = fc.constantFrom<(time: string, name: string) => string>(
      (when, who) => `<13>1 ${when} ${who} app - - [origin ip="10.0.0.9" guest="quiet"] x`,
      (when, who) => `<13>${when} ${who} app[1]: x`,
      (_, who) => `{"guest":"${who}","via":"console","from":"10.0.0.9"}`,
      (when, who) =>
        `<13>Nov 24 09:00:00 ${who} MSWinEventLog\t1\tSecurity\t1\t${when}\t1\t${who}\tN/A\tN/A\tInfo\t${who}\tx\t\tx`,
    );
    fc.assert(
      fc.property(time, name, form, (when, who, make) => {
        for (const each of read(make(when, who))) {
          expect(each).toMatchObject({ guest: "work", time: NOW, kind: "guest.log" });
          expect(GuestLog.parse(each.body)).toMatchObject({ via: "tcp", from: "10.0.0.5" });
        }
      }),
      { numRuns: 300 },
    );
  });

  it("of any bytes at all is written as what it is, and never as something that could not be read", () => {
    const piece = fc.constantFrom(
      ...'<13>|<191>|1 |2026-11-24T09:00:00Z |Nov 24 09:00:00 |host |app[1]: |- |[a b="|"]|\\|MSWinEventLog|#011|\t|\r|\n|\0|😀|é|\u202e|\u2028|{"a":{"a":|\u0085|  '.split(
        "|",
      ),
    );
    const bad = fc.constantFrom(
      Buffer.from([0xff]),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from([0xf0, 0x9f]),
      Buffer.from([0xc0, 0x80]),
    );
    const bytes = fc
      .array(
        fc.oneof(
          piece.map((text) => Buffer.from(text)),
          piece.map((text) => Buffer.from(text)),
          bad,
        ),
        { maxLength: 60 },
      )
      .chain((pieces) =>
        fc
          .constantFrom(1, 1, 1, 9, 400)
          .map((times) => Buffer.concat(Array<Buffer>(times).fill(Buffer.concat(pieces))).subarray(0, 70_000)),
      );
    fc.assert(
      fc.property(bytes, fc.constantFrom(480, 8192, 131_072), (line, max) => {
        const records = read(line, max);
        for (const each of records) {
          contentBytes(each);
          expect(prepare(each).kind).toBe("guest.log");
          expect(each.text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
        }
        expect(Buffer.concat(records.map(rawOf)).equals(line.at(-1) === 10 ? line.subarray(0, -1) : line)).toBe(true);
      }),
      { numRuns: 800 },
    );
  });
});

describe("an event of Windows that is more than one", () => {
  const snare = (source: string, computer = "PC-7", message = "text") =>
    `<13>Nov 24 09:00:00 MSWinEventLog\t1\tSecurity\t1\tTue Nov 24 09:00:00 2026\t4625\t${source}\tN/A\tN/A\tFailure Audit\t${computer}\tLogon\t\t${message}`;

  it("with a name cut in the middle of a character stays a record", () => {
    for (const text of [snare(`${"x".repeat(255)}😀y`), snare("s", `${"x".repeat(255)}😀y`)]) {
      const [record] = read(text);
      expect(prepare(record!).kind).toBe("guest.log");
      expect(GuestLog.parse(record!.body).format).toBe("snare");
    }
  });

  it("with tabs, marks and a second event in its text keeps them all in its text", () => {
    const body = bodyOf(snare("s", "PC-7", "one\ttwo\tMSWinEventLog\t1\tSystem\t9"));
    expect(body.event).toMatchObject({ log: "Security", eventId: "4625" });
    expect(body.message).toContain("two\tMSWinEventLog\t1\tSystem");
  });

  it("in JSON with names given twice, nested without end or cut short, is kept as it stands", () => {
    for (const json of [
      '{"winlog":{"event_id":1},"winlog":{"event_id":2}}',
      '{"a":'.repeat(1_000),
      `{"__proto__":{"x":1},"message":"\u0000"}`,
      '{"message":"cut',
    ]) {
      const line = `<14>1 2026-11-24T09:00:00Z PC-7 winlogbeat - - - ${json}`;
      expect(bodyOf(line)).toMatchObject({ format: "rfc5424", message: json, raw: line });
    }
  });
});
