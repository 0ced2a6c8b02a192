/** The gate's reading half against a real clamd and images by the real tools. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Clamd } from "../../src/gate/scan.ts";
import { EICAR, MARKER, startClamd } from "./clamd-server.ts";
import { exfatImage, extImage, type Files, fatImage, isoImage, layOut, ntfsImage, partitioned, run } from "./images.ts";
import { missing } from "./packages.ts";
import { findings, type Scanning, scanning } from "./scanning.ts";

const absent = missing(
  "clamd",
  "mkfs.vfat",
  "mkfs.exfat",
  "mkfs.ext4",
  "mkfs.ntfs",
  "ntfscp",
  "mcopy",
  "debugfs",
  "genisoimage",
  "sfdisk",
  "7z",
  "zip",
  "bwrap",
);

describe.skipIf(absent !== null)("scan", () => {
  let on: Scanning;
  beforeAll(async () => {
    on = await scanning();
  });
  afterAll(() => on?.stop());
  const fresh = (name?: string) => on.fresh(name);
  const look: Scanning["look"] = (...asked) => on.look(...asked);
  const file = (body: ScanBody, path: string) => body.manifest.find((each) => each.path === path)!;

  const long = "a rather long name, mit Umlauten äöü und 日本語.txt";
  const big = randomBytes(3_000_000);
  const ordinary: Files = {
    "readme.txt": "hello\n",
    "docs/deep/er/eicar.com": EICAR,
    "docs/big.bin": big,
    [long]: "long\n",
    "empty.dat": "",
  };
  const expected = (body: ScanBody) => {
    expect(findings(body)).toEqual({
      "readme.txt": "clean",
      "docs/deep/er/eicar.com": "infected",
      "docs/big.bin": "clean",
      [long]: "clean",
      "empty.dat": "clean",
    });
    expect(file(body, "docs/big.bin")).toMatchObject({
      size: big.length,
      md5: createHash("md5").update(big).digest("hex"),
      sha256: createHash("sha256").update(big).digest("hex"),
    });
    expect(file(body, "docs/deep/er/eicar.com").detail).toContain("Test.Eicar");
    expect(body.verdict).toBe("block");
    expect(body.scanner?.engine).toMatch(/^ClamAV 1\./);
    expect(body.confined).toBe("bubblewrap");
  };

  describe("reads what people carry about", () => {
    it("a folder", async () => expected(await look(layOut(fresh("tree"), ordinary))));

    for (const bits of [16, 32] as const) {
      it(`FAT${bits}, and tells the image's own hash`, async () => {
        const image = fatImage(fresh("fat"), layOut(fresh("tree"), ordinary), bits);
        const body = await look(image);
        expected(body);
        expect(body.partitions).toMatchObject([{ number: 0, table: "none", fileSystem: `fat${bits}`, label: "STICK" }]);
        expect(body.image).toEqual({
          sha256: createHash("sha256").update(readFileSync(image)).digest("hex"),
          size: readFileSync(image).length,
        });
      });
    }

    it("FAT12", async () => {
      const body = await look(fatImage(fresh("fat"), layOut(fresh("tree"), { "A.TXT": "a", "d/b.txt": EICAR }), 12));
      expect(findings(body)).toEqual({ "A.TXT": "clean", "d/b.txt": "infected" });
    });

    for (const version of ["ext2", "ext3", "ext4"] as const) {
      it(version, async () => {
        const body = await look(extImage(fresh(version), layOut(fresh("tree"), ordinary), version));
        expected(body);
        expect(body.partitions).toMatchObject([{ fileSystem: version, label: "stick" }]);
      });
    }

    it("ext4 with content inside its inodes, block groups apart, and wide numbers", async () => {
      const tree = layOut(fresh("tree"), ordinary);
      const body = await look(extImage(fresh("ext4"), tree, "ext4", "inline_data,meta_bg,^resize_inode,64bit"));
      expected(body);
    });

    it("exFAT: files in a row, in pieces, not written to their end, and in a folder", async () => {
      const junk = { valid: Buffer.from("valid"), size: 9_000 };
      const image = exfatImage(fresh("exfat"), {
        row: { "readme.txt": "hello\n", "big.bin": big, "empty.dat": "" },
        pieces: { "pieces.bin": big },
        short: { "short.bin": junk },
        folder: { [long]: EICAR },
      });
      const body = await look(image);
      expect(findings(body)).toEqual({
        "readme.txt": "clean",
        "big.bin": "clean",
        "empty.dat": "clean",
        "pieces.bin": "clean",
        "short.bin": "clean",
        [`folder/${long}`]: "infected",
      });
      const whole = createHash("sha256").update(big).digest("hex");
      expect([file(body, "big.bin").sha256, file(body, "pieces.bin").sha256]).toEqual([whole, whole]);
      // to Windows zeros follow, to older Linux nothing does, and some read what lies there
      const { valid, size } = junk;
      const readings = [
        valid,
        Buffer.concat([valid, Buffer.alloc(size - valid.length)]),
        Buffer.concat([valid, Buffer.alloc(size - valid.length, "junk")]),
      ];
      expect(body.manifest.filter(({ path }) => path === "short.bin").map(({ sha256 }) => sha256)).toEqual(
        expect.arrayContaining(readings.map((read) => createHash("sha256").update(read).digest("hex"))),
      );
      expect(body.partitions).toMatchObject([{ fileSystem: "exfat" }]);
    });

    it("NTFS, with a second stream of a file", async () => {
      const image = ntfsImage(fresh("ntfs"), { "readme.txt": "hello\n", "eicar.com": EICAR, "big.bin": big });
      const part = fresh("stream");
      writeFileSync(part, MARKER);
      run("ntfscp", ["-f", "-N", "hidden", image, part, "readme.txt"]);
      const body = await look(image);
      expect(findings(body)).toMatchObject({
        "readme.txt": "clean",
        "readme.txt:hidden": "infected",
        "eicar.com": "infected",
        "big.bin": "clean",
      });
      expect(file(body, "big.bin").sha256).toBe(createHash("sha256").update(big).digest("hex"));
      expect(body.partitions).toMatchObject([{ fileSystem: "ntfs" }]);
    });

    it("ISO 9660 plain, with Rock Ridge, and with Joliet", async () => {
      const tree = layOut(fresh("tree"), ordinary);
      expect(Object.values(findings(await look(isoImage(fresh("iso"), tree)))).sort()).toEqual([
        "clean",
        "clean",
        "clean",
        "clean",
        "infected",
      ]);
      expected(await look(isoImage(fresh("iso"), tree, "-R")));
      const joliet = findings(await look(isoImage(fresh("iso"), tree, "-J", "-R")));
      expect(joliet).toMatchObject({ "docs/deep/er/eicar.com": "infected", [long]: "clean" });
    });

    it("a disc whose deep folders were moved lists them where they belong, once", async () => {
      const deep = "1/2/3/4/5/6/7/8/9/bad.com";
      const body = await look(isoImage(fresh("iso"), layOut(fresh("tree"), { [deep]: EICAR, "1/a.txt": "a" }), "-R"));
      expect(findings(body)).toEqual({ [deep]: "infected", "1/a.txt": "clean" });
    });

    it("a disc whose Joliet tree shows a file that its other trees hide", async () => {
      const tree = layOut(fresh("tree"), { "seen.txt": "seen", "unseen.com": EICAR });
      const body = await look(isoImage(fresh("iso"), tree, "-J", "-R", "-hide", "unseen.com"));
      expect(findings(body)).toMatchObject({ "seen.txt": "clean", "unseen.com": "infected" });
    });
  });

  describe("partition tables", () => {
    for (const table of ["dos", "gpt"] as const) {
      it(`${table}: finds the bad file in the second partition and names what lies outside`, async () => {
        const clean = fatImage(fresh("fat"), layOut(fresh("tree"), { "a.txt": "a" }), 16);
        const bad = extImage(fresh("ext"), layOut(fresh("tree"), { "a.txt": "a", "bad.com": EICAR }), "ext4");
        const [first, second] = table === "dos" ? ["c", "83"] : ["EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "L"];
        const image = partitioned(fresh("disk"), table, [
          { image: clean, type: first! },
          { image: bad, type: second! },
        ]);
        const body = await look(image);
        expect(body.verdict).toBe("block");
        expect(body.partitions).toMatchObject([
          { number: 1, fileSystem: "fat16" },
          { number: 2, fileSystem: "ext4" },
        ]);
        expect(body.manifest.map(({ partition, path, finding }) => [partition, path, finding])).toEqual([
          [1, "a.txt", "clean"],
          [2, "a.txt", "clean"],
          [2, "bad.com", "infected"],
        ]);
        expect(body.outside!.length).toBeGreaterThan(0);
        expect(body.outside!.every((gap) => gap.zeros)).toBe(true);
      });
    }

    it("logical partitions, and bytes hidden before the first one", async () => {
      const clean = fatImage(fresh("fat"), layOut(fresh("tree"), { "a.txt": "a" }), 16);
      const bad = fatImage(fresh("fat"), layOut(fresh("tree"), { "bad.com": EICAR }), 16);
      const image = partitioned(fresh("disk"), "dos", [
        { image: clean, type: "e" },
        { image: clean, type: "e", logical: true },
        { image: bad, type: "e", logical: true },
      ]);
      const bytes = readFileSync(image);
      bytes.write("hidden", 4096);
      writeFileSync(image, bytes);
      const body = await look(image);
      expect(body.partitions!.map((part) => part.number)).toEqual([1, 5, 6]);
      expect(body.manifest.at(-1)).toMatchObject({ partition: 6, path: "bad.com", finding: "infected" });
      expect(body.outside![0]).toMatchObject({ from: 512, zeros: false });
    });

    it("holds a partition that it cannot read, beside a clean one", async () => {
      const clean = fatImage(fresh("fat"), layOut(fresh("tree"), { "a.txt": "a" }), 16);
      const odd = fresh("odd");
      writeFileSync(odd, Buffer.concat([Buffer.from("LUKS\xba\xbe", "latin1"), Buffer.alloc(1024 * 1024)]));
      const body = await look(
        partitioned(fresh("disk"), "dos", [
          { image: clean, type: "c" },
          { image: odd, type: "83" },
        ]),
      );
      expect(body.verdict).toBe("hold");
      expect(body.reason).toContain("LUKS");
      expect(findings(body)).toEqual({ "a.txt": "clean" });
    });

    it("two file systems laid over one another are both listed", async () => {
      const ext = readFileSync(
        extImage(fresh("ext"), layOut(fresh("tree"), { "from-ext.com": EICAR }), "ext2", "^resize_inode"),
      );
      const fat = readFileSync(fatImage(fresh("fat"), layOut(fresh("tree"), {}), 32));
      fat.copy(ext, 0, 0, 512); // ext leaves its first 1,024 bytes alone
      const image = fresh("both");
      writeFileSync(image, ext);
      const body = await look(image);
      expect(body.partitions!.map((part) => part.fileSystem)).toEqual(["ext2", "fat32"]);
      expect(body.verdict).toBe("block");
    });
  });

  describe("archives", () => {
    const packed = (name: string, files: Files, program: string, args: string[]): string => {
      const tree = layOut(fresh("tree"), files);
      const out = fresh("packed");
      mkdirSync(out);
      run("sh", ["-c", `cd ${tree} && ${program} ${args.join(" ").replaceAll("OUT", join(out, name))}`]);
      return out;
    };
    const member = { "in/side.txt": "x", "in/bad.com": EICAR };

    it("names the members of zip, tar.gz, 7z, tar.xz and bz2, nested ones too", async () => {
      for (const [name, program, args] of [
        ["a.zip", "zip", ["-qr", "OUT", "."]],
        ["a.tar", "tar", ["cf", "OUT", "in"]],
        ["a.7z", "7z", ["a", "-bso0", "OUT", "in"]],
      ] as const) {
        const body = await look(packed(name, member, program, [...args]));
        expect(findings(body)).toMatchObject({
          [`${name}!/in/side.txt`]: "clean",
          [`${name}!/in/bad.com`]: "infected",
          [name]: "infected",
        });
      }
      for (const [name, flag] of [
        ["a.tar.gz", "z"],
        ["a.tar.xz", "J"],
      ] as const) {
        const body = await look(packed(name, member, "tar", [`c${flag}f`, "OUT", "in"]));
        const inner = body.manifest.find((each) => each.path!.endsWith("!/in/bad.com"))!;
        expect(inner.path).toMatch(new RegExp(`^${name}!/.+!/in/bad.com$`));
        expect(inner.finding).toBe("infected");
      }
      const zipped = packed(
        "b.zip",
        { "a.zip": readFileSync(join(packed("a.zip", member, "zip", ["-qr", "OUT", "."]), "a.zip")) },
        "zip",
        ["-q", "OUT", "a.zip"],
      );
      expect(findings(await look(zipped))).toMatchObject({
        "b.zip!/a.zip!/in/bad.com": "infected",
        "b.zip!/a.zip": "infected",
      });
    });

    it("a disc image lying on the stick is opened", async () => {
      const iso = readFileSync(isoImage(fresh("iso"), layOut(fresh("tree"), { "bad.com": EICAR }), "-R"));
      expect(findings(await look(layOut(fresh("tree"), { "disc.iso": iso })))).toMatchObject({
        "disc.iso!/bad.com": "infected",
      });
    });

    it("an encrypted member is unscannable, and so is its archive", async () => {
      for (const [name, program, args] of [
        ["a.zip", "zip", ["-qr", "-P", "secret", "OUT", "."]],
        ["a.7z", "7z", ["a", "-bso0", "-psecret", "-mhe=on", "OUT", "in"]],
      ] as const) {
        const body = await look(packed(name, member, program, [...args]));
        expect(body.verdict).toBe("hold");
        expect(file(body, name).finding).toBe("unscannable");
        expect(
          body.manifest.some((each) => each.finding === "unscannable" && /encrypted/.test(each.detail ?? "")),
        ).toBe(true);
      }
    });

    it("a bad member past the scanner's limit is unscannable though clamd says OK of the archive", async () => {
      const late = Buffer.concat([Buffer.alloc(26 * 1024 * 1024, "x"), Buffer.from(EICAR)]);
      const out = packed("a.zip", { "late.bin": late }, "zip", ["-qr", "OUT", "."]);
      const body = await look(out, { archives: { ratio: 100_000 } });
      expect(findings(body)).toEqual({ "a.zip": "unscannable", "a.zip!/late.bin": "unscannable" });
      expect(file(body, "a.zip!/late.bin").detail).toMatch(/larger than the scanner's limit/);
      expect(body.verdict).toBe("hold");
    });

    it("bombs end at the bounds of ratio, bytes, count and depth", async () => {
      const zeros = packed("a.zip", { "zeros.bin": Buffer.alloc(64 * 1024 * 1024) }, "zip", ["-qr", "OUT", "."]);
      expect(file(await look(zeros), "a.zip!/zeros.bin").detail).toMatch(/more than 250 times/);
      const gz = packed("a.gz", { z: Buffer.alloc(64 * 1024 * 1024) }, "gzip", ["-c", "z", ">", "OUT"]);
      expect(file(await look(gz), "a.gz").finding).toBe("unscannable");
      const bytes = await look(zeros, { archives: { ratio: 100_000, bytes: 8 * 1024 * 1024 } });
      expect(file(bytes, "a.zip!/zeros.bin").detail).toMatch(/bytes unpacked/);
      const many = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`f${at}`, "x"]));
      const count = await look(packed("a.zip", many, "zip", ["-qr", "OUT", "."]), { archives: { count: 50 } });
      expect(file(count, "a.zip").detail).toMatch(/more than 50 members/);
      let nested = packed("0.zip", { "x.txt": "x" }, "zip", ["-qr", "OUT", "."]);
      for (let depth = 1; depth <= 5; depth++)
        nested = packed(
          `${depth}.zip`,
          { [`${depth - 1}.zip`]: readFileSync(join(nested, `${depth - 1}.zip`)) },
          "zip",
          ["-q", "OUT", `${depth - 1}.zip`],
        );
      const deep = await look(nested);
      expect(deep.manifest.some((each) => /deeper than 4/.test(each.detail ?? ""))).toBe(true);
      expect(deep.verdict).not.toBe("allow");
    });

    it("a cut, a broken and a two-faced archive are unscannable", async () => {
      const whole = readFileSync(
        join(packed("a.zip", { "in/x": randomBytes(5000) }, "zip", ["-qr", "OUT", "in"]), "a.zip"),
      );
      const twoFaced = Buffer.from(whole);
      twoFaced.write("in/y", twoFaced.indexOf("in/x"));
      const broken = Buffer.from(whole);
      broken.fill(0xff, 300, 400);
      // the directory has two entries (the folder's and the file's), its end counts one
      const uncounted = Buffer.from(whole);
      for (const at of [8, 10]) uncounted.writeUInt16LE(1, whole.length - 22 + at);
      const body = await look(
        layOut(fresh("tree"), {
          "cut.zip": whole.subarray(0, whole.length - 30),
          "broken.zip": broken,
          "two.zip": twoFaced,
          "uncounted.zip": uncounted,
          "whole.zip": whole,
        }),
      );
      expect(findings(body)).toMatchObject({
        "cut.zip": "unscannable",
        "broken.zip": "unscannable",
        "two.zip": "unscannable",
        "uncounted.zip": "unscannable",
        "whole.zip": "clean",
      });
    });
  });

  describe("names are claims", () => {
    it("line ends, escapes, turned-around text and 255 bytes come through as they are; other bytes as base64", async () => {
      const names = ["line\nend", "\u001b[2Jescape", "invoice\u202excod.exe", "é".repeat(127)];
      const tree = fresh("tree");
      mkdirSync(tree);
      for (const name of names) writeFileSync(join(tree, name), "x");
      const raw = Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x66, 0xff, 0xfe])]);
      writeFileSync(raw, EICAR);
      for (const target of [tree, extImage(fresh("ext"), tree, "ext4")]) {
        const body = await look(target);
        expect(
          body.manifest
            .map((each) => each.path)
            .filter(Boolean)
            .sort(),
        ).toEqual([...names].sort());
        expect(body.manifest.find((each) => each.pathBase64)).toMatchObject({
          pathBase64: "Zv/+",
          finding: "infected",
        });
      }
    });

    it("a member that climbs out is listed by the name it claims and written nowhere", async () => {
      const out = fresh("tree");
      mkdirSync(out);
      run("python3", [
        "-c",
        `import zipfile,sys\nz=zipfile.ZipFile(sys.argv[1],"w")\nz.writestr("../../../../tmp/sallyport-climbed","x")`,
        join(out, "a.zip"),
      ]);
      expect(findings(await look(out))).toMatchObject({ "a.zip!/../../../../tmp/sallyport-climbed": "clean" });
      expect(existsSync("/tmp/sallyport-climbed")).toBe(false);
    });

    it("links and device nodes are listed and not followed", async () => {
      const tree = layOut(fresh("tree"), { "a.txt": "a" });
      symlinkSync("/etc/shadow", join(tree, "link"));
      const image = extImage(fresh("ext"), tree, "ext4");
      run("debugfs", ["-w", "-f", "-", image], "mknod disk b 8 0\nmknod null c 1 3\nmknod pipe p\n");
      const body = await look(image);
      expect(body.manifest.map(({ path, type }) => [path, type])).toEqual([
        ["a.txt", "text/plain"],
        ["disk", "inode/device"],
        ["link", "inode/symlink"],
        ["null", "inode/device"],
        ["pipe", "inode/fifo"],
      ]);
      expect(file(body, "link").detail).toContain("/etc/shadow");
    });
  });

  describe("broken media", () => {
    it("a cut image names what can be read and is held", async () => {
      for (const [name, image] of [
        ["fat", fatImage(fresh("fat"), layOut(fresh("tree"), ordinary), 32)],
        ["ext4", extImage(fresh("ext"), layOut(fresh("tree"), ordinary), "ext4")],
        ["ntfs", ntfsImage(fresh("ntfs"), { "a.txt": "a" })],
        ["iso", isoImage(fresh("iso"), layOut(fresh("tree"), ordinary), "-R")],
      ] as const) {
        truncateSync(image, Math.floor(readFileSync(image).length / 2));
        const body = await look(image);
        expect([name, body.verdict]).not.toEqual([name, "allow"]);
        expect(body.partitions![0]!.problem).toMatch(/claims|table/);
      }
    });

    it("random bytes and no bytes are held", async () => {
      for (const bytes of [randomBytes(1_000_000), Buffer.alloc(0), Buffer.alloc(700), Buffer.alloc(100_000)]) {
        const image = fresh("random");
        writeFileSync(image, bytes);
        const body = await look(image);
        expect(body.verdict).toBe("hold");
        expect(body.reason).toContain("no file system");
      }
    });

    it("a folder that holds itself ends", async () => {
      const image = fatImage(fresh("fat"), layOut(fresh("tree"), { "d/x.txt": "x" }), 16);
      const bytes = readFileSync(image);
      const record = bytes.indexOf("X       TXT");
      bytes[record + 11] = 0x10; // x.txt becomes a folder that starts where d does
      const folder = bytes.indexOf("D          ");
      bytes.writeUInt16LE(bytes.readUInt16LE(folder + 26), record + 26);
      writeFileSync(image, bytes);
      const body = await look(image);
      expect(body.verdict).toBe("hold");
      expect(body.manifest.some((each) => /holds itself/.test(each.detail ?? ""))).toBe(true);
    });

    it("ext4 with a journal that was not played back is held", async () => {
      const image = extImage(fresh("ext"), layOut(fresh("tree"), { "a.txt": "a" }), "ext4");
      run("debugfs", ["-w", "-R", "feature needs_recovery", image]);
      expect((await look(image)).reason).toContain("journal");
    });

    it("flipping any of many bytes never ends the agent, and never hides the bad file as clean", async () => {
      const sound = readFileSync(fatImage(fresh("fat"), layOut(fresh("tree"), { "bad.com": EICAR }), 12));
      const image = fresh("flipped");
      for (let round = 0; round < 12; round++) {
        const bytes = Buffer.from(sound);
        for (let flips = 0; flips < 40; flips++)
          bytes[Math.floor(Math.random() * 16_384)] = Math.floor(Math.random() * 256);
        writeFileSync(image, bytes);
        const body = await look(image);
        for (const each of body.manifest.filter(
          (entry) => entry.path?.toLowerCase() === "bad.com" && entry.size === EICAR.length,
        )) {
          expect(each.sha256 === createHash("sha256").update(EICAR).digest("hex") && each.finding === "clean").toBe(
            false,
          );
        }
      }
    });
  });

  describe("the scanner", () => {
    const tree = () => layOut(fresh("tree"), { "a.txt": "a", "b.txt": "b", "c.txt": "c", "d.txt": "d", "e.txt": "e" });
    const holds = (body: ScanBody) => {
      expect(body.verdict).toBe("hold");
      expect(new Set(Object.values(findings(body)))).toEqual(new Set(["unscannable"]));
    };

    it("absent: everything is unscannable and held", async () => {
      const body = await look(tree(), {}, { clamd: null });
      holds(body);
      expect(body.scanner).toBeNull();
      holds(await look(tree(), {}, { clamd: { ...on.clamd, socket: fresh("nothing-here") } }));
    });

    it("dead: its socket is there and nobody listens", async () => {
      const other = await startClamd();
      other.process.kill("SIGKILL");
      await new Promise((resolve) => other.process.once("close", resolve));
      holds(await look(tree(), {}, { clamd: other }));
      await other.stop();
    });

    // these wait for what does not answer, one beside the other
    it.concurrent.each([
      ["by files in its tray", true],
      ["by streams", false],
    ])(
      "asked %s and hung from the start, or in the middle: time-outs, then it is not asked again",
      async (_, trays) => {
        const made = await startClamd();
        const other = trays ? made : { ...made, trays: null };
        try {
          other.process.kill("SIGSTOP");
          holds(await look(tree(), {}, { clamd: other }));
          other.process.kill("SIGCONT");
          const files = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`f${at}`, randomBytes(200_000)]));
          const started = Date.now();
          // a door before the scanner that stops it for good at the tenth question
          const socket = fresh("door.sock");
          const door = await doorBefore(other.socket, socket, {
            count: 10,
            act: () => other.process.kill("SIGSTOP"),
          });
          const folder = layOut(fresh("tree"), files);
          const limits = { fileSeconds: 1 };
          const body = await look(folder, { limits }, { clamd: { ...other, socket } }).finally(() => door.close());
          expect(body.verdict).toBe("hold");
          expect(body.manifest.length).toBe(40);
          expect(Date.now() - started).toBeLessThan(60_000);
        } finally {
          other.process.kill("SIGCONT");
          await other.stop();
        }
      },
    );

    it.concurrent("slow: what it answers in its time stands, what comes later is unscannable", async () => {
      const names = Object.fromEntries(Array.from({ length: 3 }, (_, at) => [`f${at}.txt`, `file ${at}`]));
      const folder = layOut(fresh("tree"), { ...names, "bad.com": EICAR });
      const behind = async (delayMs: number) => {
        const socket = fresh("door.sock");
        const door = await doorBefore(on.clamd.socket, socket, { delayMs });
        const slow = { clamd: { ...on.clamd, socket } };
        return look(folder, { limits: { fileSeconds: 2 } }, slow).finally(() => door.close());
      };
      const late = findings(await behind(300));
      expect(late["bad.com"]).toBe("infected");
      expect(Object.values(late).filter((finding) => finding === "clean")).toHaveLength(3);
      const body = await behind(2_500);
      holds(body);
      expect(JSON.stringify(body)).toContain("the scanner gave no answer within 2 s");
    });

    it("a limit it reaches inside a document is unscannable, not clean; where it would not say so, neither", async () => {
      const pdf = Buffer.concat([Buffer.from("%PDF-1.4\n"), Buffer.alloc(60_000, "%x\n"), Buffer.from("\n%%EOF\n")]);
      const folder = layOut(fresh("tree"), { "a.pdf": pdf });
      expect(findings(await look(folder))).toEqual({ "a.pdf": "clean" });
      const silent: Clamd = { ...on.clamd, limitsReported: false };
      const body = await look(folder, {}, { clamd: silent });
      expect(file(body, "a.pdf")).toMatchObject({
        finding: "unscannable",
        detail: expect.stringContaining("AlertExceedsMax"),
      });
    });

    it("a file beyond its limits is hashed and unscannable", async () => {
      const other = await startClamd({ StreamMaxLength: "1M" });
      const body = await look(layOut(fresh("tree"), { "big.bin": big, "a.txt": "a" }), {}, { clamd: other });
      expect(findings(body)).toEqual({ "a.txt": "clean", "big.bin": "unscannable" });
      expect(file(body, "big.bin").sha256).toBe(createHash("sha256").update(big).digest("hex"));
      await other.stop();
    });
  });

  it("20,000 small files are read within a bound", async () => {
    const out = fresh("many");
    mkdirSync(out);
    for (let at = 0; at < 20_000; at++) {
      if (at % 200 === 0) mkdirSync(join(out, `d${at / 200}`));
      writeFileSync(join(out, `d${Math.floor(at / 200)}`, `f${at}`), `file ${at}`);
    }
    const started = Date.now();
    const body = await look(out);
    expect(body.verdict).toBe("allow");
    expect(body.manifest.length).toBe(20_000);
    expect(Date.now() - started).toBeLessThan(170_000);
  }, 240_000);

  it("a reading that takes too long is ended and held", async () => {
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`f${at}`, randomBytes(2_000_000)]));
    const body = await look(layOut(fresh("tree"), files), { limits: { seconds: 1 } });
    expect(body.verdict).toBe("hold");
    expect(body.reason).toMatch(/longer than 1 s/);
  });
});

type DoorHas = { count?: number; act?: () => void; delayMs?: number };
/** Passes connections on to `to`, answers after a while, and acts once, at the connection of that number. */
async function doorBefore(to: string, at: string, { count, act, delayMs = 0 }: DoorHas): Promise<Server> {
  let asked = 0;
  const server = createServer((from) => {
    const scanner = connect(to);
    from.on("data", (bytes: Buffer) => {
      const isQuestion = /^(?:zIDSESSION\0)?z(?:SCAN |INSTREAM\0)/.test(bytes.toString("latin1", 0, 32));
      if (isQuestion && ++asked === count) act?.();
      scanner.write(bytes);
    });
    const later = (what: () => void) => void (delayMs > 0 ? setTimeout(what, delayMs) : what());
    scanner.on("data", (bytes: Buffer) => later(() => from.write(bytes)));
    from.on("error", () => scanner.destroy()).on("close", () => scanner.destroy());
    scanner.on("error", () => from.destroy()).on("close", () => later(() => from.destroy()));
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(at, resolve));
  return server;
}
