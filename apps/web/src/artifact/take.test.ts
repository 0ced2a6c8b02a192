import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { ArtifactKind } from "@sallyport/shared/artifact/artifact.ts";
import { afterAll, describe, expect, it } from "vitest";
import { takeArtifact } from "./take.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-take-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rule = (sid: number) => `alert udp any any -> any any (msg:"a"; sid:${sid};)\n`;

/** In pieces of 7 bytes, from chunks of 5. */
async function take(kind: ArtifactKind, name: string, bytes: Uint8Array | string) {
  const pieces: Uint8Array[] = [];
  const whole = Buffer.from(bytes as string);
  const chunks = (async function* () {
    for (let at = 0; at < whole.length; at += 5) yield whole.subarray(at, at + 5);
  })();
  const keep = async (position: number, piece: Uint8Array) => {
    expect(position).toBe(pieces.push(piece) - 1);
  };
  const taken = await takeArtifact({ kind, name, chunks, pieceBytes: 7, keep });
  const kept = Buffer.concat(pieces);
  expect(pieces.slice(0, -1).every(({ length }) => length === 7)).toBe(true);
  expect(taken).toMatchObject({ bytes: kept.length, sha256: createHash("sha256").update(kept).digest("hex") });
  return { facts: taken.facts, text: kept.toString() };
}
const refusal = (kind: ArtifactKind, name: string, bytes: Uint8Array | string) =>
  take(kind, name, bytes).then(
    () => "taken",
    (error: Error) => error.message,
  );

function tarOf(files: Record<string, string>, ...more: string[]): Buffer {
  const root = mkdtempSync(join(folder, "tar-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return execFileSync("tar", [...more, "-C", root, "-c", "."], { maxBuffer: 64 * 1024 * 1024 });
}

describe("a rule set", () => {
  it("is kept as it is", async () => {
    expect(await take("suricata-rules", "site.rules", rule(1) + rule(2))).toEqual({
      facts: { rules: 2 },
      text: rule(1) + rule(2),
    });
  });
  it("of files put together is kept without the byte order marks they began with", async () => {
    const marked = `\uFEFF${rule(1)}\uFEFF# the second\n${rule(2)}`;
    expect(await take("suricata-rules", "site.rules", marked)).toEqual({
      facts: { rules: 2 },
      text: `${rule(1)}# the second\n${rule(2)}`,
    });
  });
  it.each([["--format=ustar"], ["--format=gnu"], ["--format=pax"]])(
    "of an archive is one text, by name (%s)",
    async (format) => {
      const long = `rules/${"deep/".repeat(30)}c.rules`;
      const tar = tarOf(
        { "b.rules": rule(2), "a.rules": rule(1), [long]: rule(3), "classification.config": "no" },
        format,
      );
      for (const bytes of [tar, gzipSync(tar)]) {
        const { facts, text } = await take("suricata-rules", "et.tar.gz", bytes);
        expect(facts).toEqual({ rules: 3, files: 3 });
        expect(text.indexOf("sid:1;")).toBeLessThan(text.indexOf("sid:2;"));
        expect(text).toContain("sid:3;");
        expect(text).not.toContain("no\n");
      }
    },
  );
  it("is refused where a name leads out of the archive, or a link does", async () => {
    const out = tarOf({ "a.rules": rule(1) }, "--transform=s,^./a,../../a,", "-P");
    expect(await refusal("suricata-rules", "x.tar", out)).toMatch(/"..\/..\/a.rules", a name that leads out of it/);
    const absolute = tarOf({ "a.rules": rule(1) }, "--transform=s,^./a,/etc/a,", "-P");
    expect(await refusal("suricata-rules", "x.tar", absolute)).toMatch(/"\/etc\/a.rules", a name that leads out/);
    const root = mkdtempSync(join(folder, "link-"));
    symlinkSync("/etc/passwd", join(root, "a.rules"));
    const link = execFileSync("tar", ["-C", root, "-c", "."]);
    expect(await refusal("suricata-rules", "x.tar", link)).toMatch(/no plain file but a link/);
  });
  it("is refused where it is cut off, changed, packed too large or no text", async () => {
    const tar = tarOf({ "a.rules": rule(1).repeat(1) + "#\n".repeat(2_000) });
    expect(await refusal("suricata-rules", "x.tar", tar.subarray(0, 2_000))).toMatch(/cut off/);
    expect(await refusal("suricata-rules", "x.tar.gz", gzipSync(tar).subarray(0, 100))).toMatch(/cannot be unpacked/);
    const changed = Buffer.from(tar);
    changed[changed.indexOf("a.rules")] = 0x62;
    expect(await refusal("suricata-rules", "x.tar", changed)).toMatch(/a header of it cannot be read/);
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024));
    expect(await refusal("suricata-rules", "x.tar.gz", bomb)).toMatch(/too large: at most 128 MiB/);
    expect(await refusal("suricata-rules", "x.rules", Buffer.from([0x23, 0xff, 0x0a]))).toMatch(/no UTF-8 text/);
    expect(await refusal("suricata-rules", "x.rules", "<html>")).toMatch(/Line 1 begins with no action/);
    expect(await refusal("suricata-rules", "x.exe", rule(1))).toMatch(/neither/);
    expect(await refusal("suricata-rules", "x.tar", tarOf({ "readme.txt": "a" }))).toMatch(
      /holds no file that ends in .rules/,
    );
  });
});

function cvd(body: string): Buffer {
  const head = Buffer.alloc(512, " ");
  const md5 = createHash("md5").update(body).digest("hex");
  head.write(`ClamAV-VDB:23 Nov 2026 08-25 +0000:27500:12:90:${md5}:x:builder:1764000000`);
  return Buffer.concat([head, Buffer.from(body)]);
}

describe("definitions", () => {
  it("say who they are", async () => {
    expect((await take("clamav-definitions", "daily.cvd", cvd("a tar.gz"))).facts).toEqual({
      version: "27500",
      made: "2026-11-23T08:25:00.000Z",
      signatures: 12,
    });
    const two = `${"a".repeat(32)}:68:One\n# none\n${"b".repeat(32)}:68:Two`;
    expect((await take("clamav-definitions", "site.hdb", two)).facts).toEqual({ signatures: 2 });
  });
  it("are refused where they are cut off, or are something else", async () => {
    const whole = cvd("a longer tar.gz");
    expect(await refusal("clamav-definitions", "daily.cvd", whole.subarray(0, -3))).toMatch(/damaged or cut off/);
    expect(await refusal("clamav-definitions", "daily.cvd", whole.subarray(0, 100))).toMatch(/damaged or cut off/);
    expect(await refusal("clamav-definitions", "daily.cvd", "PK")).toMatch(/ClamAV-VDB/);
    expect(await refusal("clamav-definitions", "site.hdb", "One\n")).toMatch(
      /Line 1 is no definition of the kind .hdb/,
    );
    expect(await refusal("clamav-definitions", "site.hdb", "")).toBe("It holds no definition.");
    expect(await refusal("clamav-definitions", "site.ldb", "x".repeat(2 * 1024 * 1024))).toMatch(/Line 1 has no end/);
    expect(await refusal("clamav-definitions", "site.txt", "One\n")).toMatch(/no database's name/);
    // clamd takes them, and a workstation that sees one holds every scan
    for (const name of ["site.cfg", "site.cud"])
      expect(await refusal("clamav-definitions", name, "One\n")).toMatch(/workstations would hold every scan/);
  });
});
