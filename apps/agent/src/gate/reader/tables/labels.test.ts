import { createCipheriv } from "node:crypto";
import { describe, expect, it } from "vitest";
import { LABEL_BYTES, labelHead, labelIn, takenAsMbr } from "./labels.ts";

const SECTORS = 32_768;
const blank = (write: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.alloc(LABEL_BYTES);
  write(bytes);
  return bytes;
};
/** So that the words up to and with this one are zero together. */
const balanced = (bytes: Buffer, at: number): Buffer => {
  let sum = 0;
  for (let word = 0; word < at; word += 2) sum ^= bytes.readUInt16BE(word);
  bytes.writeUInt16BE(sum, at);
  return bytes;
};
const sun = () =>
  balanced(
    blank((bytes) => {
      bytes.writeUInt32BE(1, 128);
      bytes.writeUInt32BE(2048, 448);
      bytes.writeUInt16BE(0xdabe, 508);
    }),
    510,
  );
const bsd = (at: number) => (bytes: Buffer) => {
  bytes.writeUInt32LE(0x8256_4557, at);
  bytes.writeUInt32LE(0x8256_4557, at + 132);
};
const amiga = (sector: number, trash = 0) =>
  blank((bytes) => {
    const block = bytes.subarray(sector * 512);
    block.write("RDSK");
    block.writeUInt32BE(64, 4);
    block.writeUInt32BE(2 ** 32 - 0x5244_534b - 64, 8);
    block.writeUInt32BE(trash, 0xdc);
  });
const ics = () =>
  blank((bytes) => {
    bytes.writeUInt32LE(64, 0);
    bytes.writeUInt32LE(2048, 4);
    bytes.writeUInt32LE(0x5061_7274 + 64 + 8, 508);
  });
const karma = (from: number, kind = 0x4d) =>
  blank((bytes) => {
    bytes[286 + 4] = kind;
    bytes.writeUInt32LE(from, 286 + 8);
    bytes.writeUInt32LE(2048, 286 + 12);
    bytes.writeUInt16LE(0xab56, 510);
  });
const atariPart = (bytes: Buffer, at: number, id: string, from: number, count: number, flag = 1) => {
  bytes[at] = flag;
  bytes.write(id, at + 1, "latin1");
  bytes.writeUInt32BE(from, at + 4);
  bytes.writeUInt32BE(count, at + 8);
};
const atari = (...parts: [id: string, from: number, count: number, flag?: number][]) =>
  blank((bytes) => {
    for (const [index, part] of parts.entries()) atariPart(bytes, 454 + index * 12, ...part);
  });

