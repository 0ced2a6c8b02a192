/** Media and archives that show one system something else than another: what any of them would find is listed, or told. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MARKER } from "./clamd-server.ts";
import { extImage, fatImage, isoImage, layOut, ntfsImage, partitioned, run } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, sh, told } from "./scanning.ts";

const absent = missing(
  ...[
    "clamd",
    "bwrap",
    "mkfs.vfat",
    "mkfs.ext4",
    "mkfs.ntfs",
    "ntfscp",
    "mcopy",
    "debugfs",
    "genisoimage",
    "sfdisk",
    "zip",
  ],
);
const MIB = 1024 * 1024;
/** Of each of the small file systems. */
const SECTORS = (2 * MIB) / 512;

describe.skipIf(absent !== null)("what only some systems would see", () => {
  let on: Scanning;
  let good: Buffer;
  let bad: Buffer;
  beforeAll(async () => {
    on = await scanning();
    good = readFileSync(fatImage(on.fresh("fat"), layOut(on.fresh("tree"), { "good.txt": "good\n" }), 12));
    bad = readFileSync(fatImage(on.fresh("fat"), layOut(on.fresh("tree"), { "bad.txt": MARKER }), 12));
  });
  afterAll(() => on?.stop());

  const entry = (type: number, from: number, count: number, status = 0): Buffer => {
    const bytes = Buffer.alloc(16);
    bytes[0] = status;
    bytes[4] = type;
    bytes.writeUInt32LE(from, 8);
    bytes.writeUInt32LE(count, 12);
    return bytes;
  };
  const table = (sector: Buffer, ...entries: Buffer[]) => {
    entries.forEach((each, index) => {
      each.copy(sector, 446 + index * 16);
    });
    sector.writeUInt16LE(0xaa55, 510);
  };
  /** Two file systems behind each other, a mebibyte before each. */
  const disk = (...entries: Buffer[]): Buffer => {
    const bytes = Buffer.alloc(8 * MIB);
    good.copy(bytes, MIB);
    bad.copy(bytes, 4 * MIB);
    table(bytes, ...entries);
    return bytes;
  };
  const GOOD = [2048, SECTORS] as const;
  const BAD = [8192, SECTORS] as const;
  const scan = (bytes: Buffer) => {
    const image = on.fresh("image");
    writeFileSync(image, bytes);
    return on.look(image);
  };

  it("a partition of the type 0 is read, as Linux would", async () => {
    const body = await scan(disk(entry(0x0c, ...GOOD), entry(0, ...BAD)));
    expect(findings(body)).toEqual({ "good.txt": "clean", "bad.txt": "infected" });
  });

  it("a floppy's boot sector that is a partition table too: both are read", async () => {
    const bytes = Buffer.concat([good, bad]);
    table(bytes, entry(0x0c, good.length / 512, bad.length / 512));
    const body = await scan(bytes);
    expect(findings(body)).toEqual({ "good.txt": "clean", "bad.txt": "infected" });
    // where its marks make it no table to Linux, it is told
    table(bytes, entry(0x0c, good.length / 512, bad.length / 512, 1));
    const bent = await scan(bytes);
    expect(bent.verdict).toBe("hold");
    expect(bent.reason).toMatch(/partition table to some systems/);
  });

  it("a chain of logical partitions that forks or circles is told", async () => {
    const forks = disk(entry(0x05, 100, 16_000));
    table(forks.subarray(100 * 512), entry(0x0c, 1948, good.length / 512), entry(0x05, 50, 100), entry(0x05, 60, 100));
    expect((await scan(forks)).problems).toContain("its chain of logical partitions forks");
    const circle = disk(entry(0x0c, ...GOOD), entry(0x05, 100, 16_000));
    table(circle.subarray(100 * 512), entry(0x05, 0, 100));
    expect((await scan(circle)).problems).toContain("its chain of logical partitions has no end");
  });

  it("a GPT whose copy names another partition: both are read, and it is told", async () => {
    const image = partitioned(on.fresh("disk"), "gpt", [
      { image: fileOf(good), type: "L" },
      { image: fileOf(bad), type: "L" },
    ]);
    const bytes = readFileSync(image);
    // the first table loses its second partition
    const first = bytes.subarray(512, 1024);
    const entries = bytes.subarray(1024, 1024 + 128 * 128);
    entries.fill(0, 128, 256);
    first.writeUInt32LE(crc32(entries), 88);
    first.writeUInt32LE(0, 16);
    first.writeUInt32LE(crc32(first.subarray(0, 92)), 16);
    const body = await scan(bytes);
    expect(findings(body)).toEqual({ "good.txt": "clean", "bad.txt": "infected" });
    expect(body.problems).toContain("its GPT and the copy at the end name other partitions");
  });

  it("what lies in a GPT's unused entries, or behind its header, counts as outside of the partitions", async () => {
    const bytes = readFileSync(partitioned(on.fresh("disk"), "gpt", [{ image: fileOf(good), type: "L" }]));
    const filled = (body: Awaited<ReturnType<typeof scan>>) => body.outside!.filter(({ zeros }) => !zeros);
    expect(filled(await scan(bytes))).toEqual([]);
    bytes.write("hidden", 512 + 300);
    // their type stays nothing
    bytes.write("hidden", 1024 + 5 * 128 + 60);
    bytes.write("hidden", 1024 + 126 * 128 + 30);
    const header = bytes.subarray(512, 1024);
    header.writeUInt32LE(crc32(bytes.subarray(1024, 1024 + 128 * 128)), 88);
    header.writeUInt32LE(0, 16);
    header.writeUInt32LE(crc32(header.subarray(0, 92)), 16);
    const body = await scan(bytes);
    expect(body.problems ?? []).toEqual([]);
    expect(findings(body)).toEqual({ "good.txt": "clean" });
    expect(filled(body)).toEqual([
      { from: 604, bytes: 420, zeros: false },
      { from: 1024 + 5 * 128, bytes: 128, zeros: false },
      { from: 1024 + 126 * 128, bytes: 128, zeros: false },
    ]);
  });
  const fileOf = (bytes: Buffer): string => {
    const path = on.fresh("part");
    writeFileSync(path, bytes);
    return path;
  };

  it("another file system's mark beside a readable one, or another kind of table, is told", async () => {
    const both = Buffer.from(good);
    both.write("_BHRfS_M", 0x1_0040);
    expect((await scan(both)).reason).toMatch(/a Btrfs file system, which the gate does not read as well/);
    const apple = disk(entry(0x0c, ...GOOD));
    apple.write("PM\0\0", 512, "latin1");
    expect((await scan(apple)).reason).toMatch(/it has an Apple partition map, which the gate does not read/);
    const fat32 = readFileSync(fatImage(on.fresh("fat"), layOut(on.fresh("tree"), { "a.txt": "a" }), 32));
    fat32.writeUInt16LE(0x81, 40);
    expect((await scan(fat32)).reason).toMatch(/another allocation table/);
  });

  it("a stream on one of NTFS' own files is listed", async () => {
    const image = ntfsImage(on.fresh("ntfs"), { "a.txt": "a" });
    const part = on.fresh("stream");
    writeFileSync(part, MARKER);
    run("ntfscp", ["-f", "-N", "hidden", image, part, "$AttrDef"]);
    expect(findings(await on.look(image))).toEqual({ "a.txt": "clean", "$Own/record-4:hidden": "infected" });
  });

  it("an encrypted folder of ext4 is told", async () => {
    const image = extImage(
      on.fresh("ext"),
      layOut(on.fresh("tree"), { "d/a.txt": "a", "b.txt": "b" }),
      "ext4",
      "encrypt",
    );
    run("debugfs", ["-w", "-R", "set_inode_field /d flags 0x80800", image]);
    const body = await on.look(image);
    expect(told(body, "d")).toMatch(/^unscannable: is an encrypted folder/);
    expect(body.verdict).toBe("hold");
  });

  it("every tree of a disc is read, one by the names of 1999 too", async () => {
    const tree = layOut(on.fresh("tree"), { "bad.txt": MARKER, "a.txt": "a" });
    const body = await on.look(isoImage(on.fresh("iso"), tree, "-iso-level", "4"));
    expect(Object.values(findings(body)).sort()).toEqual(["clean", "infected"]);
  });

  it("a tar by a signed checksum, or behind an empty block, is one; headers that unpackers read differently are told", async () => {
    const out = on.fresh("made");
    mkdirSync(join(out, "t"), { recursive: true });
    writeFileSync(join(out, "t", "ä.txt"), MARKER);
    sh(out, "tar --format=gnu -cf plain.tar t/ä.txt && rm -r t");
    const plain = readFileSync(join(out, "plain.tar"));
    const signed = Buffer.from(plain);
    const sum = signed.subarray(0, 512).reduce((all, byte, at) => {
      const value = at >= 148 && at < 156 ? 32 : byte;
      return all + (value > 127 ? value - 256 : value);
    }, 0);
    signed.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    const pax = (type: string, ...records: string[]) => {
      const lines = records.map((record) => {
        const length = record.length + 4;
        return `${String(length).padStart(2, "0")} ${record}\n`;
      });
      const body = Buffer.alloc(512);
      const text = lines.join("");
      body.write(text);
      return Buffer.concat([header("x", type, text.length), body]);
    };
    const files = {
      "signed.tar": signed,
      "empty-first.tar": Buffer.concat([Buffer.alloc(512), plain]),
      "twice.tar": Buffer.concat([pax("x", "size=0000000000"), pax("x", "size=0000000010"), plain]),
      "global.tar": Buffer.concat([pax("g", "size=0000000010"), plain]),
      "comment.tar": Buffer.concat([pax("g", "comment=commit"), plain]),
      "folder.tar": Buffer.concat([header("d/", "5", 1024), plain]),
      "cut.tar": plain.subarray(0, 530),
    };
    const body = await on.look(layOut(on.fresh("made"), files));
    for (const name of ["signed.tar", "empty-first.tar", "comment.tar"])
      expect([name, findings(body)[`${name}!/t/ä.txt`]]).toEqual([name, "infected"]);
    expect(findings(body)).toMatchObject({ "folder.tar!/d/": "unscannable", "cut.tar!/t/ä.txt": "unscannable" });
    // what is bad in the raw bytes is found by the scanner; with nothing bad in them, these are told
    const clean = (name: keyof typeof files) =>
      Buffer.from(files[name].toString("latin1").replaceAll(MARKER, "x".repeat(MARKER.length)), "latin1");
    const scanned = await on.look(
      layOut(on.fresh("made"), { "twice.tar": clean("twice.tar"), "global.tar": clean("global.tar") }),
    );
    expect(told(scanned, "twice.tar")).toBe("unscannable: has two extended headers for one member");
    expect(told(scanned, "global.tar")).toMatch(/^unscannable: has an extended header that changes all/);
  });

  it("a zip with a member before its first, or with sizes or end records that disagree, is told", async () => {
    const out = on.fresh("made");
    mkdirSync(out);
    sh(out, "echo hello > a.txt && zip -q a.zip a.txt && rm a.txt");
    const zip = readFileSync(join(out, "a.zip"));
    const sizes = Buffer.from(zip);
    sizes.writeUInt32LE(3, 22);
    // a local header that no directory names, in front
    const before = Buffer.concat([zip.subarray(0, zip.indexOf(Buffer.from("PK\x01\x02"))), zip]);
    const body = await on.look(
      layOut(on.fresh("made"), { "a.zip": zip, "sizes.zip": sizes, "before.zip": before, "wide.zip": twoEnds(zip) }),
    );
    expect(findings(body)["a.zip"]).toBe("clean");
    expect(told(body, "sizes.zip!/a.txt")).toBe("unscannable: its two headers disagree");
    expect(told(body, "before.zip")).toBe("unscannable: has a member that its directory does not name");
    expect(told(body, "wide.zip")).toBe("unscannable: has two end records that disagree");
  });

  it("a zip's folder with content, or one that its own header calls a file, is told; an empty one by Java's writer is not", async () => {
    const bad = deflateRawSync(Buffer.from("nothing bad"));
    const nothing = deflateRawSync(Buffer.alloc(0));
    const files = {
      // by its own header a file: Java's ZipInputStream unpacks it
      "file.zip": madeZip({ name: "docs/", packed: bad, local: { name: "bad.txt", size: 11 } }),
      "locked.zip": madeZip({ name: "docs/", packed: bad, local: { name: "bad.txt", flags: 1 } }),
      "content.zip": madeZip({ name: "docs/", packed: bad }),
      "padded.zip": madeZip({ name: "docs/", packed: Buffer.concat([nothing, Buffer.from("x")]) }),
      "stored.zip": madeZip({ name: "docs/", method: 0, packed: Buffer.from("bad") }),
      "member.zip": madeZip({ name: "a.txt", size: 11, packed: bad, local: { flags: 1 } }),
      "java.zip": madeZip({ name: "docs/", packed: nothing, local: { flags: 8 } }),
      "plain.zip": madeZip({ name: "docs/", method: 0, packed: Buffer.alloc(0) }),
    };
    const body = await on.look(layOut(on.fresh("made"), files));
    expect(told(body, "file.zip!/docs/")).toBe("unscannable: its two headers disagree");
    expect(told(body, "locked.zip!/docs/")).toBe("unscannable: encrypted");
    for (const name of ["content.zip", "padded.zip", "stored.zip"])
      expect([name, told(body, `${name}!/docs/`)]).toEqual([
        name,
        expect.stringMatching(/^unscannable: (is a folder with content|cannot be unpacked)/),
      ]);
    expect(told(body, "member.zip!/a.txt")).toBe("unscannable: encrypted");
    for (const name of Object.keys(files))
      expect([name, findings(body)[name]]).toEqual([name, /java|plain/.test(name) ? "clean" : "unscannable"]);
  });

  it.skipIf(missing("7z") !== null)(
    "a cabinet's file that is marked as a folder, which 7z leaves out, is told",
    async () => {
      const files = { "plain.cab": cabinet(0x20), "folder.cab": cabinet(0x30) };
      const body = await on.look(layOut(on.fresh("made"), files));
      expect(findings(body)).toMatchObject({ "plain.cab": "clean", "plain.cab!/a.txt": "clean" });
      expect(told(body, "folder.cab")).toBe("unscannable: is a cabinet with a folder that has content");
    },
  );

  it.skipIf(missing("7z") !== null)("an ARJ's or LHA's folder with content, which 7z leaves out, is told", async () => {
    const files = { "plain.arj": arj(0), "folder.arj": arj(3), "folder.lzh": lhaFolder() };
    const body = await on.look(layOut(on.fresh("made"), files));
    expect(findings(body)).toMatchObject({ "plain.arj": "clean", "plain.arj!/a.txt": "clean" });
    expect(told(body, "folder.arj")).toBe("unscannable: is ARJ with 11 bytes, of which 0 could be laid out as files");
    expect(told(body, "folder.lzh")).toBe("unscannable: is LHA with 11 bytes, of which 0 could be laid out as files");
  });
});

