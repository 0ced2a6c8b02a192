/** Containers lying on a stick: each is opened to its last file, or told as what nobody could open. Made by the tools that
 *  people make them with. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MARKER } from "./clamd-server.ts";
import { extImage, type Files, fatImage, isoImage, layOut, ntfsImage, partitioned, run } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, sh, told } from "./scanning.ts";

const absent = missing(
  "clamd",
  "bwrap",
  "7z",
  "qemu-img",
  "mksquashfs",
  "wimlib-imagex",
  "genisoimage",
  "mkfs.vfat",
  "mkfs.ext4",
  "mkfs.ntfs",
  "ntfscp",
  "mcopy",
  "sfdisk",
  "lz4",
  "cpio",
  "openssl",
  "makensis",
  "wixl",
  "zstd",
  "zip",
  "xz",
);
const tree = { "in/bad.txt": `${MARKER}\n`, "hello.txt": "hello\n" };

describe.skipIf(absent !== null)("a container on a stick", () => {
  let on: Scanning;
  let raw: string;
  let harmless: string;
  beforeAll(async () => {
    on = await scanning();
    raw = fatImage(on.fresh("fat"), layOut(on.fresh("tree"), tree), 12);
    harmless = fatImage(on.fresh("fat"), layOut(on.fresh("tree"), { "hello.txt": "hello\n" }), 12);
  });
  afterAll(() => on?.stop());

  /** A folder in which a shell line makes files out of `raw` and `harmless`, FAT images, and `tree`. */
  const made = (line: string, more: Files = {}): string => {
    const out = on.fresh("made");
    mkdirSync(out);
    const aside = layOut(on.fresh("aside"), more);
    copyFileSync(raw, join(aside, "raw"));
    copyFileSync(harmless, join(aside, "harmless"));
    layOut(join(aside, "tree"), tree);
    sh(aside, line.replaceAll("OUT", out));
    return out;
  };
  const opened = (body: ScanBody, name: string) =>
    body.manifest.filter((row) => row.path!.startsWith(`${name}!/`) && row.path!.endsWith("in/bad.txt"));

  it("is a virtual machine's disk: VHD, VHDX, QCOW2, VDI and VMDK, of one piece or grown, are opened", async () => {
    const out = made(
      [
        "qemu-img convert -O vpc raw OUT/grown.vhd",
        "qemu-img convert -O vpc -o subformat=fixed raw OUT/fixed.vhd",
        "qemu-img convert -O vhdx raw OUT/a.vhdx",
        "qemu-img convert -O qcow2 raw OUT/a.qcow2",
        "qemu-img convert -c -O qcow2 raw OUT/packed.qcow2",
        "qemu-img convert -O vdi raw OUT/a.vdi",
        "qemu-img convert -O vmdk raw OUT/a.vmdk",
      ].join("\n"),
    );
    const body = await on.look(out);
    for (const name of readdirSync(out)) {
      expect([name, opened(body, name).map((row) => row.finding)]).toEqual([name, ["infected"]]);
      expect(findings(body)[name]).toBe("infected");
      // the file of a harmless name in the same image is named too
      expect(body.manifest.some((row) => row.path!.startsWith(`${name}!/`) && row.path!.endsWith("/hello.txt"))).toBe(
        true,
      );
    }
  });

  it("holds nothing bad: it comes out as clean, whichever it is", async () => {
    const out = made(
      [
        "rm -r tree/in && mv harmless raw",
        ...["vpc", "vhdx", "qcow2", "vdi", "vmdk"].map((format) => `qemu-img convert -O ${format} raw OUT/a.${format}`),
        "qemu-img convert -O vpc -o subformat=fixed raw OUT/fixed.vhd",
        "cp raw OUT/floppy.img",
        "mksquashfs tree OUT/a.squashfs -quiet -no-progress",
        "wimlib-imagex capture tree OUT/a.wim",
        "genisoimage -quiet -udf -J -R -o OUT/bridge.iso tree",
        "7z a -bso0 a.7z ./tree && cp a.7z OUT && cat /usr/bin/true a.7z > OUT/program",
        "(printf '\\377\\330\\377\\340picture'; cat a.7z; head -c 4000 /dev/zero) > OUT/picture.jpg",
        "zip -qr OUT/a.zip tree && cat /usr/bin/true OUT/a.zip > OUT/b.exe",
        "(echo a | xz -c) > OUT/a.xz && tar czf OUT/a.tgz tree && tar cf - tree | zstd -q > OUT/a.tar.zst",
        "find tree | cpio -o -H newc > OUT/a.cpio",
      ].join("\n"),
    );
    writeFileSync(join(out, "a.dmg"), dmg(readFileSync(join(out, "floppy.img"))));
    writeFileSync(join(out, "a.rar"), rar({ "a.txt": "a" }));
    const body = await on.look(out);
    expect(body.manifest.filter((row) => row.finding !== "clean").map((row) => [row.path, row.detail])).toEqual([]);
    expect(body.manifest.filter((row) => /hello\.txt$/.test(row.path!)).length).toBeGreaterThanOrEqual(20);
    expect(body.verdict).toBe("allow");
  });

  it("is a disk with partitions inside a virtual disk: followed to the files of each", async () => {
    const ext = extImage(on.fresh("ext"), layOut(on.fresh("tree"), tree), "ext4");
    const disk = partitioned(on.fresh("disk"), "gpt", [
      { image: raw, type: "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" },
      { image: ext, type: "L" },
    ]);
    const out = on.fresh("made");
    mkdirSync(out);
    run("qemu-img", ["convert", "-c", "-O", "qcow2", disk, join(out, "a.qcow2")]);
    const body = await on.look(out);
    const found = opened(body, "a.qcow2").map((row) => row.path!.replace(/^a\.qcow2!\/[^!]+!\//, ""));
    expect(found.sort()).toEqual(["1/in/bad.txt", "2/in/bad.txt"]);
  });

  it("is told as unscannable where a virtual disk has snapshots, a backing file, or its disk elsewhere", async () => {
    const out = made(
      [
        "qemu-img convert -O qcow2 harmless OUT/snapshot.qcow2 && qemu-img snapshot -c one OUT/snapshot.qcow2",
        "qemu-img create -q -f qcow2 -b raw -F raw backed.qcow2 && mv backed.qcow2 OUT",
        "qemu-img convert --object secret,id=s,data=pw -O qcow2 -o encrypt.format=aes,encrypt.key-secret=s raw OUT/aes.qcow2",
        "printf '# Disk DescriptorFile\\nversion=1\\n' > OUT/text.vmdk",
        "qemu-img create -q -f vpc OUT/vast.vhd 900M",
      ].join("\n"),
    );
    const body = await on.look(out);
    expect(told(body, "snapshot.qcow2")).toMatch(/^unscannable: .*snapshots/);
    expect(told(body, "backed.qcow2")).toMatch(/^unscannable: .*QCOW2 disk image/);
    expect(told(body, "aes.qcow2")).toMatch(/^unscannable: encrypted/);
    expect(told(body, "text.vmdk")).toMatch(/^unscannable: .*VMDK/);
    expect(told(body, "vast.vhd")).toMatch(/^unscannable: /);
  });

  it("is a raw image of FAT, ext, NTFS, a disc or a partitioned disk: read like the stick itself", async () => {
    const out = on.fresh("made");
    mkdirSync(out);
    const laid = layOut(on.fresh("tree"), tree);
    copyFileSync(raw, join(out, "floppy.img"));
    extImage(join(out, "ext.img"), laid, "ext4");
    ntfsImage(join(out, "ntfs.img"), { "bad.txt": MARKER });
    isoImage(join(out, "disc.iso"), laid, "-R");
    partitioned(join(out, "disk.img"), "dos", [
      { image: raw, type: "c" },
      { image: join(out, "ext.img"), type: "83" },
    ]);
    const body = await on.look(out);
    expect(findings(body)).toMatchObject({
      "floppy.img!/in/bad.txt": "infected",
      "ext.img!/in/bad.txt": "infected",
      "ntfs.img!/bad.txt": "infected",
      "disc.iso!/in/bad.txt": "infected",
      "disk.img!/1/in/bad.txt": "infected",
      "disk.img!/2/in/bad.txt": "infected",
      "disk.img!/1/hello.txt": "clean",
    });
  });

  it("is no disk where it is a copy of a boot sector, or of a partition table", async () => {
    const bytes = readFileSync(raw);
    const disk = readFileSync(partitioned(on.fresh("disk"), "gpt", [{ image: raw, type: "L" }]));
    const ntfs = readFileSync(ntfsImage(on.fresh("ntfs"), { "a.txt": "a" }));
    const out = layOut(on.fresh("made"), {
      "bootsect.dos": bytes.subarray(0, 512),
      "mbr.bin": disk.subarray(0, 512),
      "gpt.bak": disk.subarray(0, 34 * 512),
      "ntfs.bin": ntfs.subarray(0, 8192),
    });
    expect(new Set(Object.values(findings(await on.look(out))))).toEqual(new Set(["clean"]));
  });

  it("is a disk image that ends early: unscannable", async () => {
    const bytes = readFileSync(raw);
    const body = await on.look(layOut(on.fresh("made"), { "cut.img": bytes.subarray(0, 1_000_000) }));
    expect(told(body, "cut.img")).not.toBe("clean");
  });

  it("is a file system that 7z opens: SquashFS, WIM, UDF, and a disc that is UDF beside ISO 9660", async () => {
    const out = made(
      [
        ...["gzip", "xz", "zstd", "lzo"].map(
          (comp) => `mksquashfs tree OUT/${comp}.squashfs -comp ${comp} -quiet -no-progress`,
        ),
        "mkdir c && cp tree/hello.txt c && mksquashfs c OUT/lz4.squashfs -comp lz4 -quiet -no-progress",
        "wimlib-imagex capture tree OUT/a.wim",
        "wimlib-imagex capture tree OUT/solid.esd --solid",
        "genisoimage -quiet -udf -J -R -o OUT/bridge.iso tree",
      ].join("\n"),
    );
    const body = await on.look(out);
    for (const name of ["gzip.squashfs", "xz.squashfs", "zstd.squashfs", "lzo.squashfs", "a.wim", "solid.esd"])
      expect([name, opened(body, name).map((row) => row.finding)]).toEqual([name, ["infected"]]);
    // both of its trees
    expect(opened(body, "bridge.iso").map((row) => row.finding)).toEqual(["infected", "infected"]);
    expect(told(body, "lz4.squashfs")).toMatch(/^unscannable: is SquashFS/);
  });

  it("is a DMG, by its trailer: opened; and with its encryption's mark: encrypted", async () => {
    const whole = dmg(readFileSync(raw));
    const body = await on.look(
      layOut(on.fresh("made"), {
        "a.dmg": whole,
        "locked.dmg": Buffer.concat([Buffer.from("encrcdsa\0\0\0\x02"), Buffer.alloc(900, 7)]),
      }),
    );
    expect(opened(body, "a.dmg").map((row) => row.finding)).toEqual(["infected"]);
    expect(told(body, "locked.dmg")).toBe("unscannable: encrypted (a disk image of macOS)");
  });

  it("is compressed by something that nobody here unpacks: unscannable, by name; LZMA alone is opened", async () => {
    const out = made(
      [
        "lz4 -q tree/hello.txt OUT/a.lz4",
        "lz4 -q -l tree/hello.txt OUT/legacy.lz4",
        "xz --format=lzma -c tree/in/bad.txt > OUT/a.lzma",
        "printf 'LZIP\\001rest' > OUT/a.lz",
        "printf 'age-encryption.org/v1\\n-> X25519 abc' > OUT/a.age",
        "openssl enc -aes-256-cbc -pbkdf2 -pass pass:x -in tree/in/bad.txt -out OUT/a.enc",
      ].join("\n"),
    );
    const body = await on.look(out);
    expect(told(body, "a.lz4")).toMatch(/^unscannable: is an LZ4 archive/);
    expect(told(body, "legacy.lz4")).toMatch(/^unscannable: is an LZ4 archive/);
    expect(told(body, "a.lz")).toMatch(/^unscannable: is an lzip archive/);
    expect(told(body, "a.age")).toMatch(/^unscannable: encrypted/);
    expect(told(body, "a.enc")).toMatch(/^unscannable: encrypted/);
    expect(findings(body)).toMatchObject({ "a.lzma!/content": "infected" });
  });

  it("is LZMA by any properties, dictionary and length that 7-Zip opens; what only looks so is none; PPMd is told", async () => {
    const out = made(
      [
        ...["lc=1,lp=1,pb=1", "lc=0,lp=0,pb=0", "lc=4,lp=0,pb=4"].map(
          (properties, index) => `xz --format=lzma --lzma1=${properties} -c tree/in/bad.txt > OUT/p${index}.lzma`,
        ),
        "(cd OUT && gzip -k p0.lzma && zip -q p1.zip p1.lzma)",
        "printf '\\217\\257\\254\\204rest of it' > OUT/a.pmd",
      ].join("\n"),
    );
    const packed = readFileSync(join(out, "p0.lzma"));
    const changed = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(packed);
      change(bytes);
      return bytes;
    };
    const small = changed((bytes) => bytes.writeUInt32LE(1, 1));
    layOut(out, {
      "dictionary.lzma": small,
      "x86.lzma86": Buffer.concat([Buffer.from([0]), packed]),
      "vast.lzma": changed((bytes) => bytes.writeBigUInt64LE(2n ** 50n, 5)),
      // as the caches of icons begin
      "icon-theme.cache": Buffer.from(`000100000000000c000001380000000b${"ff".repeat(400)}`, "hex"),
    });
    const body = await on.look(out);
    for (const name of ["p0.lzma", "p1.lzma", "p2.lzma", "p0.lzma.gz", "p1.zip", "dictionary.lzma", "x86.lzma86"])
      expect([name, findings(body)[name]]).toEqual([name, "infected"]);
    expect(["infected", "unscannable"]).toContain(findings(body)["vast.lzma"]);
    expect(told(body, "icon-theme.cache")).toBe("clean");
    expect(told(body, "a.pmd")).toBe("unscannable: is a PPMd archive, which the gate does not unpack");
  });

  it("is behind a program, a picture or a script: found by its header, opened; what else a script carries is told", async () => {
    const out = made(
      [
        "7z a -bso0 a.7z ./tree/in",
        "cat /usr/bin/true a.7z > OUT/program",
        "(printf '\\377\\330\\377\\340picture'; head -c 300000 /dev/urandom; cat a.7z; head -c 4000 /dev/urandom) > OUT/picture.jpg",
        "zip -qr a.zip tree && (cat /usr/bin/true a.zip; printf 'tail') > OUT/tailed",
        "(printf '#!/bin/sh\\ntail -n +4 $0 | xz -d\\nexit\\n'; xz -c tree/hello.txt) > OUT/selfmade.sh",
        // the mark alone, as an unpacker has it, is nothing
        "(cat /usr/bin/true; printf '7z\\274\\257\\047\\034rest Rar!\\032\\007\\000rest') > OUT/unpacker",
        "printf '#!/bin/sh\\necho plain\\n' > OUT/plain.sh",
      ].join("\n"),
    );
    const body = await on.look(out);
    for (const name of ["program", "picture.jpg"]) {
      expect(opened(body, name).map((row) => row.finding)).toEqual(["infected"]);
      expect(findings(body)[name]).toBe("infected");
    }
    expect(opened(body, "tailed").map((row) => row.finding)).toEqual(["infected"]);
    expect(told(body, "selfmade.sh")).toMatch(/^unscannable: is a script/);
    expect(findings(body)).toMatchObject({ unpacker: "clean", "plain.sh": "clean" });
  });

  it("is an installer: NSIS and MSI are opened, Inno Setup is told", async () => {
    const out = made(
      [
        "(head -c 3000 /dev/zero | tr '\\0' a; cat tree/in/bad.txt) > bad.txt",
        'printf \'OutFile "a.exe"\\nSetCompressor /SOLID lzma\\nSection\\nSetOutPath "$TEMP"\\nFile bad.txt\\nSectionEnd\\n\' > a.nsi',
        "makensis -V1 a.nsi && mv a.exe OUT",
        "wixl -o OUT/a.msi a.wxs",
        "cat OUT/a.exe > inno && (head -c 60000 inno; printf 'Inno Setup Setup Data (6.2.0) (u)') > OUT/inno.exe",
      ].join("\n"),
      { "a.wxs": WIX },
    );
    const body = await on.look(out);
    expect(findings(body)["a.msi!/a.cab!/F"]).toBe("infected");
    const inside = body.manifest.filter((row) => row.path!.startsWith("a.exe!/"));
    expect(inside.map((row) => [row.path!.split("/").at(-1), row.finding])).toEqual([["bad.txt", "infected"]]);
    expect(told(body, "inno.exe")).toMatch(/^unscannable: is an Inno Setup installer/);
  });

  it("is a RAR: what is stored is opened behind a program too, encrypted headers are told", async () => {
    const stored = rar({ "in/bad.txt": MARKER });
    const out = layOut(on.fresh("made"), {
      "a.rar": stored,
      "self.exe": Buffer.concat([readFileSync("/usr/bin/true"), stored]),
      "locked.rar": lockedRar(),
    });
    const body = await on.look(out);
    expect(opened(body, "a.rar").map((row) => row.finding)).toEqual(["infected"]);
    expect(opened(body, "self.exe").map((row) => row.finding)).toEqual(["infected"]);
    expect(told(body, "locked.rar")).toBe("unscannable: encrypted");
  });

  it("is deflated inside a zip, or lies in a gzip: what only its end or its middle tells is found there too", async () => {
    const out = made(
      [
        "mkdir d && genisoimage -quiet -R -o d/disc.iso tree",
        "qemu-img convert -O vpc -o subformat=fixed raw d/fixed.vhd",
        "7z a -bso0 a.7z ./tree/in && (head -c 200000 /dev/zero; cat a.7z) > d/middle.bin",
        "zip -qr a.zip tree && (head -c 200000 /dev/zero; cat a.zip) > d/tail.bin",
        "cp raw d/floppy.img",
        "(cd d && zip -q9 OUT/all.zip *) && gzip -c d/disc.iso > OUT/disc.iso.gz && zstd -q -o OUT/tail.bin.zst d/tail.bin",
      ].join("\n"),
    );
    const body = await on.look(out, { archives: { ratio: 100_000 } });
    for (const name of ["disc.iso", "fixed.vhd", "middle.bin", "tail.bin", "floppy.img"])
      expect([name, opened(body, `all.zip!/${name}`).map((row) => row.finding)]).toEqual([name, ["infected"]]);
    expect(opened(body, "disc.iso.gz").map((row) => row.finding)).toEqual(["infected"]);
    expect(opened(body, "tail.bin.zst").map((row) => row.finding)).toEqual(["infected"]);
  });

  it("has two members of one name: both are examined", async () => {
    const out = made(
      [
        "(cd tree && 7z a -bso0 ../a.7z in/bad.txt hello.txt) && 7z rn -bso0 a.7z in/bad.txt hello.txt",
        "mv a.7z OUT/a.7z",
        "(cd tree && cp in/bad.txt h1 && cp hello.txt h2 && ar q OUT/a.ar h1 h2 2>/dev/null) || true",
      ].join("\n"),
    );
    const body = await on.look(out);
    const inside = body.manifest.filter((row) => row.path!.startsWith("a.7z!/"));
    expect(inside.map((row) => row.finding).sort()).toEqual(["clean", "infected"]);
  });

  it("is two things at once: every reading is opened", async () => {
    const out = made(
      [
        "7z a -bso0 a.7z ./tree/hello.txt && (cd tree && zip -qr ../b.zip in) && cat a.7z b.zip > OUT/both.7z",
        "genisoimage -quiet -R -o disc.iso tree/hello.txt && (cat disc.iso b.zip) > OUT/both.iso",
      ].join("\n"),
    );
    const body = await on.look(out);
    expect(findings(body)).toMatchObject({ "both.7z!/in/bad.txt": "infected", "both.iso!/in/bad.txt": "infected" });
  });

  it("ends before its file does: what follows is told, not passed over", async () => {
    const out = made(
      [
        "for f in xz gzip bzip2; do (echo x | $f -c; printf junk; echo y | $f -c) > OUT/junk.$f; done",
        "(echo x | gzip -c; head -c 600 /dev/zero; gzip -c tree/in/bad.txt) > OUT/padded.gz",
        "(echo x | gzip -c; head -c 600 /dev/zero) > OUT/zeros.gz",
        "(echo x | zstd -q -c; zstd -q -c tree/in/bad.txt) > OUT/two.zst",
        "(echo x | gzip -c; gzip -c tree/in/bad.txt) > OUT/two.gz",
        "7z a -bso0 a.7z ./tree/hello.txt && cp a.7z b.7z && cat a.7z b.7z > OUT/two.7z",
        "(cd tree && zip -q ../a.zip hello.txt && zip -q ../b.zip hello.txt) && cat b.zip a.zip > OUT/two.zip",
        "cat a.zip b.7z > OUT/behind.zip",
      ].join("\n"),
    );
    const body = await on.look(out);
    for (const name of ["junk.xz", "junk.gzip", "junk.bzip2", "padded.gz", "two.7z", "two.zip", "behind.zip"])
      expect([name, told(body, name)]).toEqual([name, expect.stringMatching(/^unscannable/)]);
    expect(findings(body)).toMatchObject({ "zeros.gz": "clean", "two.zst": "infected", "two.gz": "infected" });
  });
});

