/** Partition tables that not every system reads: what one of them points to is listed, or the table is named. Each as a stick,
 *  and as a file on one. */
import { readFileSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MARKER } from "./clamd-server.ts";
import { extImage, fatImage, isoImage, layOut, ntfsImage, partitioned, run } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, told } from "./scanning.ts";

const absent = missing(...["clamd", "bwrap", "mkfs.vfat", "mkfs.ext4", "mkfs.ntfs", "ntfscp", "mcopy", "genisoimage"]);
const MIB = 1024 * 1024;

describe.skipIf(absent !== null)("a partition table", () => {
  let on: Scanning;
  let good: Buffer;
  let bad: Buffer;
  /** The bad one, with nothing in it that the scanner would find in its bytes. */
  let clean: Buffer;
  beforeAll(async () => {
    on = await scanning();
    good = readFileSync(fatImage(on.fresh("fat"), layOut(on.fresh("tree"), { "good.txt": "good\n" }), 16));
    bad = readFileSync(fatImage(on.fresh("fat"), layOut(on.fresh("tree"), { "bad.txt": MARKER }), 12));
    clean = Buffer.from(bad.toString("latin1").replaceAll(MARKER, "x".repeat(MARKER.length)), "latin1");
  });
  afterAll(() => on?.stop());

  const scan = (bytes: Buffer, policy = {}) => {
    const image = on.fresh("image");
    writeFileSync(image, bytes);
    return on.look(image, policy);
  };
  /** What becomes of it as a stick, in words, and as a file on one. */
  const both = async (bytes: Buffer) => {
    const stick = await scan(bytes);
    const folder = await on.look(layOut(on.fresh("stick"), { "disk.img": bytes }));
    return { stick, words: stick.problems ?? [], inFile: told(folder, "disk.img"), folder };
  };
  const entry = (type: number, from: number, count: number): Buffer => {
    const bytes = Buffer.alloc(16);
    bytes[4] = type;
    bytes.writeUInt32LE(from, 8);
    bytes.writeUInt32LE(count, 12);
    return bytes;
  };
  const mbr = (sector: Buffer, ...entries: Buffer[]): Buffer => {
    entries.forEach((each, index) => {
      each.copy(sector, 446 + index * 16);
    });
    sector.writeUInt16LE(0xaa55, 510);
    return sector;
  };
  /** The good FAT in a slice of this type, from the first mebibyte on. */
  const slice = (type: number, write: (start: Buffer) => void): Buffer => {
    const bytes = Buffer.alloc(MIB + good.length);
    good.copy(bytes, MIB);
    write(bytes.subarray(MIB));
    return mbr(bytes, entry(type, 2048, good.length / 512));
  };

  it("of Sun's in front of an ext4 is named; the same ext4 without one is clean", async () => {
    const tree = layOut(on.fresh("tree"), { "good.txt": "good\n" });
    const bytes = readFileSync(extImage(on.fresh("ext"), tree, "ext4", "^has_journal"));
    const plain = await both(bytes);
    expect([plain.stick.verdict, plain.inFile]).toEqual(["allow", "clean"]);
    // in blocks that the ext4 has free
    clean.copy(bytes, 8 * MIB);
    bytes.writeUInt32BE(1, 128);
    bytes.writeUInt16BE(8, 140);
    bytes.writeUInt32BE(0x600d_deee, 188);
    bytes.writeUInt16BE(1, 436);
    bytes.writeUInt16BE(16, 438);
    bytes.writeUInt32BE((8 * MIB) / 512 / 16, 444);
    bytes.writeUInt32BE(bad.length / 512, 448);
    bytes.writeUInt16BE(0xdabe, 508);
    let sum = 0;
    for (let at = 0; at < 510; at += 2) sum ^= bytes.readUInt16BE(at);
    bytes.writeUInt16BE(sum, 510);
    const { stick, words, inFile } = await both(bytes);
    expect([stick.verdict, words]).toEqual(["hold", ["it has a Sun label, which the gate does not read"]]);
    expect(inFile).toBe("unscannable: it has a Sun label, which the gate does not read");
  });

  it("inside of a slice is named: BSD's, Solaris', Minix'; the same slices without one are clean", async () => {
    const types = { bsd: 0xa5, solaris: 0x82, minix: 0x81 };
    const labelled = {
      "bsd.img": slice(types.bsd, (start) => {
        start.writeUInt32LE(0x8256_4557, 512);
        start.writeUInt32LE(0x8256_4557, 512 + 132);
      }),
      "solaris.img": slice(types.solaris, (start) => {
        start.writeUInt32LE(0x600d_deee, 524);
        start.writeUInt32LE(1, 528);
      }),
      "minix.img": slice(types.minix, (start) => mbr(start, entry(0x81, 8192, 2048))),
      "dynamic.img": slice(0x42, () => {}),
    };
    const plain = Object.entries(types).map(([name, type]) => [`${name}-plain.img`, slice(type, () => {})]);
    const body = await on.look(layOut(on.fresh("stick"), { ...labelled, ...Object.fromEntries(plain) }));
    const WHAT = {
      "bsd.img": "a BSD label",
      "solaris.img": "a Solaris label",
      "minix.img": "a Minix table of subpartitions",
      "dynamic.img": "the type of a dynamic disk of Windows",
    };
    for (const [name, what] of Object.entries(WHAT))
      expect(told(body, name)).toBe(`unscannable: its partition 1 has ${what}, which the gate does not read`);
    for (const [name] of plain) expect([name, findings(body)[name as string]]).toEqual([name, "clean"]);
    const stick = await scan(labelled["bsd.img"]);
    expect(stick.problems).toEqual(["its partition 1 has a BSD label, which the gate does not read"]);
    expect([stick.verdict, findings(stick)]).toEqual(["hold", { "good.txt": "clean" }]);
  });

  it("alone on a disk, with nothing else that the gate reads, is named too", async () => {
    const bytes = Buffer.alloc(4 * MIB);
    clean.copy(bytes, MIB);
    bytes.set([1], 454);
    bytes.write("GEM", 455);
    bytes.writeUInt32BE(2048, 458);
    bytes.writeUInt32BE(bad.length / 512, 462);
    const { words, inFile } = await both(bytes);
    expect(words).toEqual(["it has an Atari partition table, which the gate does not read"]);
    expect(inFile).toBe("unscannable: it has an Atari partition table, which the gate does not read");
  });

  describe("by sectors of 4,096 bytes", () => {
    const wide = (content: Record<string, string>): Buffer => {
      const image = on.fresh("wide");
      writeFileSync(image, Buffer.alloc(8 * MIB));
      run("mkfs.vfat", ["-S", "4096", "-s", "1", image]);
      const tree = layOut(on.fresh("tree"), content);
      for (const name of Object.keys(content)) run("mcopy", ["-i", image, `${tree}/${name}`, "::/"]);
      return readFileSync(image);
    };

    it("is read where those of 512 point to nothing", async () => {
      const part = wide({ "bad.txt": MARKER });
      const bytes = mbr(
        Buffer.concat([Buffer.alloc(MIB), part, part]),
        entry(0x0c, 256, part.length / 4096),
        entry(0x0c, 256 + part.length / 4096, part.length / 4096),
      );
      const { stick, words, folder } = await both(bytes);
      expect([stick.verdict, words, findings(stick)]).toEqual(["block", [], { "bad.txt": "infected" }]);
      expect(stick.manifest.map(({ partition }) => partition)).toEqual([1, 2]);
      expect(findings(folder)["disk.img!/1/bad.txt"]).toBe("infected");
      const honest = wide({ "good.txt": "good\n" });
      const plain = await both(mbr(Buffer.concat([Buffer.alloc(MIB), honest]), entry(0x0c, 256, honest.length / 4096)));
      expect([plain.stick.verdict, plain.words, plain.inFile]).toEqual(["allow", [], "clean"]);
    });

    it("is read with its logical partitions", async () => {
      const part = wide({ "bad.txt": MARKER });
      const bytes = Buffer.concat([Buffer.alloc(2 * MIB), part]);
      mbr(bytes, entry(0x05, 256, 256 + part.length / 4096));
      mbr(bytes.subarray(MIB), entry(0x0c, 256, part.length / 4096));
      const body = await scan(bytes);
      expect([findings(body), body.problems]).toEqual([{ "bad.txt": "infected" }, undefined]);
    });

    it("and one by 512 as well: what both point to is listed", async () => {
      const bytes = Buffer.alloc(MIB * 16 + bad.length);
      good.subarray(0, 2 * MIB).copy(bytes, MIB);
      readFileSync(fatImage(on.fresh("fat"), layOut(on.fresh("tree"), { "a.txt": "a" }), 12)).copy(bytes, MIB);
      bad.copy(bytes, 8 * MIB);
      const body = await scan(mbr(bytes, entry(0x0c, 2048, (2 * MIB) / 512)));
      expect(findings(body)).toEqual({ "a.txt": "clean", "bad.txt": "infected" });
    });
  });

  it("of Apple's on a disc made for booting is clean where it names what its other table names, else it is told", async () => {
    const iso = readFileSync(isoImage(on.fresh("iso"), layOut(on.fresh("tree"), { "good.txt": "good\n" })));
    const bytes = Buffer.concat([iso, clean]);
    mbr(bytes, entry(0x17, 0, iso.length / 512), entry(0xef, iso.length / 512, clean.length / 512));
    bytes.write("ER\x08\0", "latin1");
    for (const [index, from] of [1, iso.length / 2048].entries()) {
      const at = 2048 * (index + 1);
      bytes.write("PM", at);
      bytes.writeUInt32BE(2, at + 4);
      bytes.writeUInt32BE(from, at + 8);
      bytes.writeUInt32BE(1, at + 12);
    }
    const plain = await both(bytes);
    expect([plain.stick.verdict, plain.words, plain.inFile]).toEqual(["allow", [], "clean"]);
    const told = ["it has an Apple partition map, which the gate does not read"];
    const other = Buffer.concat([bytes, clean]);
    other.writeUInt32BE(bytes.length / 2048, 4096 + 8);
    expect((await both(other)).words).toEqual(told);
    bytes.fill(0, 446, 512);
    expect((await both(bytes)).words).toEqual(told);
  });

  it("of a RAID, or a volume group, in the room that a FAT keeps for itself is named: Linux puts that together first", async () => {
    const image = on.fresh("fat");
    writeFileSync(image, Buffer.alloc(2 * MIB));
    run("mkfs.vfat", ["-R", "32", image]);
    run("mcopy", ["-i", image, `${layOut(on.fresh("tree"), { "good.txt": "good" })}/good.txt`, "::/"]);
    const plain = readFileSync(image);
    expect((await both(plain)).inFile).toBe("clean");
    const raid = Buffer.from(plain);
    raid.writeUInt32LE(0xa92b_4efc, 4096);
    const group = Buffer.from(plain);
    group.write("LABELONE", 1536);
    for (const [bytes, what] of [
      [raid, "a part of a RAID of Linux, which the gate does not read as well"],
      [group, "an LVM volume, which the gate does not read as well"],
    ] as const) {
      const { stick, inFile } = await both(bytes);
      expect([stick.verdict, findings(stick)]).toEqual(["hold", { "good.txt": "clean" }]);
      expect(stick.partitions!.map(({ problem }) => problem)).toEqual([`it is ${what}`, undefined]);
      expect(inFile).toBe(`unscannable: it is ${what}`);
      const parted = await both(mbr(Buffer.concat([Buffer.alloc(MIB), bytes]), entry(0x0e, 2048, bytes.length / 512)));
      expect([parted.stick.verdict, parted.inFile]).toEqual(["hold", `unscannable: its partition 1 is ${what}`]);
    }
  });

  it("whose marks are wrong is told where a file system begins where it points, also past the end", async () => {
    const bytes = Buffer.concat([Buffer.alloc(MIB), clean]);
    const wrong = entry(0x0c, 2048, clean.length / 512 + 100);
    wrong[0] = 1;
    expect((await both(mbr(bytes, wrong))).words).toEqual([
      "its first sector is a partition table to some systems and none to others",
    ]);
  });

  it("with a partition that ends before it begins is told", async () => {
    const image = partitioned(on.fresh("gpt"), "gpt", [
      { image: fatImage(on.fresh("fat"), layOut(on.fresh("tree"), {}), 12), type: "L" },
    ]);
    const bytes = readFileSync(image);
    expect((await scan(bytes)).problems).toBeUndefined();
    const reseal = (header: number, entries: number) => {
      bytes.writeBigUInt64LE(bytes.readBigUInt64LE(entries + 32) - 2n, entries + 40);
      bytes.writeUInt32LE(crc32(bytes.subarray(entries, entries + 128 * 128)), header + 88);
      bytes.writeUInt32LE(0, header + 16);
      bytes.writeUInt32LE(crc32(bytes.subarray(header, header + 92)), header + 16);
    };
    reseal(512, 1024);
    reseal(bytes.length - 512, bytes.length - 33 * 512);
    const body = await scan(bytes);
    expect([body.verdict, body.problems![0]]).toEqual(["hold", "its GPT has a partition that ends before it begins"]);
  });

  it("is none on an NTFS over the whole stick, whose last sector repeats its first: it is the file system's own", async () => {
    const bytes = readFileSync(ntfsImage(on.fresh("ntfs"), { "good.txt": "good\n" }));
    const image = { present: "image" };
    const plain = await scan(bytes, image);
    expect([plain.verdict, plain.outside ?? []]).toEqual(["allow", []]);
    const folder = await on.look(layOut(on.fresh("stick"), { "disk.img": bytes }));
    expect(findings(folder)).toEqual({ "disk.img": "clean", "disk.img!/good.txt": "clean" });
    bytes.write("hidden", bytes.length - 200);
    const other = await scan(bytes, image);
    expect([other.verdict, other.outside]).toEqual(["hold", [{ from: bytes.length - 512, bytes: 512, zeros: false }]]);
  });
});