/** Of one stored member of this type. */
function arj(type: number): Buffer {
  const content = Buffer.from("nothing bad");
  const header = (fields: Buffer, name: string) => {
    const bytes = Buffer.concat([fields, Buffer.from(`${name}\0\0`)]);
    const sum = Buffer.alloc(6);
    sum.writeUInt32LE(crc32(bytes));
    return Buffer.concat([Buffer.from([0x60, 0xea, bytes.length, 0]), bytes, sum]);
  };
  const main = Buffer.alloc(30);
  main.set([30, 11, 1, 0, 0, 0, 2]);
  const member = Buffer.alloc(30);
  member.set([30, 11, 1, 0, 0, 0, type]);
  member.writeUInt32LE(content.length, 12);
  member.writeUInt32LE(content.length, 16);
  member.writeUInt32LE(crc32(content), 20);
  return Buffer.concat([header(main, "a.arj"), header(member, "a.txt"), content, Buffer.from([0x60, 0xea, 0, 0])]);
}

function lhaFolder(): Buffer {
  const content = Buffer.from("nothing bad");
  const header = Buffer.alloc(22);
  header.write("-lhd-", 2);
  header.writeUInt32LE(content.length, 7);
  header.writeUInt32LE(content.length, 11);
  header[19] = 0x10;
  header[21] = 5;
  const bytes = Buffer.concat([header, Buffer.from("a.txt\0\0")]);
  bytes[0] = bytes.length - 2;
  bytes[1] = bytes.subarray(2).reduce((sum, byte) => sum + byte, 0) & 0xff;
  return Buffer.concat([bytes, content, Buffer.alloc(1)]);
}

