/** File systems that contradict themselves: what one system would open is listed or told, and what is whole is clean. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MARKER } from "./clamd-server.ts";
import { exfatImage, type Files, fatImage, layOut, ntfsImage, run } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, told } from "./scanning.ts";

const absent = missing(
  ...["clamd", "bwrap", "mkfs.vfat", "mkfs.exfat", "mcopy", "mkfs.ext4", "debugfs", "mkfs.ntfs", "ntfscp"],
);
const MIB = 1024 * 1024;

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

  describe("exFAT, of what is not written and of chains", () => {
    const rows = (body: Awaited<ReturnType<typeof scan>>) =>
      body.manifest.map(({ path, size, finding }) => [path, size, finding]).sort();

    it("a file that ends before its size is each of the files that systems make of it", async () => {
      const volume = exfatVolume(on.fresh("exfat"));
      const first = volume.content(`good${MARKER}`);
      volume.add(null, "bad.txt", { first, size: 500, valid: 4 });
      volume.add(null, "zeros.txt", { first: volume.content("good"), size: 500, valid: 4 });
      volume.add(null, "none.txt", { first: volume.content(""), size: 500, valid: 0 });
      expect(rows(await scan(volume.bytes))).toEqual([
        ["bad.txt", 4, "clean"],
        ["bad.txt", 500, "clean"],
        ["bad.txt", 500, "infected"],
        ["none.txt", 500, "clean"],
        ["zeros.txt", 4, "clean"],
        ["zeros.txt", 500, "clean"],
      ]);
    });

    it("a chain in a circle ends, whatever the boot sector says there is", async () => {
      const volume = exfatVolume(on.fresh("exfat"));
      volume.chain(110, 111);
      volume.bytes.writeUInt32LE(110, volume.table(111));
      volume.bytes.writeUInt32LE(0xffff_fff0, 92);
      volume.add(null, "long.bin", { first: 110, size: 2 ** 43 });
      volume.add(null, "short.bin", { first: 110, size: 4 * MIB });
      const body = await scan(volume.bytes);
      expect(told(body, "long.bin")).toMatch(/^unscannable: is said to have 2147483648 clusters of/);
      expect(told(body, "short.bin")).toBe("unscannable: has a chain of clusters that runs in a circle");
    });
  });

  describe("FAT", () => {
    const made = (tree: Files, bits: 12 | 16 | 32): Buffer =>
      readFileSync(fatImage(on.fresh("fat"), layOut(on.fresh("tree"), tree), bits));
    const tableAt = (bytes: Buffer) => bytes.readUInt16LE(14) * bytes.readUInt16LE(11);
    const rootAt = (bytes: Buffer) => tableAt(bytes) + bytes[16]! * bytes.readUInt16LE(22) * bytes.readUInt16LE(11);

    it("one that says it has fewer sectors than its tables take, or none, is told", async () => {
      for (const bits of [16, 32] as const)
        for (const sectors of [0, 3]) {
          const bytes = made({ "bad.txt": MARKER }, bits);
          bytes.writeUInt16LE(0, 19);
          bytes.writeUInt32LE(sectors, 32);
          const body = await scan(bytes);
          expect(body.partitions![0]!.problem).toMatch(/^a FAT that says it has fewer sectors/);
        }
    });

    it("what is recorded as a folder itself and has a long name, or is a file, is told", async () => {
      const bytes = made({ "good.txt": "good", "a longer name.txt": MARKER }, 16);
      const at = rootAt(bytes);
      const short = bytes.indexOf("ALONGE~1TXT", at);
      const clean = Buffer.from(bytes);
      bytes.write(".          ", short, "latin1");
      const sum = [...bytes.subarray(short, short + 11)].reduce(
        (had, byte) => (((had & 1) << 7) + (had >> 1) + byte) & 255,
        0,
      );
      for (const back of [32, 64]) bytes[short - back + 13] = sum;
      expect(findings(await scan(bytes))).toEqual({ "good.txt": "clean", "a longer name.txt": "unscannable" });
      clean.write(".          ", short, "latin1");
      clean.fill(0xe5, short - 64, short);
      expect(Object.values(findings(await scan(clean))).sort()).toEqual(["clean", "unscannable"]);
    });

    it("one whose clusters are FAT12's to some and FAT16's to others, or lie in two places, is told", async () => {
      const sized = (clusters: number) => {
        const bytes = made({}, 16);
        const sectors = (rootAt(bytes) + bytes.readUInt16LE(17) * 32) / 512 + clusters * bytes[13]!;
        bytes.writeUInt16LE(sectors, 19);
        bytes.writeUInt32LE(0, 32);
        return scan(bytes);
      };
      for (const clusters of [4085, 4086])
        expect((await sized(clusters)).reason).toBe(
          `the medium: with ${clusters} clusters it is FAT12 to some systems and FAT16 to others`,
        );
      for (const clusters of [4084, 4087]) expect((await sized(clusters)).partitions![0]!.problem).toBe(undefined);
      for (const [bits, entries] of [
        [16, 500],
        [32, 16],
      ] as const) {
        const bytes = made({}, bits);
        bytes.writeUInt16LE(entries, 17);
        expect((await scan(bytes)).reason).toMatch(/its root folder's size is one with which systems/);
      }
    });

    it("a chain in a circle ends", async () => {
      const bytes = made({ "a.bin": Buffer.alloc(20_000, "a") }, 16);
      const at = bytes.indexOf("A       BIN", rootAt(bytes));
      const first = bytes.readUInt16LE(at + 26);
      bytes.writeUInt16LE(first, tableAt(bytes) + (first + 1) * 2);
      bytes.writeUInt32LE(10 * MIB, at + 28);
      expect(told(await scan(bytes), "a.bin")).toBe("unscannable: has a chain of clusters that runs in a circle");
      bytes.writeUInt32LE(0xffff_ffff, at + 28);
      expect(told(await scan(bytes), "a.bin")).toMatch(/^unscannable: is said to have \d+ clusters of/);
    });
  });

  describe("ext", () => {
    const made = (tree: Files, size: string, ...flags: string[]): Buffer => {
      const image = on.fresh("ext");
      run("mke2fs", ["-q", "-F", ...flags, "-d", layOut(on.fresh("tree"), tree), image, size]);
      return readFileSync(image);
    };
    const PLAIN = "^has_journal,^metadata_csum,^resize_inode,^64bit,^flex_bg,^orphan_file";

    it("whose first group is said to begin elsewhere is read where its descriptors are, and told", async () => {
      const bytes = made({ "file.txt": MARKER }, "4096", "-t", "ext4", "-b", "4096", "-O", PLAIN);
      const block = (number: number) => bytes.subarray(number * 4096);
      // where others look, another table of inodes, by which the file is another one
      const table = block(1).readUInt32LE(8);
      const inodeBytes = bytes.readUInt16LE(1024 + 88);
      block(table).copy(block(2000), 0, 0, bytes.readUInt32LE(1024 + 40) * inodeBytes);
      block(2000).writeUInt32LE(3500, 11 * inodeBytes + 40 + 20);
      block(3500).fill("good", 0, 4096);
      block(1).copy(block(2), 0, 0, 32);
      block(2).writeUInt32LE(2000, 8);
      bytes.writeUInt32LE(1, 1024 + 20);
      const body = await scan(bytes);
      expect(findings(body)).toEqual({ "file.txt": "infected" });
      expect(body.partitions![0]!.problem).toMatch(/^its first group begins at block 1, where some systems look/);
    });

    it("with clusters of 1 KiB blocks, and with descriptors in its groups and two copies of its superblock, is clean", async () => {
      const few = { "d/a.txt": "a", "b.txt": "b".repeat(5_000), "d/small.txt": "s".repeat(100) };
      const many: Files = Object.fromEntries(Array.from({ length: 252 }, (_, at) => [`${at}.txt`, `${at}`]));
      const volumes: [Files, Buffer][] = [
        [few, made(few, "16384", "-t", "ext4", "-b", "1024", "-O", "bigalloc")],
        [few, made(few, "16384", "-t", "ext4", "-b", "1024", "-O", "bigalloc,meta_bg,^resize_inode", "-g", "2048")],
        [few, made(few, "16384", "-t", "ext4", "-b", "1024", "-O", "inline_data")],
        // its last group begins a block of descriptors and has a copy
        [many, made(many, "8449", "-b", "1024", "-g", "256", "-N", "264", "-O", "sparse_super2,meta_bg,^resize_inode")],
      ];
      for (const [tree, bytes] of volumes) {
        const body = await scan(bytes);
        expect(findings(body)).toEqual(Object.fromEntries(Object.keys(tree).map((name) => [name, "clean"])));
        expect([body.verdict, body.problems]).toEqual(["allow", undefined]);
      }
    });

    it("a file that is marked as lying in its inode, or as having extents, where that is not so to all, is told", async () => {
      const flagged = (flags: string, incompat: (before: number) => number, ...mke2fs: string[]) => {
        const image = on.fresh("ext");
        writeFileSync(image, made({ "bad.txt": MARKER }, "4096", "-b", "1024", ...mke2fs));
        if (flags !== "") run("debugfs", ["-w", "-R", `set_inode_field bad.txt flags ${flags}`, image]);
        const bytes = readFileSync(image);
        bytes.writeUInt32LE(incompat(bytes.readUInt32LE(1024 + 96)), 1024 + 96);
        return scan(bytes);
      };
      const inside = /^unscannable: lies inside its inode to some systems/;
      const ext4 = ["-t", "ext4", "-O", PLAIN];
      expect(told(await flagged("", (had) => had | 0x8000, "-t", "ext2"), "bad.txt")).toMatch(/^infected/);
      expect(told(await flagged("0x10000000", (had) => had | 0x8000, "-t", "ext2"), "bad.txt")).toMatch(inside);
      expect(told(await flagged("0x10000000", (had) => had, "-t", "ext2"), "bad.txt")).toMatch(inside);
      expect(told(await flagged("0x10080000", (had) => had | 0x8000, ...ext4), "bad.txt")).toMatch(inside);
      expect(told(await flagged("", (had) => had & ~0x40, ...ext4), "/")).toMatch(
        /^unscannable: has an extent tree, of which its file system has none/,
      );
    });

    const numberOf = (bytes: Buffer, path: string): number => {
      const image = on.fresh("ext");
      writeFileSync(image, bytes);
      return Number(/Inode: (\d+)/.exec(run("debugfs", ["-R", `stat ${path}`, image]))![1]);
    };
    /** The bytes of a file's inode, in the only group that there is. */
    const inodeIn = (bytes: Buffer, path: string): Buffer => {
      const block = 1024 << bytes.readUInt32LE(1024 + 24);
      const size = bytes.readUInt16LE(1024 + 88);
      const at = bytes.readUInt32LE(block === 1024 ? 2048 + 8 : block + 8) * block + (numberOf(bytes, path) - 1) * size;
      return bytes.subarray(at, at + size);
    };
    const kib = ["-b", "1024", "-t", "ext4", "-O"];

    it("a folder in blocks that are marked as not written, which Linux reads all the same, is told", async () => {
      const bytes = made({ "good.txt": "good", "d/bad.txt": MARKER }, "4096", ...kib, PLAIN);
      expect((await scan(bytes)).verdict).toBe("block");
      const inode = inodeIn(bytes, "d");
      inode.writeUInt16LE(inode.readUInt16LE(40 + 16) + 0x8000, 40 + 16);
      const body = await scan(bytes);
      expect(body.verdict).toBe("hold");
      expect(told(body, "d")).toBe("unscannable: is a folder in blocks that are marked as not written");
    });

    it("a folder is read to the end of its blocks, and told where its size is another", async () => {
      const tree = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`d/${"n".repeat(60)}${at}`, `${at}`]));
      const bytes = made(tree, "4096", "-b", "1024", "-t", "ext2", "-O", "^dir_index");
      expect((await scan(bytes)).verdict).toBe("allow");
      const inode = inodeIn(bytes, "d");
      expect(inode.readUInt32LE(4)).toBe(2048);
      inode.writeUInt32LE(1024, 4);
      const body = await scan(bytes);
      expect(findings(body)).toEqual({
        ...Object.fromEntries(Object.keys(tree).map((name) => [name, "clean"])),
        d: "unscannable",
      });
      expect(told(body, "d")).toBe("unscannable: is a folder of 1024 bytes by its inode and of 2048 by its blocks");
    });

    it("a folder in its inode, of which a record reaches into what lies behind, is told", async () => {
      const tree = { "good.txt": "good", "d/a": "a", "hidden.txt": MARKER };
      const bytes = made(tree, "4096", ...kib, `${PLAIN},inline_data`);
      const inode = inodeIn(bytes, "d");
      expect(inode.readUInt32LE(32) & 0x1000_0000).not.toBe(0);
      // one record more, where Linux looks for a name, and which a record before it takes for its own room
      const first = 128 + inode.readUInt16LE(128) + 4;
      const record = inode.subarray(inode.length - 32);
      inode.writeUInt16LE(inode.length - 32 - first, first + 2);
      inode.writeUInt32LE(32, first + 8);
      record.writeUInt32LE(numberOf(bytes, "hidden.txt"), 0);
      record.writeUInt16LE(32, 4);
      record.set([6, 1], 6);
      record.write("hidden", 8);
      inode.writeUInt32LE(92, 4);
      const plain = await scan(bytes);
      expect(Object.keys(findings(plain)).sort()).toEqual(["d/a", "d/hidden", "good.txt", "hidden.txt"]);
      inode.writeUInt16LE(56 + 32, 44 + 4);
      const body = await scan(bytes);
      expect(told(body, "d")).toBe("unscannable: is a folder with a record that ends outside it");
    });

    it("a file whose extents lie elsewhere than the tree over them says is told", async () => {
      const holes = Buffer.concat(
        Array.from({ length: 100 }, () => Buffer.concat([Buffer.alloc(1024, "x"), Buffer.alloc(1024)])),
      );
      const bytes = made({ "file.bin": holes }, "4096", ...kib, PLAIN);
      const plain = await scan(bytes);
      expect(plain.verdict).toBe("allow");
      const inode = inodeIn(bytes, "file.bin");
      expect([inode.readUInt16LE(46), inode.readUInt16LE(42)]).toEqual([1, 2]);
      inode.writeUInt32LE(inode.readUInt32LE(40 + 24) - 3, 40 + 24);
      expect(told(await scan(bytes), "file.bin")).toBe(
        "unscannable: has an extent tree whose parts lie elsewhere than it says",
      );
    });

    it("a file whose extents are out of order is told, past its end too: some systems look for none behind that one", async () => {
      const holed = Buffer.concat([
        ...[0, 1].flatMap(() => [Buffer.alloc(1024, "x"), Buffer.alloc(1024)]),
        Buffer.alloc(1024, "y"),
      ]);
      const bytes = made({ "file.bin": holed }, "4096", ...kib, PLAIN);
      expect((await scan(bytes)).verdict).toBe("allow");
      const inode = inodeIn(bytes, "file.bin");
      expect([inode.readUInt16LE(46), inode.readUInt16LE(42), inode.readUInt32LE(40 + 24)]).toEqual([0, 3, 2]);
      inode.writeUInt32LE(1000, 40 + 24);
      expect(told(await scan(bytes), "file.bin")).toBe("unscannable: has a map of blocks that runs backwards");
      // what was set aside behind the end is in order
      inode.writeUInt32LE(2, 40 + 24);
      inode.writeUInt32LE(1000, 40 + 36);
      expect((await scan(bytes)).verdict).toBe("allow");
    });

    it("a journal that holds changes is told where the superblock says that there are none too", async () => {
      const image = on.fresh("ext");
      writeFileSync(image, made({ "a.txt": "a" }, "8192", ...kib, "^metadata_csum,^64bit", "-J", "size=1"));
      expect((await on.look(image)).verdict).toBe("allow");
      const block = on.fresh("block");
      writeFileSync(block, Buffer.alloc(1024, MARKER));
      run("debugfs", ["-w", "-f", "-", image], `jo\njw -b 1500 ${block}\njc\n`);
      const bytes = readFileSync(image);
      expect(bytes.readUInt32LE(1024 + 96) & 4).toBe(4);
      bytes.writeUInt32LE(bytes.readUInt32LE(1024 + 96) & ~4, 1024 + 96);
      const body = await scan(bytes);
      expect([body.verdict, body.partitions![0]!.problem]).toEqual([
        "hold",
        expect.stringMatching(/^its journal holds/),
      ]);
    });

    it("a root that cannot be read has a row with a name", async () => {
      const bytes = made({ "a.txt": "a" }, "4096", "-b", "1024", "-t", "ext2");
      bytes.writeUInt32LE(0xffff_ff00, 2048 + 8);
      expect(told(await scan(bytes), "/")).toMatch(/^unscannable: points to byte/);
    });
  });

  describe("NTFS", () => {
    it("a small volume that comes out of an archive, and so lies in memory, is clean", async () => {
      const folder = layOut(on.fresh("folder"), {});
      const image = `${folder}/small.img`;
      writeFileSync(image, Buffer.alloc(6 * MIB));
      run("mkfs.ntfs", ["-q", "-F", "-f", image]);
      writeFileSync(`${folder}/a.txt`, "a");
      run("ntfscp", ["-f", image, `${folder}/a.txt`, "a.txt"]);
      run("gzip", [image]);
      const body = await on.look(folder);
      expect(told(body, "small.img.gz!/small.img")).toBe("clean");
      expect(findings(body)["small.img.gz!/small.img!/a.txt"]).toBe("clean");
    });

    const put = (image: string, content: string, name: string, ...flags: string[]) => {
      const part = on.fresh("part");
      writeFileSync(part, content);
      run("ntfscp", ["-f", ...flags, image, part, name]);
    };
    const two = () => ntfsVolume(ntfsImage(on.fresh("ntfs"), { "file.txt": "good", "other.txt": MARKER }));

    it("a record with many attributes keeps some in others, and is clean", async () => {
      const image = ntfsImage(on.fresh("ntfs"), { "file.txt": "good" });
      for (let at = 0; at < 16; at++) put(image, `${at} `.repeat(30), "file.txt", "-N", `stream${at}`);
      expect(
        ntfsVolume(image)
          .attributes(64)
          .some((each) => each.readUInt32LE(0) === 0x20),
      ).toBe(true);
      const body = await on.look(image);
      expect(Object.keys(findings(body)).length).toBe(17);
      expect([body.verdict, body.problems]).toEqual(["allow", undefined]);
    });

    it("a list of attributes that names another stream than the one beside it is told", async () => {
      const volume = two();
      const [own, other] = [volume.attributes(64), volume.attributes(65)];
      const data = other.find((each) => each.readUInt32LE(0) === 0x80)!;
      volume.write(65, [data], (record) => record.writeBigUInt64LE((1n << 48n) | 64n, 32));
      const named = (each: Buffer, record: number) => {
        const line = Buffer.alloc(32);
        line.writeUInt32LE(each.readUInt32LE(0), 0);
        line.set([32, 0, 0, 26], 4);
        line.writeBigUInt64LE((1n << 48n) | BigInt(record), 16);
        line.writeUInt16LE(each.readUInt16LE(14), 24);
        return line;
      };
      const isData = (each: Buffer) => each.readUInt32LE(0) === 0x80;
      const lines = [...own.filter((each) => !isData(each)).map((each) => named(each, 64)), named(data, 65)];
      const list = Buffer.concat([Buffer.alloc(24), ...lines]);
      list.writeUInt32LE(0x20, 0);
      list.writeUInt32LE(list.length, 4);
      list.writeUInt16LE(99, 14);
      list.writeUInt32LE(list.length - 24, 16);
      list.writeUInt16LE(24, 20);
      const at = own.findIndex((each) => each.readUInt32LE(0) > 0x20);
      volume.write(64, [...own.slice(0, at), list, ...own.slice(at)]);
      // what ntfs-3g opens by the name of the good one
      expect(run("ntfscat", ["-f", volume.image, "file.txt"])).toBe(MARKER);
      const body = await on.look(volume.image);
      expect(findings(body)).toEqual({ "$Orphan/record-64": "unscannable" });
      expect(told(body, "$Orphan/record-64")).toBe("unscannable: has an attribute that its list does not name");
    });

    it("a record that says it is a part of another, and is opened by its name all the same, is told", async () => {
      const volume = two();
      volume.write(65, volume.attributes(65), (record) => record.writeBigUInt64LE((1n << 48n) | 70n, 32));
      expect(run("ntfscat", ["-f", volume.image, "other.txt"])).toBe(MARKER);
      const body = await on.look(volume.image);
      expect(findings(body)).toEqual({ "file.txt": "clean", "$Orphan/record-65": "unscannable" });
    });

    it("what lies in the volume's own files, and is not what belongs there, is listed", async () => {
      const image = ntfsImage(on.fresh("ntfs"), { "a.txt": "a" });
      expect(findings(await on.look(image))).toEqual({ "a.txt": "clean" });
      put(image, MARKER, "$AttrDef", "-N", "$SDS");
      put(image, MARKER, "$AttrDef");
      const volume = ntfsVolume(image);
      const spare = volume.attributes(12);
      const file = volume.attributes(64).find((each) => each.readUInt32LE(0) === 0x80)!;
      volume.write(12, [...spare.filter((each) => each.readUInt32LE(0) !== 0x80), file]);
      expect(findings(await on.look(image))).toEqual({
        "a.txt": "clean",
        "$Own/record-4": "infected",
        "$Own/record-4:$SDS": "infected",
        "$Own/record-12": "clean",
      });
    });

    it("a record that is in use and has lost its mark, which Linux does not ask for, is told", async () => {
      for (const mark of ["BAAD", "\0\0\0\0"]) {
        const volume = two();
        volume.bytes.write(mark, volume.place(65));
        writeFileSync(volume.image, volume.bytes);
        const body = await on.look(volume.image);
        expect(findings(body)).toEqual({ "file.txt": "clean", "$Orphan/record-65": "unscannable" });
        volume.bytes[volume.place(65) + 22]! &= ~1;
        writeFileSync(volume.image, volume.bytes);
        expect(findings(await on.look(volume.image))).toEqual({ "file.txt": "clean" });
      }
    });

    it("a record whose header has another number of sectors than it, which not all believe, is told", async () => {
      const volume = two();
      volume.bytes.writeUInt16LE(1, volume.place(65) + 6);
      writeFileSync(volume.image, volume.bytes);
      expect(told(await on.look(volume.image), "$Orphan/record-65")).toBe(
        "unscannable: has a record that keeps aside more or less than its sectors",
      );
    });

    it("a name for a record behind the table's end is told; a folder of many names is clean", async () => {
      const names = Array.from({ length: 50 }, (_, at) => `${"n".repeat(40)}${at}`);
      const volume = ntfsVolume(ntfsImage(on.fresh("ntfs"), Object.fromEntries(names.map((name) => [name, "good"]))));
      const plain = await on.look(volume.image);
      expect([plain.verdict, plain.manifest.length]).toEqual(["allow", names.length]);
      // how far the table was written to: Linux reads on where it has room
      const table = volume.attributes(0).map((each) => {
        if (each.readUInt32LE(0) === 0x80) each.writeBigUInt64LE(BigInt(108 * 1024), 56);
        return each;
      });
      volume.write(0, table);
      const body = await on.look(volume.image);
      expect(body.verdict).toBe("hold");
      const held = body.manifest.filter(({ finding }) => finding !== "clean");
      expect(held.length).toBeGreaterThan(2);
      for (const { path, detail } of held)
        expect([names, detail]).toEqual([
          expect.arrayContaining([path]),
          expect.stringMatching(/^is a name for a record behind the table's end, 1\d\d$/),
        ]);
      expect(body.manifest.length).toBe(names.length);
    });

    it("one that ends with a boot sector by which its table is elsewhere is told", async () => {
      const { image, bytes } = two();
      expect(bytes.subarray(-512)).toEqual(bytes.subarray(0, 512));
      bytes[bytes.length - 512 + 72]! ^= 1;
      writeFileSync(image, bytes);
      expect((await on.look(image)).partitions![0]!.problem).toBeUndefined();
      bytes[bytes.length - 512 + 48]! ^= 1;
      writeFileSync(image, bytes);
      const body = await on.look(image);
      expect([body.verdict, body.partitions![0]!.problem]).toEqual([
        "block",
        "it ends with a boot sector that says otherwise than its first one, which Linux turns to",
      ]);
    });

    it("one of the volume's own records that an index names as a file is told", async () => {
      const volume = ntfsVolume(ntfsImage(on.fresh("ntfs"), { "a.txt": "a" }));
      // the sequence of a record is its number, by which the name points to it as well
      volume.rename("a.txt", (2n << 48n) | 2n);
      const log = execFileSync("ntfscat", ["-f", volume.image, "a.txt"], { maxBuffer: 4 * MIB });
      expect(log.length).toBe(2 * MIB);
      const body = await on.look(volume.image);
      expect(body.manifest.map((row) => `${row.path}: ${row.detail ?? row.finding}`).sort()).toEqual([
        "a.txt: clean",
        "a.txt: is a name for the volume's own record 2",
      ]);
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
    table: (number: number) => fat + number * 4,
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

/** Records of the master file table, with their fix-ups undone and done. */
function ntfsVolume(image: string) {
  const bytes = readFileSync(image);
  const table = Number(bytes.readBigUInt64LE(48)) * bytes.readUInt16LE(11) * bytes[13]!;
  const place = (number: number) => table + number * 1024;
  const read = (number: number): Buffer => {
    const record = Buffer.from(bytes.subarray(place(number), place(number) + 1024));
    const kept = record.readUInt16LE(4);
    for (const at of [1, 2]) record.copy(record, at * 512 - 2, kept + at * 2, kept + at * 2 + 2);
    return record;
  };
  return {
    image,
    bytes,
    place,
    /** To which record the indexes' entries of this name point. */
    rename(name: string, to: bigint) {
      const letters = Buffer.from(name, "utf16le");
      for (let at = bytes.indexOf(letters); at >= 0; at = bytes.indexOf(letters, at + 1))
        // an index's entry has the reference where a record's own has its attribute's header
        if ((bytes.readBigUInt64LE(at - 82) & 0xffff_ffff_ffffn) === 64n) bytes.writeBigUInt64LE(to, at - 82);
      writeFileSync(image, bytes);
    },
    attributes(number: number): Buffer[] {
      const record = read(number);
      const found: Buffer[] = [];
      for (let at = record.readUInt16LE(20); record.readUInt32LE(at) !== 0xffff_ffff; ) {
        const length = record.readUInt32LE(at + 4);
        found.push(record.subarray(at, at + length));
        at += length;
      }
      return found;
    },
    write(number: number, attributes: Buffer[], change: (record: Buffer) => void = () => {}) {
      const record = read(number);
      const from = record.readUInt16LE(20);
      const all = Buffer.concat([...attributes, Buffer.from("ffffffff00000000", "hex")]);
      record.fill(0, from);
      all.copy(record, from);
      record.writeUInt32LE(from + all.length, 24);
      record.writeUInt16LE(100, 40);
      change(record);
      const kept = record.readUInt16LE(4);
      for (const at of [1, 2]) {
        record.copy(record, kept + at * 2, at * 512 - 2, at * 512);
        record.copy(record, at * 512 - 2, kept, kept + 2);
      }
      record.copy(bytes, place(number));
      writeFileSync(image, bytes);
    },
  };
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
