/** What ordinary archives need to be opened, and what must not pass by it: zips of rarer packers, Linux' first roots, discs that
 *  name a part of themselves as a partition. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MARKER } from "./clamd-server.ts";
import { type Files, layOut } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning, sh, told } from "./scanning.ts";

const absent = missing("clamd", "bwrap", "7z", "zip", "cpio", "zstd", "xz", "xorriso", "mkfs.vfat");

describe.skipIf(absent !== null)("an archive of a rarer kind", () => {
  let on: Scanning;
  beforeAll(async () => {
    on = await scanning();
  });
  afterAll(() => on?.stop());

  const made = (lines: string[], files: Files): string => {
    const out = on.fresh("made");
    mkdirSync(out);
    sh(layOut(on.fresh("aside"), files), lines.join("\n").replaceAll("OUT", out));
    return out;
  };
  const text = "some lines of text\n".repeat(400);
  const tree = { "tree/bad.txt": `${text}${MARKER}`, "tree/good.txt": text };

  it("is a zip by Deflate64, BZip2, LZMA or PPMd: opened to its members, whatever else is in it", async () => {
    const methods = ["Deflate64", "BZip2", "LZMA", "PPMd"];
    const out = made(
      [
        ...methods.map((method) => `7z a -bso0 -tzip -mm=${method} OUT/${method}.zip tree/bad.txt tree/good.txt`),
        "7z a -bso0 -tzip -mm=BZip2 OUT/mixed.zip tree/bad.txt && 7z a -bso0 -tzip -mm=Deflate OUT/mixed.zip tree/good.txt",
        "7z a -bso0 -tzip -mm=BZip2 -psecret OUT/locked.zip tree/good.txt",
        "7z a -bso0 -tzip -mm=BZip2 good.zip tree/good.txt && cp good.zip OUT && cat good.zip good.zip > OUT/two.zip",
        "head -c 60 good.zip > OUT/cut.zip",
      ],
      tree,
    );
    // one byte of what is packed
    const bent = readFileSync(join(out, "good.zip"));
    bent[70] = bent[70]! ^ 0x55;
    writeFileSync(join(out, "bent.zip"), bent);
    const body = await on.look(out);
    for (const name of [...methods, "mixed"]) {
      expect([name, findings(body)[`${name}.zip!/tree/bad.txt`]]).toEqual([name, "infected"]);
      expect([name, findings(body)[`${name}.zip!/tree/good.txt`]]).toEqual([name, "clean"]);
      expect([name, findings(body)[`${name}.zip`]]).toEqual([name, "infected"]);
    }
    expect(findings(body)["good.zip"]).toBe("clean");
    expect(told(body, "locked.zip!/tree/good.txt")).toBe("unscannable: encrypted");
    for (const name of ["locked.zip", "two.zip", "cut.zip", "bent.zip"])
      expect([name, findings(body)[name]]).toEqual([name, "unscannable"]);
  });

  it("is a first root of Linux: each of the archives behind one another, and what else lies there is told", async () => {
    const out = made(
      [
        "find tree/good.txt | cpio -o -H newc > good && find tree/bad.txt | cpio -o -H newc > bad",
        "cat good bad > OUT/second.img && (cat good; head -c 700 /dev/zero; zstd -q -c bad) > OUT/zstd.img",
        "(cat good; gzip -c bad) > OUT/gzip.img && (cat good; xz -c bad) > OUT/xz.img",
        "(cat good; printf 'junk'; cat bad) > OUT/junk.img && head -c 4000 good > OUT/cut.img",
        "(printf 070701; head -c 300 /dev/zero) > OUT/none.img && (cat good; printf '070701zz') > OUT/half.img",
        "ln -s /etc/passwd link && mkfifo pipe && printf 'link\\npipe\\ntree/good.txt\\n' | cpio -o -H newc > OUT/kinds.img",
        "find tree/bad.txt | cpio -o -H odc > OUT/odc.cpio && find tree/bad.txt | cpio -o -H bin > OUT/bin.cpio",
      ],
      tree,
    );
    const body = await on.look(out);
    expect(findings(body)).toMatchObject({
      "second.img!/tree/bad.txt": "infected",
      "zstd.img!/packed!/packed!/tree/bad.txt": "infected",
      "gzip.img!/packed!/packed!/tree/bad.txt": "infected",
      "xz.img!/packed!/content!/tree/bad.txt": "infected",
      "odc.cpio!/tree/bad.txt": "infected",
      "bin.cpio!/tree/bad.txt": "infected",
      "kinds.img": "clean",
    });
    expect(told(body, "kinds.img!/link")).toBe("clean: to /etc/passwd; not followed");
    expect(findings(body)["junk.img"]).not.toBe("clean");
    for (const name of ["cut.img", "none.img", "half.img"])
      expect([name, findings(body)[name]]).toEqual([name, "unscannable"]);
  });

  it("is a disc whose partition is a part of itself: clean; a partition that nobody reads beside the disc's own is told", async () => {
    const out = made(
      [
        "truncate -s 4M esp && mkfs.vfat esp && cp esp tree/efi.img",
        "xorriso -as mkisofs -quiet -J -R -e efi.img -no-emul-boot -append_partition 2 0xef esp -appended_part_as_gpt -isohybrid-gpt-basdat -o OUT/boot.iso tree",
        "head -c 3000000 /dev/urandom > noise",
        "xorriso -as mkisofs -quiet -R -append_partition 3 0x83 noise -o OUT/beside.iso tree",
        "printf '_BHRfS_M' | dd of=noise bs=1 seek=65600 conv=notrunc && xorriso -as mkisofs -quiet -R -append_partition 3 0x83 noise -o OUT/btrfs.iso tree",
      ],
      { "tree/good.txt": text },
    );
    const body = await on.look(out);
    expect(told(body, "boot.iso")).toBe("clean");
    expect(told(body, "beside.iso")).toMatch(/^unscannable: its partition 3: no file system that the gate reads/);
    expect(findings(body)["btrfs.iso"]).toBe("unscannable");
  });
});