/** Of one stored file with these attributes. */
function cabinet(attributes: number): Buffer {
  const content = Buffer.from("nothing bad");
  const bytes = Buffer.alloc(36 + 8 + 16 + 6 + 8);
  bytes.write("MSCF");
  bytes.writeUInt32LE(bytes.length + content.length, 8);
  bytes.writeUInt32LE(44, 16);
  bytes.set([3, 1], 24);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(1, 28);
  bytes.writeUInt32LE(66, 36);
  bytes.writeUInt16LE(1, 40);
  bytes.writeUInt32LE(content.length, 44);
  bytes.writeUInt16LE(0x5a21, 54);
  bytes.writeUInt16LE(attributes, 58);
  bytes.write("a.txt", 60);
  bytes.writeUInt16LE(content.length, 70);
  bytes.writeUInt16LE(content.length, 72);
  return Buffer.concat([bytes, content]);
}

type Made = { name: string; method?: number; size?: number; packed: Buffer };

/** A zip of one deflated member, without checksum; `local`: what its own header says instead. */
function madeZip({
  name,
  method = 8,
  size = 0,
  packed,
  local = {},
}: Made & { local?: { name?: string; size?: number; flags?: number } }): Buffer {
  const common = (flags: number, bytes: number, named: string) => {
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(flags, 2);
    fields.writeUInt16LE(method, 4);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(bytes, 18);
    fields.writeUInt16LE(named.length, 22);
    return fields;
  };
  const own = local.name ?? name;
  const first = [
    Buffer.from("PK\x03\x04"),
    common(local.flags ?? 0, local.size ?? size, own),
    Buffer.from(own),
    packed,
  ];
  const entry = [Buffer.from("PK\x01\x02\x14\0"), common(0, size, name), Buffer.alloc(14), Buffer.from(name)];
  const [front, directory] = [Buffer.concat(first), Buffer.concat(entry)];
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(front.length, 16);
  return Buffer.concat([front, directory, end]);
}

/** With a wide end record that counts another number of members than the narrow one. */
function twoEnds(zip: Buffer): Buffer {
  const end = zip.subarray(-22);
  const wide = Buffer.alloc(56);
  wide.writeUInt32LE(0x0606_4b50, 0);
  wide.writeBigUInt64LE(44n, 4);
  wide.writeBigUInt64LE(0n, 32);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x0706_4b50, 0);
  locator.writeBigUInt64LE(BigInt(zip.length - 22), 8);
  return Buffer.concat([zip.subarray(0, -22), wide, locator, end]);
}

function header(name: string, type: string, size: number): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write(name, 0);
  bytes.write("0000644\0", 100);
  bytes.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  bytes.write("        ", 148);
  bytes.write(type, 156);
  bytes.write("ustar\0" + "00", 257);
  const sum = bytes.reduce((all, byte) => all + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}
