import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cut, oneLine, wholeCharacters } from "./bytes.ts";
import { splitter } from "./lines.ts";
import { type Frame, frames } from "./syslog/frames.ts";

/** Cuts the bytes as a network would. */
function chunksOf(bytes: Buffer, cuts: number[]): Buffer[] {
  const places = [0, ...cuts.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, at) => bytes.subarray(places[at], place));
}
const cuts = fc.array(fc.nat(), { maxLength: 12 });

function framesOf(chunks: Buffer[], max = 480): Frame[] {
  const reader = frames(() => max);
  const found = chunks.flatMap((chunk) =>
    [...reader.push(chunk)].map((frame) => ({ ...frame, bytes: Buffer.from(frame.bytes) })),
  );
  return [...found, ...reader.rest()];
}
const texts = (found: Frame[]) =>
  found.map((frame) => ("unread" in frame ? `unread: ${frame.unread}` : String(frame.bytes)));

describe("a stream in lines", () => {
  it("gives the same pieces wherever it is cut, and each says where it ends", () => {
    const content = fc.array(fc.constantFrom("\n", "a", "é", "\u{1f600}", "x".repeat(300)), { maxLength: 60 });
    fc.assert(
      fc.property(content, cuts, fc.boolean(), (parts, places, more) => {
        const bytes = Buffer.from(parts.join("") + (more ? "" : "\n"));
        const read = (chunks: Buffer[]) => {
          const split = splitter({ lineBytesMax: () => 480 });
          const pieces = chunks.flatMap((chunk) =>
            [...split.push(chunk)].map((piece) => ({ ...piece, bytes: String(piece.bytes) })),
          );
          const rest = split.rest();
          return [...pieces, ...(rest ? [{ ...rest, bytes: String(rest.bytes) }] : [])];
        };
        const whole = read([bytes]);
        expect(read(chunksOf(bytes, places))).toEqual(whole);
        let last = 0;
        for (const piece of whole) {
          const stretch = bytes.toString("utf8", last, piece.end);
          expect(stretch === piece.bytes || stretch === `${piece.bytes}\n`).toBe(true);
          expect(Buffer.byteLength(piece.bytes)).toBeLessThanOrEqual(480);
          last = piece.end;
        }
        expect(last).toBe(bytes.length);
      }),
    );
  });

  it("goes on in the middle of a long line", () => {
    const split = splitter({ lineBytesMax: () => 480, parts: 2, start: 960 });
    expect([...split.push(Buffer.from("end\nnext\n"))]).toEqual([
      { bytes: Buffer.from("end"), end: 964, part: { number: 3, last: true } },
      { bytes: Buffer.from("next"), end: 969 },
    ]);
  });

  it("holds no more than a line, however slowly it drips", () => {
    const split = splitter({ lineBytesMax: () => 480 });
    for (let at = 0; at < 10_000; at++) {
      for (const _ of split.push(Buffer.from("x")));
      expect(split.held()).toBeLessThanOrEqual(480);
    }
  });

  it("ends a line at NUL too where told so, for a C library's sockets", () => {
    const split = splitter({ lineBytesMax: () => 480, endings: [0, 10] });
    expect([...split.push(Buffer.from("a\0b\nc\0\n"))].map((piece) => String(piece.bytes))).toEqual([
      "a",
      "b",
      "c",
      "",
    ]);
  });
});

describe("a TCP connection", () => {
  it("is read by octet counts where it begins with one, line feeds inside messages and all", () => {
    expect(texts(framesOf([Buffer.from("11 <13>a: b\nc\n10 <13>second")]))).toEqual(["<13>a: b\nc\n", "<13>second"]);
  });

  it("is read by lines where it begins otherwise, with a number or not", () => {
    expect(texts(framesOf([Buffer.from("<13>a\n42 answers\n")]))).toEqual(["<13>a", "42 answers"]);
    expect(texts(framesOf([Buffer.from("2026-11-24T09:00:00Z h a: b\nrest")]))).toEqual([
      "2026-11-24T09:00:00Z h a: b",
      "rest",
    ]);
    expect(texts(framesOf([Buffer.from("007 x\n")]))).toEqual(["007 x"]);
  });

  it("that breaks its counting is read on as lines, and says so", () => {
    expect(texts(framesOf([Buffer.from("3 abcoops\n5 hello")]))).toEqual([
      "abc",
      "unread: no octet count where one must stand; read on as lines",
      "oops",
      "5 hello",
    ]);
  });

  it("that ends in the middle of a frame keeps what came of it", () => {
    expect(framesOf([Buffer.from("50 <13>half")])).toEqual([
      { bytes: Buffer.from("<13>half"), unread: "the connection ended in a frame of 50 bytes, 42 short" },
    ]);
    expect(texts(framesOf([Buffer.from("12")]))).toEqual(["12"]);
  });

  it("gives the same frames wherever the network cuts it, and long ones in parts", () => {
    const message = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.nat(2000).map((n) => "é".repeat(n)),
    );
    fc.assert(
      fc.property(fc.array(message, { minLength: 1 }), cuts, (messages, places) => {
        const counted = messages
          .filter((text) => text !== "")
          .map((text) => Buffer.concat([Buffer.from(`${Buffer.byteLength(text)} `), Buffer.from(text)]));
        const found = framesOf(chunksOf(Buffer.concat(counted), places));
        let whole = "";
        const joined: string[] = [];
        for (const frame of found) {
          if ("unread" in frame) throw new Error(frame.unread);
          whole += String(frame.bytes);
          if (frame.part && !frame.part.last) continue;
          joined.push(whole);
          whole = "";
        }
        expect(joined).toEqual(messages.filter((text) => text !== "").map((text) => String(Buffer.from(text))));
      }),
    );
  });

  it("of any bytes loses none and never throws", () => {
    const begin = fc.constantFrom("", "5 ", "12 <13>", "1000000 ", "<13>");
    fc.assert(
      fc.property(begin, fc.uint8Array({ maxLength: 700 }), cuts, (start, array, places) => {
        const bytes = Buffer.concat([Buffer.from(start), array]);
        const kept = framesOf(chunksOf(bytes, places)).reduce((sum, frame) => sum + frame.bytes.length, 0);
        const endings = bytes.filter((byte) => byte === 10).length;
        const counts = [...bytes.toString("latin1").matchAll(/\d{1,9} /g)].reduce(
          (sum, [text]) => sum + text.length,
          0,
        );
        expect(kept).toBeGreaterThanOrEqual(bytes.length - endings - counts);
      }),
    );
  });
});

describe("text from bytes", () => {
  it("is cut between characters", () => {
    expect(cut("a\u{1f600}", 2)).toBe("a");
    const bytes = Buffer.from("aé\u{1f600}");
    expect([1, 2, 3, 4, 5, 6, 7].map((n) => wholeCharacters(bytes.subarray(0, n)))).toEqual([1, 1, 3, 3, 3, 3, 7]);
  });

  it("is one line of bounded length, well formed, with nothing that moves a cursor", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 3000 }), (text) => {
        const line = oneLine(text);
        expect(line.length).toBeLessThanOrEqual(1024);
        expect(line.isWellFormed()).toBe(true);
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
      }),
    );
  });
});
