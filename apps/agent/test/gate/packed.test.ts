/** What ordinary archives need to be opened, and what must not pass by it: zips of rarer packers, Linux' first roots, discs that
 *  name a part of themselves as a partition. */
import { randomBytes } from "node:crypto";
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

  /** Of the members whose name ends so: host, attributes, and what the name's last byte becomes in both headers. */
  const marked = (zip: Buffer, name: string, host: number, attributes: number, last?: string): Buffer => {
    const bytes = Buffer.from(zip);
    for (const [mark, nameAt, lengthAt] of [
      ["PK\x01\x02", 46, 28],
      ["PK\x03\x04", 30, 26],
    ] as const)
      for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) {
        const end = at + nameAt + bytes.readUInt16LE(at + lengthAt);
        if (
          !bytes
            .subarray(at + nameAt, end)
            .toString("latin1")
            .endsWith(name)
        )
          continue;
        if (last !== undefined) bytes.write(last, end - 1);
        if (nameAt === 30) continue;
        bytes[at + 5] = host;
        bytes.writeUInt32LE(attributes, at + 38);
      }
    return bytes;
  };

  it("is a zip whose members are called folders, links or pipes: what they hold is looked at, by whatever method", async () => {
    const out = made(
      [
        "for m in LZMA Deflate64 Deflate; do 7z a -bso0 -tzip -mm=$m OUT/$m.zip tree/bad.txt && 7z a -bso0 -tzip -mm=BZip2 OUT/$m.zip tree/good.txt; done",
        "7z a -bso0 -tzip -mm=BZip2 OUT/twins.zip tree/good.txt tree/evil.txt",
      ],
      { ...tree, "tree/evil.txt": `${MARKER}${text}` },
    );
    const calls: Record<string, [number, number, string?]> = {
      fat: [0, 0x10],
      ntfs: [10, 0x10],
      unix: [3, (0o040755 << 16) >>> 0],
      link: [3, (0o120777 << 16) >>> 0],
      reparse: [0, 0x400],
      pipe: [3, (0o010644 << 16) >>> 0],
      slash: [3, 0, "/"],
      backslash: [0, 0, "\\"],
    };
    for (const method of ["LZMA", "Deflate64", "Deflate"]) {
      const zip = readFileSync(join(out, `${method}.zip`));
      for (const [call, [host, attributes, last]] of Object.entries(calls))
        writeFileSync(join(out, `${method}-${call}.zip`), marked(zip, "bad.txt", host, attributes, last));
    }
    // one name twice, the second of them a link
    const twins = Buffer.from(
      readFileSync(join(out, "twins.zip")).toString("latin1").replaceAll("evil", "good"),
      "latin1",
    );
    writeFileSync(join(out, "twins.zip"), twins);
    // the name of one is a folder to the other
    const nested = Buffer.from(twins);
    for (let at = nested.indexOf("tree/good.txt"); at >= 0; at = nested.indexOf("tree/good.txt", at + 1))
      nested.write("../../good.x/", at);
    writeFileSync(join(out, "up.zip"), nested);
    const body = await on.look(out);
    for (const method of ["LZMA", "Deflate64", "Deflate"])
      for (const [call, [, , last]] of Object.entries(calls)) {
        const name = `${method}-${call}.zip`;
        expect([name, findings(body)[name]]).toEqual([name, "infected"]);
        expect([name, findings(body)[`${name}!/tree/bad.tx${last ?? "t"}`]]).toEqual([name, "infected"]);
        expect([name, findings(body)[`${name}!/tree/good.txt`]]).toEqual([name, "clean"]);
      }
    expect(findings(body)["twins.zip"]).toBe("infected");
    expect(findings(body)["up.zip"]).toBe("infected");
  });

  it("is a zip of which 7z cannot unpack one: the gate's own members are told all the same", async () => {
    const out = made(
      [
        "7z a -bso0 -tzip -mm=BZip2 OUT/bent.zip tree/good.txt && 7z a -bso0 -tzip -mm=Deflate OUT/bent.zip tree/bad.txt",
        "7z a -bso0 -tzip -mm=LZMA OUT/sized.zip tree/good.txt",
      ],
      tree,
    );
    const bent = readFileSync(join(out, "bent.zip"));
    bent[bent.indexOf("BZh") + 30]! ^= 0x55;
    writeFileSync(join(out, "bent.zip"), bent);
    // one byte less than there is, in both headers
    const sized = readFileSync(join(out, "sized.zip"));
    for (const at of [sized.indexOf("PK\x03\x04") + 22, sized.indexOf("PK\x01\x02") + 24])
      sized.writeUInt32LE(sized.readUInt32LE(at) - 1, at);
    writeFileSync(join(out, "sized.zip"), sized);
    const body = await on.look(out);
    expect(findings(body)).toMatchObject({
      "bent.zip": "infected",
      "bent.zip!/tree/bad.txt": "infected",
      "bent.zip!/tree/good.txt": "unscannable",
      "sized.zip": "unscannable",
    });
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

  /** One member as Linux takes it (`odc`: as POSIX has it); `name` with its end. */
  const newc = (name: string, content: string | Buffer = "", mode = 0o100644): Buffer => {
    const numbers = [1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
    const head = `070701${numbers.map((each) => each.toString(16).padStart(8, "0")).join("")}${name}`;
    return Buffer.concat([padded(Buffer.from(head)), padded(Buffer.from(content))]);
  };
  let inode = 0;
  const odc = (name: string, content: string | Buffer = "", mode = 0o100644): Buffer => {
    const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
    inode += 1;
    const numbers = [1, inode, mode, 0, 0, 1, 0].map((each) => octal(each, 6)).join("");
    const head = `070707${numbers}${octal(0, 11)}${octal(name.length, 6)}${octal(content.length, 11)}${name}`;
    return Buffer.concat([Buffer.from(head), Buffer.from(content)]);
  };

  it("is cpio that one program reads otherwise than another: held", async () => {
    const out = made(["7z a -bso0 -tzip -mm=LZMA OUT/bad.zip tree/bad.txt"], tree);
    // packed, and far from the end, so that it is seen in the member alone
    const bad = readFileSync(join(out, "bad.zip"));
    const filler = randomBytes(100_000);
    const forms = { newc, odc } as const;
    for (const [form, member] of Object.entries(forms)) {
      const [good, trailer, last] = [member("good.txt\0", text), member("TRAILER!!!\0"), member("bad.zip\0", bad)];
      const put = (name: string, ...parts: Buffer[]) =>
        writeFileSync(
          join(out, `${form}-${name}.cpio`),
          Buffer.concat([...parts.slice(0, -1), member("filler\0", filler), ...parts.slice(-1)]),
        );
      put("plain", good, last, trailer);
      put("good", good, ...(form === "newc" ? [member("link\0", "good.txt", 0o120777)] : []), trailer);
      put("hard", good, member("first\0"), last, trailer);
      put("behind", good, trailer, last, trailer);
      put("padded", good, trailer, Buffer.alloc(512), last, trailer);
      put("unterminated", good, member("TRAILER!!!X", bad), trailer);
      put("ends-early", good, member("TRAILER!!!\0X\0", bad), trailer);
      put("trailer-body", good, member("TRAILER!!!\0", bad), trailer);
      put("folder", good, member("folder\0", bad, 0o040755), trailer);
      put("pipe", good, member("pipe\0", bad, 0o010644), trailer);
      put("kind", good, member("kind\0", bad, 0), trailer);
      put("link-nul", good, member("link\0", Buffer.concat([Buffer.from("x\0"), bad]), 0o120777), trailer);
      put("link-long", good, member("link\0", Buffer.concat([Buffer.alloc(5000, "a"), bad]), 0o120777), trailer);
      put("junk", good, Buffer.from("junk"), last, trailer);
    }
    writeFileSync(
      join(out, "newc-shifted.cpio"),
      Buffer.concat([
        newc("good.txt\0", text),
        newc("TRAILER!!!\0"),
        Buffer.alloc(2),
        newc("bad.zip\0", bad),
        newc("filler\0", filler),
      ]),
    );
    for (const [name, zeros] of [
      ["newc-zeros", 512],
      ["newc-odd-zeros", 513],
    ] as const)
      writeFileSync(
        join(out, `${name}.cpio`),
        Buffer.concat([Buffer.alloc(zeros), newc("bad.zip\0", bad), newc("filler\0", filler), newc("TRAILER!!!\0")]),
      );
    writeFileSync(
      join(out, "newc-odc.cpio"),
      Buffer.concat([newc("good.txt\0", text), odc("bad.zip\0", bad), odc("filler\0", filler)]),
    );
    const body = await on.look(out);
    const ofArchives = Object.fromEntries(
      Object.entries(findings(body)).filter(([name]) => /^[a-z-]+\.cpio$/.test(name)),
    );
    const open = ["plain", "hard"];
    for (const [name, finding] of Object.entries(ofArchives)) {
      const expected = name.endsWith("-good.cpio")
        ? "clean"
        : open.some((each) => name.endsWith(`-${each}.cpio`))
          ? "infected"
          : "";
      if (expected !== "") expect([name, finding]).toEqual([name, expected]);
      else expect([name, finding]).not.toEqual([name, "clean"]);
    }
    expect(Object.keys(ofArchives)).toHaveLength(32);
    for (const name of ["newc-behind", "newc-padded", "newc-zeros"])
      expect([name, ofArchives[`${name}.cpio`]]).toEqual([name, "infected"]);
    expect(told(body, "newc-unterminated.cpio")).toMatch(
      /^unscannable: is cpio with a name that does not end where it should/,
    );
    expect(told(body, "newc-ends-early.cpio")).toMatch(
      /^unscannable: is cpio with a name that does not end where it should/,
    );
    expect(told(body, "newc-trailer-body.cpio")).toMatch(/^unscannable: is cpio with content in its trailer/);
    for (const name of ["newc-link-nul", "newc-link-long"])
      expect(told(body, `${name}.cpio!/link`)).toBe("unscannable: is a link to what is no path");
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