const WIX = `<?xml version="1.0"?><Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
<Product Id="*" Name="a" Manufacturer="a" Language="1033" Version="1.0.0" UpgradeCode="12345678-1234-1234-1234-123456789012">
<Package/><Media Id="1" Cabinet="a.cab" EmbedCab="yes"/><Directory Id="TARGETDIR" Name="SourceDir">
<Component Id="C" Guid="12345678-1234-1234-1234-123456789013"><File Id="F" Source="bad.txt"/></Component></Directory>
<Feature Id="X" Level="1"><ComponentRef Id="C"/></Feature></Product></Wix>`;

/** A DMG of one zlib block for each mebibyte (the layout of Apple's UDZO, as libdmg-hfsplus writes it). */
function dmg(disk: Buffer): Buffer {
  const PART = 1024 * 1024;
  const parts: Buffer[] = [];
  const runs: Buffer[] = [];
  let offset = 0;
  const run = (type: number, sector: number, sectors: number, bytes: number) => {
    const entry = Buffer.alloc(40);
    entry.writeUInt32BE(type, 0);
    entry.writeBigUInt64BE(BigInt(sector), 8);
    entry.writeBigUInt64BE(BigInt(sectors), 16);
    entry.writeBigUInt64BE(BigInt(offset), 24);
    entry.writeBigUInt64BE(BigInt(bytes), 32);
    runs.push(entry);
  };
  for (let at = 0; at < disk.length; at += PART) {
    const part = disk.subarray(at, at + PART);
    const packed = deflateSync(part);
    run(0x8000_0005, at / 512, part.length / 512, packed.length);
    parts.push(packed);
    offset += packed.length;
  }
  run(0xffff_ffff, disk.length / 512, 0, 0);
  const table = Buffer.alloc(204);
  table.write("mish", 0);
  table.writeUInt32BE(1, 4);
  table.writeBigUInt64BE(BigInt(disk.length / 512), 16);
  table.writeUInt32BE(0x800, 32);
  table.writeUInt32BE(2, 64);
  table.writeUInt32BE(32, 68);
  table.writeUInt32BE(crc32(disk), 72);
  table.writeUInt32BE(runs.length, 200);
  const data = Buffer.concat([table, ...runs]).toString("base64");
  const plist = Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict><key>resource-fork</key><dict><key>blkx</key><array><dict><key>Attributes</key><string>0x0050</string><key>Data</key><data>${data}</data><key>ID</key><string>0</string><key>Name</key><string>whole disk</string></dict></array></dict></dict></plist>\n`,
  );
  const koly = Buffer.alloc(512);
  koly.write("koly", 0);
  koly.writeUInt32BE(4, 4);
  koly.writeUInt32BE(512, 8);
  koly.writeUInt32BE(1, 12);
  koly.writeBigUInt64BE(BigInt(offset), 32);
  koly.writeUInt32BE(1, 56);
  koly.writeUInt32BE(1, 60);
  koly.writeBigUInt64BE(BigInt(offset), 216);
  koly.writeBigUInt64BE(BigInt(plist.length), 224);
  koly.writeUInt32BE(1, 488);
  koly.writeBigUInt64BE(BigInt(disk.length / 512), 492);
  return Buffer.concat([...parts, plist, koly]);
}

const vint = (value: number): Buffer => {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    if (rest < 128) return Buffer.from(bytes);
  }
};
const RAR5 = Buffer.from("Rar!\x1a\x07\x01\0", "latin1");
function rarHeader(...fields: Buffer[]): Buffer {
  const body = Buffer.concat(fields);
  const sized = Buffer.concat([vint(body.length), body]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(sized), 0);
  return Buffer.concat([sum, sized]);
}

/** RAR 5 with stored files, by RARLAB's description of the format; no tool of Debian's writes one. */
function rar(files: Record<string, string>): Buffer {
  const parts = [RAR5, rarHeader(vint(1), vint(0), vint(0))];
  for (const [name, text] of Object.entries(files)) {
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc32(text), 0);
    const size = vint(text.length);
    parts.push(
      rarHeader(
        vint(2),
        vint(2),
        size,
        vint(4),
        size,
        vint(0o100644),
        sum,
        vint(0),
        vint(1),
        vint(name.length),
        Buffer.from(name),
      ),
      Buffer.from(text),
    );
  }
  return Buffer.concat([...parts, rarHeader(vint(5), vint(0), vint(0))]);
}

const lockedRar = (): Buffer =>
  Buffer.concat([
    RAR5,
    rarHeader(vint(4), vint(0), vint(0), vint(0), Buffer.from([15]), Buffer.alloc(16, 3)),
    Buffer.alloc(96, 9),
  ]);