describe("a partition table of another kind", () => {
  it.each<[string, Buffer, string?]>([
    ["a Sun label", sun()],
    ["a BSD label", blank(bsd(512))],
    ["a BSD label", blank(bsd(4096))],
    ["a BSD label of Alpha", blank(bsd(64))],
    ["a DragonFly label", blank((bytes) => bytes.writeUInt32LE(0xc446_4c59, 512))],
    [
      "a Solaris label",
      blank((bytes) => {
        bytes.writeUInt32LE(0x600d_deee, 524);
        bytes.writeUInt32LE(1, 528);
      }),
    ],
    [
      "a UnixWare label",
      blank((bytes) => {
        bytes.writeUInt32LE(0xca5e_600d, 29 * 512 + 4);
        bytes.writeUInt32LE(0x600d_deee, 29 * 512 + 156);
      }),
    ],
    [
      "a Minix table of subpartitions",
      blank((bytes) => {
        bytes[450] = 0x81;
        bytes.writeUInt16LE(0xaa55, 510);
      }),
      "0x81",
    ],
    ["the type of a dynamic disk of Windows", blank(() => {}), "0x42"],
    ["the type of a dynamic disk of Windows", blank(() => {}), "af9b60a0-1431-4f62-bc68-3311714a69ad"],
    ["the table of a dynamic disk of Windows", blank((bytes) => bytes.write("PRIVHEAD", 6 * 512))],
    ["an SGI label", blank((bytes) => bytes.writeUInt32BE(0x0be5_a941, 0))],
    [
      "an Ultrix label",
      blank((bytes) => {
        bytes.writeUInt32LE(0x03_2957, LABEL_BYTES - 72);
        bytes.writeUInt32LE(1, LABEL_BYTES - 68);
      }),
    ],
    ["an Apple partition map", blank((bytes) => bytes.write("PM\0\0", 512))],
    [
      "an Apple partition map",
      blank((bytes) => {
        bytes.write("ER\x02\0");
        bytes.write("PM\0\x01", 512);
      }),
    ],
    ["an Amiga partition table", amiga(0)],
    ["an Amiga partition table", amiga(15)],
    ["an Amiga partition table", amiga(3, 0x4d53_4f46)],
    ["a partition table of Acorn's ICS", ics()],
    ["a partition table of the Rio Karma", karma(100)],
    ["an Atari partition table", atari(["GEM", 2, 2048])],
    ["an Atari partition table", atari(["XGM", 2, 0])],
    ["an Atari partition table", atari(["éA9", 2, 2048])],
    // believable by one, with a partition by another
    ["an Atari partition table", atari(["RAW", 0, 0], ["\0\0\0", 4, 2 ** 31])],
    [
      "an Atari partition table",
      blank((bytes) => {
        atariPart(bytes, 454, "RAW", 0, 0);
        atariPart(bytes, 342, "GEM", 0, 0, 0);
        atariPart(bytes, 354, "LNX", 8, 2048);
      }),
    ],
  ])("is named: %s", (what, head, type) => {
    expect(labelIn(head, SECTORS, type)).toBe(`${what}, which the gate does not read`);
    // in a file, what only a partition's type says cannot be known, nor what Atari's own systems would not write
    if (type === undefined && !/éA9/.test(head.toString("latin1"))) expect(labelHead(head)).toBe(true);
  });

  it("is none where its checks fail: a bit off in a sum, a place past the end, another type", () => {
    const bent = sun();
    bent[200] = 1;
    const elsewhere = amiga(3);
    elsewhere[3 * 512 + 40] = 1;
    const off = ics();
    off[100] = 1;
    const subpartitions = blank((bytes) => {
      bytes[450] = 0x81;
      bytes.writeUInt16LE(0xaa55, 510);
    });
    const none = [bent, elsewhere, off, karma(SECTORS), karma(100, 0), subpartitions, Buffer.alloc(512)];
    none.push(atari(["GEM", SECTORS + 1, 1]), atari(["GEM", 2, SECTORS]), atari(["G M", 2, 8]), atari(["GEM", 2, 0]));
    none.push(atari(["GEM", 2, 8, 2]));
    expect(none.map((head) => labelIn(head, SECTORS))).toEqual(none.map(() => null));
  });

  it("is not Atari's where Linux takes the sector for an MBR, or for the first of a FAT", () => {
    const table = atari(["GEM", 2, 2048]);
    table.writeUInt16LE(0xaa55, 510);
    expect([takenAsMbr(table), labelIn(table, SECTORS)]).toEqual([true, null]);
    table[478] = 1;
    expect([takenAsMbr(table), labelIn(table, SECTORS)]).toEqual([false, expect.stringContaining("Atari")]);
    table[446] = 1;
    table.writeUInt16LE(1, 14);
    table.set([2], 16);
    table.set([0xf8], 21);
    expect([takenAsMbr(table), labelIn(table, SECTORS)]).toEqual([true, null]);
  });

  it("is not found in random bytes, in texts, or in zeros", () => {
    const random = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
    for (let round = 0; round < 2_000; round++) expect(labelHead(random.update(Buffer.alloc(LABEL_BYTES)))).toBe(false);
    expect(labelIn(Buffer.alloc(LABEL_BYTES, "It was the best of times. "), 2 ** 32)).toBe(null);
    expect(labelIn(Buffer.alloc(LABEL_BYTES), 2 ** 32)).toBe(null);
  });
});
