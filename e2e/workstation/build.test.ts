import { createDecipheriv } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { run } from "../../packages/hv-patches/tools/run.ts";
import { loadOrder } from "./build.ts";
import { cpio } from "./cpio.ts";
import { seenFrom } from "./look.ts";
import { encryptSectors } from "./luks.ts";
import { differences, frameBuffer, HEIGHT, WIDTH } from "./picture.ts";

it("an initramfs is what cpio itself unpacks", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "cpio-"));
  try {
    const archive = cpio([
      { path: "folder", kind: "folder", mode: 0o755 },
      { path: "folder/odd", kind: "file", mode: 0o640, content: Buffer.from("12345") },
      { path: "folder/link", kind: "link", target: "odd" },
    ]);
    await writeFile(path.join(folder, "a.cpio"), archive);
    await run("python3", ["-c", READ_NEWC, "a.cpio"], { cwd: folder });
    expect(JSON.parse(await readFile(path.join(folder, "out.json"), "utf8"))).toEqual([
      ["folder", 0o040755, ""],
      ["folder/odd", 0o100640, "12345"],
      ["folder/link", 0o120777, "odd"],
      ["TRAILER!!!", 0, ""],
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** The format read as its description has it, by nothing of ours. */
const READ_NEWC = `
import json, sys
data, at, out = open(sys.argv[1], "rb").read(), 0, []
while at < len(data):
    assert data[at:at + 6] == b"070701"
    field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
    name = data[at + 110:at + 110 + field[11] - 1].decode()
    at = (at + 110 + field[11] + 3) // 4 * 4
    out.append([name, field[1], data[at:at + field[6]].decode()])
    at = (at + field[6] + 3) // 4 * 4
json.dump(out, open("out.json", "w"))
`;

it("each sector of a volume is encrypted under its own number", () => {
  const key = Buffer.from(Array.from({ length: 64 }, (_, at) => at));
  const plain = Buffer.alloc(1024, 7);
  const secret = Buffer.from(encryptSectors(plain, key));
  expect(secret.subarray(0, 512).equals(secret.subarray(512))).toBe(false);
  const tweak = Buffer.alloc(16);
  tweak[0] = 1;
  const second = createDecipheriv("aes-256-xts", key, tweak).update(secret.subarray(512));
  expect(second.equals(plain.subarray(512))).toBe(true);
});

it("a module is loaded after all that it needs", () => {
  const dep = "kernel/a.ko.xz: kernel/b.ko.xz kernel/c.ko.xz\nkernel/b.ko.xz: kernel/c.ko.xz\nkernel/c.ko.xz:\n";
  expect(loadOrder(dep, ["a", "c"])).toEqual(["kernel/c.ko.xz", "kernel/b.ko.xz", "kernel/a.ko.xz"]);
  expect(() => loadOrder(dep, ["d"])).toThrow("no module d");
});

it("a capture with one wrong point is told from one with none", () => {
  const pixels = frameBuffer();
  const rgb = Buffer.alloc(WIDTH * HEIGHT * 3);
  for (let at = 0, to = 0; at < pixels.length; at += 4, to += 3)
    rgb.set([pixels[at + 2]!, pixels[at + 1]!, pixels[at]!], to);
  const ppm = Buffer.concat([Buffer.from(`P6\n${WIDTH} ${HEIGHT}\n255\n`), rgb]);
  expect(differences(ppm)).toBe(0);
  ppm[ppm.length - 1]! ^= 1;
  expect(differences(ppm)).toBe(1);
  expect(() => differences(Buffer.from("P6\n1 1\n255\nabc"))).toThrow("not 800x600");
});

it("what dom0 could not read is absent, not empty", () => {
  expect(
    seenFrom("\n=== type\nxen\n\n=== info\n\n=== lowmem pool\n0x1-0x2\n\n=== class 0000:00:01.0\n0x030000\n"),
  ).toEqual({
    type: "xen",
    lowmem: { pool: "0x1-0x2" },
    assigned: {},
    devices: { "0000:00:01.0": { class: "0x030000" } },
  });
});
