/** Sealed images → what a guest gets, by the confined rebuilder; judged by exfatprogs and by the gate's own readers. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ok } from "@sallyport/shared/base/result.ts";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startReader } from "../../src/dom0/confine.ts";
import { type StartRebuild, startRebuild } from "../../src/dom0/usb-rebuild.ts";
import { usbVolume } from "../../src/dom0/usb-volume.ts";
import { rebuildImage } from "../../src/gate/rebuild.ts";
import { scan } from "../../src/gate/scan.ts";
import { extImage, fatImage, layOut, partitioned, run } from "../gate/images.ts";
import { missing } from "../gate/packages.ts";

const absent = missing("mkfs.vfat", "mcopy", "mkfs.ext4", "sfdisk", "fsck.exfat");
const MIB = 1024 * 1024;
const policy = UsbSection.parse({ unscannable: "allow" });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-rebuild-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const look = (path: string) =>
  scan(path, { policy, clamd: null, start: startReader, now: () => new Date(), lanes: 2, imageSha256: "0".repeat(64) });

async function rebuilt(
  image: string,
  change: (body: ScanBody) => ScanBody["manifest"] = ({ manifest }) => manifest,
  start: StartRebuild = startRebuild,
) {
  const volume = usbVolume(join(folder, "volume"));
  const signal = new AbortController().signal;
  const bytes = readFileSync(image).length;
  const copied = await volume.copy({ node: image, bytes, onProgress: () => {}, signal });
  await volume.seal(copied);
  const body = await look(volume.path(copied.file));
  const room = { setAside: () => ok(undefined), writes: () => {} };
  const parts = { volume, start, policy, now: Date.now, signal, ...room };
  try {
    const made = await rebuildImage({ lun: 0, ...copied }, change(body), "verdict", parts);
    const out = join(folder, "out.img");
    rmSync(out, { force: true });
    copyFileSync(volume.path(made.file), out);
    await volume.discard(made.file);
    return { made, out, found: await look(out) };
  } finally {
    await volume.discard(copied.file);
    expect(await volume.files()).toEqual([]);
    await volume.close();
  }
}

/** exfatprogs look at a volume, not at a table. */
function fsck(image: string): string {
  const bytes = readFileSync(image);
  expect(bytes.readUInt32LE(454)).toBe(2048);
  writeFileSync(join(folder, "volume.exfat"), bytes.subarray(MIB));
  return run("fsck.exfat", ["-n", join(folder, "volume.exfat")]);
}

