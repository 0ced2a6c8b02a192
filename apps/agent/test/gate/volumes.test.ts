/** File systems that contradict themselves: what one system would open is listed or told, and what is whole is clean. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MARKER } from "./clamd-server.ts";
import { exfatImage, fatImage, layOut } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, told } from "./scanning.ts";

const absent = missing("clamd", "bwrap", "mkfs.vfat", "mkfs.exfat", "mcopy");

describe.skipIf(absent !== null)("file systems that contradict themselves", () => {
  let on: Scanning;
  beforeAll(async () => {
    on = await scanning();
  });
  afterAll(() => on?.stop());

  const scan = (bytes: Buffer) => {
    const image = on.fresh("image");
    writeFileSync(image, bytes);
    return on.look(image);
  };

  describe("exFAT", () => {
    /** A folder by its chain of two clusters, of which its entry names `size` bytes; the bad file is in the second, or
     *  in the first where there is none other. */
    const chained = (size: number | "whole", inFirst = false, more: { flags?: number; valid?: number } = {}) => {
      const volume = exfatVolume(on.fresh("exfat"));
      const bytes = size === "whole" ? volume.cluster * 2 : size;
      volume.chain(110, 111);
      volume.add(null, "folder", { first: 110, size: bytes, folder: true, ...more });
      volume.add(inFirst ? 110 : 111, "bad.txt", { first: volume.content(MARKER), size: MARKER.length });
      for (let at = 0; !inFirst && at < volume.cluster; at += 32) volume.bytes[volume.place(110) + at] = 0x05;
      return volume;
    };

    it("a folder is read to the end of its chain, and told where its size is another", async () => {
      const whole = await scan(chained("whole").bytes);
      expect(findings(whole)).toEqual({ "folder/bad.txt": "infected" });
      for (const size of [0, 4096]) {
        const body = await scan(chained(size).bytes);
        expect(findings(body)).toEqual({ folder: "unscannable", "folder/bad.txt": "infected" });
        expect(told(body, "folder")).toBe(
          `unscannable: is a folder of ${size} bytes by its entry and of 8192 by its clusters`,
        );
      }
    });

    it("one in a row of clusters, of no bytes or of two lengths, is read as far as any system goes", async () => {
      const none = await scan(chained(0, true, { flags: 3 }).bytes);
      expect(findings(none)).toEqual({ folder: "unscannable", "folder/bad.txt": "infected" });
      const long = await scan(chained(4096, false, { flags: 3, valid: 8192 }).bytes);
      expect(findings(long)).toEqual({ folder: "unscannable", "folder/bad.txt": "infected" });
      expect(told(long, "folder")).toBe("unscannable: is a folder of which only a part is said to be valid");
    });

    it("one whose chain breaks behind its first cluster is read so far, and told", async () => {
      const volume = chained(4096, true);
      volume.chain(110, 0);
      const body = await scan(volume.bytes);
      expect(findings(body)).toEqual({ folder: "unscannable", "folder/bad.txt": "infected" });
      expect(told(body, "folder")).toMatch(/^unscannable: names cluster 0 of/);
    });

    it("a set of records that is not whole is told", async () => {
      const volume = exfatVolume(on.fresh("exfat"));
      const first = volume.content(MARKER);
      const bad = { first, size: MARKER.length };
      volume.add(null, "good.txt", { first: volume.content("good"), size: 4 });
      volume.add(null, "many.txt", { ...bad, count: 5 });
      volume.add(null, "few.txt", { ...bad, count: 1 });
      volume.add(null, "none.txt", { ...bad, count: 0 });
      volume.add(null, "last.txt", { first: volume.content("last"), size: 4 });
      // what lies behind the folder's end is nobody's
      volume.at += 32;
      volume.add(null, "behind.txt", { ...bad, count: 5 });
      const body = await scan(volume.bytes);
      expect(findings(body)).toEqual({
        "good.txt": "clean",
        "many.txt": "unscannable",
        "few.txt": "unscannable",
        "none.txt": "unscannable",
        "last.txt": "clean",
      });
      expect(told(body, "many.txt")).toBe("unscannable: has a folder entry that is not whole (3 records of 6)");
    });

    it("what lies in a row to some systems and in a chain to others, or has another table that counts, is told", async () => {
      const volume = exfatVolume(on.fresh("exfat"));
      volume.add(null, "a.txt", { first: volume.content("a"), size: 1, flags: 7 });
      expect(told(await scan(volume.bytes), "a.txt")).toMatch(/^unscannable: lies in a row of clusters to some/);
      const tables = exfatVolume(on.fresh("exfat"));
      tables.bytes[106]! |= 1;
      tables.bytes[110] = 2;
      expect((await scan(tables.bytes)).reason).toMatch(/another allocation table/);
    });
  });

  it("a FAT with nine tables is one, as it is to Linux", async () => {
    for (const bits of [12, 16, 32] as const) {
      const two = readFileSync(fatImage(on.fresh("fat"), layOut(on.fresh("tree"), { "d/bad.txt": MARKER }), bits));
      const body = await scan(nineTables(two));
      expect(body.partitions!.map((area) => area.fileSystem)).toEqual([`fat${bits}`]);
      expect(findings(body)).toEqual({ "d/bad.txt": "infected" });
    }
  });
});

