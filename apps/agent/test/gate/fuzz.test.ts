/** The readers against media with many bytes changed, in this process: nothing but "damaged" may come out of them. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asker } from "../../src/gate/reader/content.ts";
import type { Order, Row } from "../../src/gate/reader/events.ts";
import { examiner } from "../../src/gate/reader/examine.ts";
import { readMedium } from "../../src/gate/reader/medium.ts";
import { bytesSource } from "../../src/gate/reader/source.ts";
import { countdown } from "../../src/gate/reader/volume.ts";
import { exfatImage, extImage, fatImage, isoImage, layOut, ntfsImage, partitioned, run } from "./images.ts";
import { missing } from "./packages.ts";
import { pdf } from "./pdf.ts";
import { sh } from "./scanning.ts";

const absent = missing("mkfs.vfat", "mkfs.exfat", "mkfs.ext4", "mkfs.ntfs", "mcopy", "genisoimage", "sfdisk", "zip");

const ORDER: Order = {
  target: { kind: "folder", path: "/nonexistent" },
  clamd: null,
  bounds: { files: 500, fileMs: 1_000, archives: { bytes: 64 * 1024 * 1024, ratio: 250, count: 500, depth: 3 } },
  lanes: 1,
  workDir: null,
  hashImage: false,
};

/** One file of these bytes, looked into as far as this process can without 7z. */
async function readFile(bytes: Buffer): Promise<Row[]> {
  const rows: Row[] = [];
  const examine = examiner(ORDER, asker(null, false, 1_000), (row) => rows.push(row), Number.MAX_SAFE_INTEGER);
  await examine.entry({ path: Buffer.from("file"), kind: "file", size: bytes.length, content: bytesSource(bytes) });
  return rows;
}

async function read(bytes: Buffer): Promise<Row[]> {
  const rows: Row[] = [];
  const ask = asker(null, false, 1_000);
  const examine = examiner(ORDER, ask, (row) => rows.push(row), bytes.length);
  await readMedium(bytesSource(bytes), examine, countdown(ORDER.bounds.files), 1, () => {});
  return rows;
}

describe.skipIf(absent !== null)("media with bytes changed", () => {
  let work: string;
  const sound = new Map<string, Buffer>();
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), "sallyport-fuzz-"));
    const tree = layOut(join(work, "tree"), {
      "a.txt": "a",
      "d/e/f.txt": "f".repeat(9_000),
      "some long name.dat": "x",
    });
    run("sh", ["-c", `cd ${tree} && zip -qr a.zip d && tar czf b.tgz d`]);
    const at = (name: string) => join(work, name);
    const files = {
      row: { "a.txt": "a" },
      pieces: { "b.bin": "b".repeat(70_000) },
      short: {},
      folder: { "c.txt": "c" },
    };
    const images: Record<string, string> = {
      fat12: fatImage(at("fat12"), tree, 12),
      fat16: fatImage(at("fat16"), tree, 16),
      fat32: fatImage(at("fat32"), tree, 32),
      exfat: exfatImage(at("exfat"), files),
      ext2: extImage(at("ext2"), tree, "ext2"),
      ext4: extImage(at("ext4"), tree, "ext4", "inline_data"),
      ntfs: ntfsImage(at("ntfs"), { "a.txt": "a", "b.txt": "b".repeat(9_000) }),
      iso: isoImage(at("iso"), tree, "-R", "-J"),
      mbr: partitioned(at("mbr"), "dos", [
        { image: at("fat12"), type: "1" },
        { image: at("fat12"), type: "1", logical: true },
      ]),
      gpt: partitioned(at("gpt"), "gpt", [{ image: at("fat12"), type: "L" }]),
    };
    for (const [name, image] of Object.entries(images)) sound.set(name, readFileSync(image));
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  for (const name of ["fat12", "fat16", "fat32", "exfat", "ext2", "ext4", "ntfs", "iso", "mbr", "gpt"]) {
    it(`${name}: ends, within its bounds, whatever is changed`, async () => {
      const whole = sound.get(name)!;
      expect((await read(Buffer.from(whole))).length).toBeGreaterThan(0);
      // where something is written: changing empty space shows nothing
      const used: number[] = [];
      for (let at = 0; at < whole.length; at += 16)
        if (!whole.subarray(at, at + 16).every((byte) => byte === 0)) used.push(at);
      const change = fc.tuple(fc.nat(used.length * 16 - 1), fc.constantFrom(0, 1, 2, 4, 0x7f, 0x80, 0xff, 0x40, 0x0f));
      await fc.assert(
        fc.asyncProperty(
          fc.array(change, { minLength: 1, maxLength: 60 }),
          fc.option(fc.nat(whole.length)),
          async (changes, cut) => {
            const bytes = Buffer.from(whole);
            for (const [place, value] of changes) bytes[used[place >> 4]! + (place & 15)] = value;
            const rows = await read(cut === null ? bytes : bytes.subarray(0, cut));
            expect(rows.length).toBeLessThanOrEqual(1_100);
            expect(rows.some((row) => row.finding === "clean" && row.sha256 !== null)).toBe(false);
          },
        ),
        { numRuns: 40, interruptAfterTimeLimit: 20_000 },
      );
    });
  }
});

