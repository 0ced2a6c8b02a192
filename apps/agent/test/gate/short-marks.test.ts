/** What begins by chance as a container does is none, and what somebody opens as one is one. */
import { execFileSync } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { describe, expect, it } from "vitest";
import { containers } from "../../src/gate/reader/archives/format.ts";
import { bytesSource } from "../../src/gate/reader/source.ts";

const random = createCipheriv("aes-128-ctr", Buffer.alloc(16, "seed"), Buffer.alloc(16));
const HEAD_BYTES = 2048;
const ROUNDS = 3_000;

/** In words; what is left to 7z to say is none yet. */
const told = (bytes: Buffer): string[] =>
  containers(bytes, bytesSource(bytes), []).flatMap((found) =>
    found.how === "closed" ? [found.what] : found.how === "seven" ? (found.doubtful ? [] : [found.name]) : [found.how],
  );

/** Of that many files at random with these bytes in front, what they are taken for. */
function taken(put: (bytes: Buffer) => void, rounds = ROUNDS): string[] {
  const found = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const bytes = random.update(Buffer.alloc(HEAD_BYTES));
    put(bytes);
    for (const each of told(bytes)) found.add(each);
  }
  return [...found];
}
const begin =
  (...start: number[]) =>
  (bytes: Buffer) =>
    bytes.set(start);

/** Of 512 bytes, which add up to what its digits say where they have a sign. */
function tarAtRandom(bytes: Buffer): void {
  bytes.set([0x35, 0xe9], 148);
  const header = new Int8Array(bytes.buffer, bytes.byteOffset, 512);
  const wanted = 5 - 8 * 32;
  let sum = header.reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 0 : byte), 0);
  for (let at = 300; sum !== wanted; at++) {
    const step = Math.max(-128 - header[at]!, Math.min(127 - header[at]!, wanted - sum));
    header[at]! += step;
    sum += step;
  }
}

/** compress with codes of nine bits alone, and a letter for each: told to forget where they would need a tenth. */
function compressed(text: Buffer, flags: number): Buffer {
  const codes: number[] = [];
  let known = 257;
  const out: number[] = [0x1f, 0x9d, flags];
  let bits: number[] = [];
  const flush = () => {
    while (bits.length % 8 !== 0) bits.push(0);
    for (let at = 0; at < bits.length; at += 8)
      out.push(bits.slice(at, at + 8).reduce((byte, bit, index) => byte | (bit << index), 0));
    bits = [];
  };
  const say = (code: number) => {
    codes.push(code);
    for (let bit = 0; bit < 9; bit++) bits.push((code >> bit) & 1);
  };
  for (const letter of text) {
    say(letter);
    if (++known < 300) continue;
    say(256);
    while (bits.length % 72 !== 0) bits.push(0);
    flush();
    known = 257;
  }
  flush();
  return Buffer.from(out);
}

const line = (text: string) => Buffer.concat([Buffer.from(text, "latin1"), Buffer.alloc(40)]);

describe("a file of random bytes that begins by chance as something", () => {
  it.each<[string, (bytes: Buffer) => void, number?]>([
    ["compress", begin(0x1f, 0x9d)],
    [
      "a file in cpio's old form",
      (bytes) => {
        bytes.set([0xc7, 0x71]);
        bytes[7] = 0x81;
        // one in 256 ends as its name should
        if (bytes[26 + bytes.readUInt16LE(20) - 1] === 0) bytes[20]! ^= 0x80;
      },
    ],
    ["a script", (bytes) => bytes.set([0x23, 0x21, 0xe9, 0])],
    ["a tar by a signed checksum", tarAtRandom, 300],
    [
      "a message by OpenPGP",
      (bytes) => {
        bytes.set([0x85, 1, 0, 3]);
        bytes[12] = 1;
        bytes[3 + 256] = 0x17;
      },
    ],
  ])("is none: %s", (_, put, rounds) => {
    expect(taken(put, rounds)).toEqual([]);
  });

  it("is a script once in a hundred times that it begins with the mark of one", () => {
    let scripts = 0;
    for (let round = 0; round < 40_000; round++) {
      const bytes = random.update(Buffer.alloc(512));
      bytes.write("#!");
      if (told(bytes).length > 0) scripts += 1;
    }
    expect(scripts).toBeLessThan(400);
  });
});

describe("what somebody opens", () => {
  it.each([
    ["told to forget in between", 0x90, 200],
    ["of sixteen bits and no word for that", 0x10, 40],
    ["of nine bits", 0x89, 40],
    ["of three letters", 0x90, 3],
  ])("by gunzip is compress: %s", (_, flags, length) => {
    const text = random.update(Buffer.alloc(length));
    const bytes = compressed(text, flags);
    expect(execFileSync("gunzip", ["-c"], { input: bytes, stdio: ["pipe", "pipe", "ignore"] }).equals(text)).toBe(true);
    expect(told(bytes)).toEqual(["compress"]);
  });

  it("is a script by a path of any letters, a name, or a shell's own", () => {
    const lines = [
      "#!/bin/sh\n",
      "#! /opt/\xe9t\xe9/run -x\n",
      "#!/bin/sh\0",
      "#!./run\n",
      "#!python3\r\n",
      "#!\necho\n",
    ];
    for (const each of lines) expect([each, told(line(each))]).toEqual([each, [expect.stringMatching(/^a script/)]]);
  });

  it("is cpio's old form by a name that ends where it should, in both orders of bytes; or by 7z's word where it goes on behind its first file", () => {
    const header = Buffer.alloc(64);
    for (const [at, word] of [0o070707, 1, 2, 0o100644, 0, 0, 1, 0, 0, 0, 4, 0, 0].entries())
      header.writeUInt16LE(word, at * 2);
    header.write("abc\0", 26);
    const turned = Buffer.from(header);
    turned.subarray(0, 26).swap16();
    expect([told(header), told(turned)]).toEqual([["cpio"], ["cpio"]]);
    header[29] = 0x64;
    expect(containers(header, bytesSource(header), [])).toEqual([]);
    const asked = { how: "seven", type: "Cpio", name: "cpio", from: 0, doubtful: true };
    for (const order of ["writeUInt16LE", "writeUInt16BE"] as const) {
      const whole = Buffer.alloc(200);
      for (const [at, word] of [0o070707, 1, 2, 0o100644, 0, 0, 1, 0, 0, 0, 3, 0, 5].entries())
        whole[order](word, at * 2);
      whole.write("abc", 26);
      expect(containers(whole, bytesSource(whole), [])).toEqual([]);
      // behind three letters of name and five bytes, each with one more to fill up
      whole[order](0o070707, 26 + 4 + 6);
      expect(containers(whole, bytesSource(whole), [])).toEqual([asked]);
    }
  });
});