type Said = { first: number; size: number; valid?: number; flags?: number; folder?: boolean; count?: number };

/** An empty volume by mkfs.exfat, into which records are written as they are said; clusters of 4 KiB. */
function exfatVolume(image: string) {
  const bytes = readFileSync(exfatImage(image, { row: {}, pieces: {}, short: {}, folder: {} }));
  const sector = 2 ** bytes[108]!;
  const cluster = sector * 2 ** bytes[109]!;
  const fat = bytes.readUInt32LE(80) * sector;
  const heap = bytes.readUInt32LE(88) * sector;
  const place = (number: number) => heap + (number - 2) * cluster;
  let free = 200;
  const volume = {
    bytes,
    cluster,
    place,
    /** Where the next record of the root goes. */
    at: place(bytes.readUInt32LE(96)),
    chain(first: number, second?: number) {
      bytes.writeUInt32LE(second ?? 0xffff_ffff, fat + first * 4);
      if (second) volume.chain(second);
    },
    content(text: string): number {
      bytes.write(text, place(free));
      volume.chain(free);
      return free++;
    },
    /** Into the root, or at the start of a cluster. */
    add(into: number | null, name: string, { first, size, valid, flags, folder, count }: Said) {
      const names = Math.ceil(name.length / 15);
      const set = Buffer.alloc(32 * (2 + names));
      set[0] = 0x85;
      set[1] = count ?? 1 + names;
      set.writeUInt16LE(folder ? 0x10 : 0x20, 4);
      set[32] = 0xc0;
      set[33] = flags ?? 1;
      set[35] = name.length;
      set.writeBigUInt64LE(BigInt(valid ?? size), 40);
      set.writeUInt32LE(first, 52);
      set.writeBigUInt64LE(BigInt(size), 56);
      for (let at = 0; at < names; at++) {
        set[64 + at * 32] = 0xc1;
        Buffer.from(name, "utf16le").copy(set, 66 + at * 32, at * 30, at * 30 + 30);
      }
      let sum = 0;
      for (const [at, byte] of set.entries())
        if (at !== 2 && at !== 3) sum = ((((sum & 1) << 15) | (sum >> 1)) + byte) & 0xffff;
      set.writeUInt16LE(sum, 2);
      set.copy(bytes, into === null ? volume.at : place(into));
      if (into === null) volume.at += set.length;
    },
  };
  while (bytes[volume.at] !== 0) volume.at += 32;
  return volume;
}

/** Seven more copies of the table that it has twice. */
function nineTables(two: Buffer): Buffer {
  const sector = two.readUInt16LE(11);
  const from = two.readUInt16LE(14) * sector;
  const tableSectors = two.readUInt16LE(22) || two.readUInt32LE(36);
  const one = two.subarray(from, from + tableSectors * sector);
  const bytes = Buffer.concat([two.subarray(0, from), ...Array.from({ length: 7 }, () => one), two.subarray(from)]);
  bytes[16] = 9;
  const sectors = bytes.length / sector;
  bytes.writeUInt16LE(sectors < 0x1_0000 ? sectors : 0, 19);
  bytes.writeUInt32LE(sectors < 0x1_0000 ? 0 : sectors, 32);
  return bytes;
}