describe.skipIf(absent !== null)("the copy that a guest gets", () => {
  it("is not made where the sandbox does not work", async () => {
    const image = fatImage(join(folder, "alone.img"), layOut(join(folder, "alone"), { "letter.txt": "dear" }), 16);
    const made = rebuilt(image, undefined, (order) => startRebuild({ ...order, wrapper: "no-such-wrapper" }));
    await expect(made).rejects.toThrow(/the sandbox for that does not work: there is no no-such-wrapper/);
  });

  it("holds what passed, with its bytes, and exfatprogs find nothing wrong with it", async () => {
    const files = {
      "letter.txt": "dear reader",
      "photos/one.jpg": Buffer.alloc(300_000, 9),
      empty: "",
      "photos/ü.txt": "u",
    };
    const image = fatImage(join(folder, "fat.img"), layOut(join(folder, "fat"), files), 16);
    const { made, out, found } = await rebuilt(image);
    expect(fsck(out)).toMatch(/clean/);
    const scanned = await look(image);
    const list = (body: ScanBody) => body.manifest.map(({ path, sha256 }) => [path, sha256]);
    expect(list(found)).toEqual(list(scanned));
    expect(found.partitions).toMatchObject([{ table: "mbr", fileSystem: "exfat" }]);
    expect(made).toMatchObject({ files: 4, leftOut: { count: 0 }, renamed: { count: 0 } });
  });
  it("has no links, no other's bytes and no odd names; each is said", async () => {
    const tree = layOut(join(folder, "ext"), { "a\nb.txt": "lines", "\u202ecod.exe": "turned", "con.txt": "reserved" });
    symlinkSync("/etc/passwd", join(tree, "link"));
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/bad`), Buffer.from([0xff])]), "no unicode");
    const image = extImage(join(folder, "ext.img"), tree, "ext4");
    const { made, out, found } = await rebuilt(image);
    expect(fsck(out)).toMatch(/clean/);
    expect(found.manifest.map(({ path }) => path).sort()).toEqual(["_cod.exe", "_con.txt", "a_b.txt", "bad_"]);
    expect(made.leftOut).toMatchObject({ count: 1, first: [{ name: "link", why: expect.stringMatching(/symlink/) }] });
    expect(made).toMatchObject({ renamed: { count: 4 } });
  });
  it("has a folder for each of several partitions, and leaves out what did not pass in either", async () => {
    const one = fatImage(join(folder, "one.img"), layOut(join(folder, "one"), { "same.txt": "first" }), 12);
    const two = fatImage(
      join(folder, "two.img"),
      layOut(join(folder, "two"), { "same.txt": "second", bad: "virus" }),
      12,
    );
    const disk = partitioned(join(folder, "disk.img"), "gpt", [
      { image: one, type: "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" },
      { image: two, type: "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" },
    ]);
    const infect = ({ manifest }: ScanBody) =>
      manifest.map((file) => (file.path === "bad" ? { ...file, finding: "infected" as const, detail: "Test" } : file));
    const { made, out, found } = await rebuilt(disk, infect);
    expect(fsck(out)).toMatch(/clean/);
    expect(found.manifest.map(({ path }) => path)).toEqual(["Partition 1/same.txt", "Partition 2/same.txt"]);
    expect(made.leftOut).toMatchObject({ count: 1, first: [{ name: "bad", why: "infected: Test" }] });
    expect(readFileSync(out).includes("virus")).toBe(false);
  });
  it("is not made where a file is not what was scanned, or cannot be found again", async () => {
    const image = fatImage(join(folder, "f.img"), layOut(join(folder, "f"), { "a.txt": "a" }), 12);
    const other = ({ manifest }: ScanBody) => manifest.map((file) => ({ ...file, sha256: "1".repeat(64) }));
    await expect(rebuilt(image, other)).rejects.toThrow(/is not what was scanned/);
    const more = ({ manifest }: ScanBody) => [...manifest, { ...manifest[0]!, path: "never/was" }];
    await expect(rebuilt(image, more)).rejects.toThrow(/1 file scanned cannot be found again/);
  });
  describe("is looked at again once it is sealed, and not handed over", () => {
    /** A rebuilder that a stick's bytes have taken over: what it made is changed, by it or after it, and it says nothing. */
    const but =
      (change: (copy: Buffer) => void): StartRebuild =>
      async (order) => {
        const started = await startRebuild(order);
        if (!order.out) return started;
        const { out } = order;
        const ended = started.ended.then(async (problem) => {
          const copy = Buffer.alloc((await out.stat()).size);
          await out.read(copy, 0, copy.length, 0);
          const before = Buffer.from(copy);
          change(copy);
          expect(copy.equals(before)).toBe(false);
          await out.write(copy, 0, copy.length, 0);
          return problem;
        });
        return { ...started, ended };
      };
    const changed = (what: string, to: string, encoding: BufferEncoding) => (copy: Buffer) => {
      const at = copy.indexOf(Buffer.from(what, encoding));
      copy.write(to, at, encoding);
    };
    const volumeAt = (copy: Buffer) => MIB + copy.readUInt32LE(MIB + 88) * 512;
    it.each<[string, (copy: Buffer) => void, RegExp]>([
      [
        "where a file's content is another",
        changed("dear reader", "dear virus", "latin1"),
        /"letter.txt" .* is not what was scanned/,
      ],
      ["where a name is another", changed("letter.txt", "letter.exe", "utf16le"), /its tables differ at byte \d+/],
      ["where the boot code is another", (copy) => copy.write("boot me", 0), /its tables differ at byte 0/],
      [
        "where something lies behind a file's end",
        (copy) => copy.write("hidden", copy.indexOf("dear reader") + 100),
        /belongs to no file/,
      ],
      [
        "where something lies before the partition",
        (copy) => copy.write("hidden", 4_096),
        /byte 4096 belongs to no file/,
      ],
      [
        "where a cluster is marked that nothing has",
        (copy) => void copy.fill(0xff, volumeAt(copy), volumeAt(copy) + 8),
        /its tables differ/,
      ],
    ])("%s", async (_, change, says) => {
      const files = { "letter.txt": "dear reader", "photos/ü.txt": "u" };
      const image = fatImage(join(folder, "again.img"), layOut(join(folder, "again"), files), 12);
      await expect(rebuilt(image, undefined, but(change))).rejects.toThrow(says);
    });
    it("where whoever looks stops, or says more than it may", async () => {
      const image = fatImage(join(folder, "again.img"), layOut(join(folder, "again"), { "a.txt": "a" }), 12);
      const silent =
        (lines: string[], ended: string | null): StartRebuild =>
        async (order) => {
          if (order.out) return startRebuild(order);
          return {
            lines: (async function* () {
              yield* lines;
            })(),
            ended: Promise.resolve(ended),
          };
        };
      await expect(rebuilt(image, undefined, silent([], null))).rejects.toThrow(/stopped, or said what cannot be read/);
      await expect(rebuilt(image, undefined, silent([], "it was killed"))).rejects.toThrow(
        /not handed over: it was killed/,
      );
      const twice = JSON.stringify({ event: "checked", files: 1 });
      await expect(rebuilt(image, undefined, silent([twice, twice], null))).rejects.toThrow(/cannot be read/);
      await expect(rebuilt(image, undefined, silent([twice.replace("1", "2")], null))).rejects.toThrow(
        /cannot be read/,
      );
    });
  });
  it("is made in the same way whatever order names come in, of many that are alike", async () => {
    const tree = layOut(join(folder, "many"), {
      "x/a?.txt": "1",
      "x/a*.txt": "2",
      "X/a:.txt": "3",
      con: "4",
      _con: "5",
    });
    for (let number = 0; number < 300; number++) writeFileSync(join(tree, "x", `n${number}<.bin`), `${number}`);
    for (let number = 0; number < 300; number++) writeFileSync(join(tree, "X", `N${number}>.bin`), `${number}`);
    const image = extImage(join(folder, "many.img"), tree, "ext4");
    const { made, out, found } = await rebuilt(image);
    expect(fsck(out)).toMatch(/clean/);
    expect(made.files).toBe(605);
    expect(new Set(found.manifest.map(({ path }) => path)).size).toBe(605);
  });
  it("takes an archive with its members inside it", async () => {
    mkdirSync(join(folder, "zip"), { recursive: true });
    writeFileSync(join(folder, "zip/inside.txt"), "inside");
    run("tar", ["-C", join(folder, "zip"), "-cf", join(folder, "zip/all.tar"), "inside.txt"]);
    rmSync(join(folder, "zip/inside.txt"));
    const { found, made } = await rebuilt(fatImage(join(folder, "z.img"), join(folder, "zip"), 12));
    expect(found.manifest.map(({ path, member }) => [path, member])).toEqual([
      ["all.tar", undefined],
      ["all.tar!/inside.txt", true],
    ]);
    expect(made).toMatchObject({ files: 1, leftOut: { count: 0 } });
  });

  it("takes a file whose folder is named as an archive's members are", async () => {
    const tree = { report: "a report", "report!/minutes.txt": "the minutes", "report!/left.txt": "not to pass" };
    const image = fatImage(join(folder, "mark.img"), layOut(join(folder, "mark"), tree), 12);
    const block = ({ manifest }: ScanBody): ScanBody["manifest"] =>
      manifest.map((file) => (file.path?.endsWith("left.txt") ? { ...file, sha256: null, detail: "cut off" } : file));
    const { found, made } = await rebuilt(image, block);
    expect(found.manifest.map(({ path }) => path)).toEqual(["report", "report!/minutes.txt"]);
    expect(made.leftOut).toEqual({ count: 1, first: [{ name: "report!/left.txt", why: "cut off" }] });
    // an agent from before members were told apart left it to the names
    const before = await rebuilt(image, ({ manifest }) => manifest.map(({ member: _, ...file }) => file));
    expect(before.made).toMatchObject({ files: 1, leftOut: { count: 0 } });
  });
});