const more = missing("qpdf", "qemu-img", "7z", "zip", "zstd", "mksquashfs", "genisoimage", "mkfs.vfat", "mcopy");

describe.skipIf(more !== null)("files with bytes changed", () => {
  let work: string;
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), "sallyport-fuzz-"));
    const tree = layOut(join(work, "tree"), { "a.txt": "a".repeat(3_000), "b.txt": "b" });
    const raw = fatImage(join(work, "raw"), tree, 12);
    mkdirSync(join(work, "files"));
    writeFileSync(join(work, "open.pdf"), pdf("text"));
    sh(
      work,
      [
        `qemu-img convert -O vpc -o subformat=fixed ${raw} files/fixed.vhd`,
        `qemu-img convert -O qcow2 ${raw} files/a.qcow2`,
        "7z a -bso0 a.7z ./tree && cat /usr/bin/true a.7z > files/program",
        "zip -qr files/a.zip tree && cat /usr/bin/true files/a.zip > files/tailed",
        "tar cf - tree | gzip > files/a.tgz && tar cf - tree | zstd -q > files/a.tar.zst && tar cf files/a.tar tree",
        "genisoimage -quiet -udf -J -R -o files/bridge.iso tree",
        "qpdf --encrypt '' owner 256 -- open.pdf files/r6.pdf",
        "qpdf --allow-weak-crypto --encrypt '' owner 128 --use-aes=n -- open.pdf files/r3.pdf",
        "/usr/bin/python3 -c \"import xlwt; w=xlwt.Workbook(); w.add_sheet('a').write(0,0,'x'); w.save('files/a.xls')\"",
      ].join("\n"),
    );
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  it("are looked into to an end, whatever is changed or cut off, and nothing is thrown", async () => {
    const names = readdirSync(join(work, "files"));
    expect(names.length).toBe(12);
    for (const name of names) {
      const whole = readFileSync(join(work, "files", name));
      expect((await readFile(whole)).length).toBeGreaterThan(0);
      // most of what decides lies near an end
      const place = fc.oneof(
        fc.nat(Math.min(2_000, whole.length - 1)),
        fc.nat(whole.length - 1),
        fc.nat(1_000).map((back) => Math.max(0, whole.length - 1 - back)),
      );
      const change = fc.tuple(place, fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff, 0x2f, 0x28));
      await fc.assert(
        fc.asyncProperty(
          fc.array(change, { minLength: 1, maxLength: 30 }),
          fc.option(fc.nat(whole.length), { freq: 3 }),
          async (changes, cut) => {
            const bytes = Buffer.from(whole);
            for (const [at, value] of changes) bytes[at] = value;
            const rows = await readFile(cut === null ? bytes : bytes.subarray(0, cut));
            expect(rows.length).toBeGreaterThan(0);
            expect(rows.length).toBeLessThanOrEqual(1_100);
          },
        ),
        { numRuns: 60, interruptAfterTimeLimit: 8_000 },
      );
    }
  });
});
