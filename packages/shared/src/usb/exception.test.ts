import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Sha256, WorkstationId } from "../base/ids.ts";
import { UsbSection } from "../policy/usb.ts";
import {
  CarriedException,
  type Exception,
  exceptionFor,
  type Grounds,
  handsOver,
  leftOut,
  requestId,
  stickManifest,
} from "./exception.ts";
import { type ManifestFile, manifestDigest } from "./manifest.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const hex = (text: string) => createHash("sha256").update(text).digest("hex") as Sha256;
const file = (more: Partial<ManifestFile> = {}): ManifestFile => ({
  path: "a",
  size: 1,
  md5: null,
  sha256: hex("a"),
  type: "text/plain",
  finding: "clean",
  ...more,
});
const exception: Exception = {
  workstation: "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as WorkstationId,
  descriptors: hex("stick"),
  device: "AAAA",
  manifest: hex("manifest"),
  reason: "a contract, looked at by hand",
  digest: hex("statement"),
  notAfter: "2026-11-25T00:00:00.000Z",
};
const before = Date.parse("2026-11-24T23:59:59.000Z");
const after = Date.parse("2026-11-25T00:00:00.000Z");

describe("an exception", () => {
  const images = [{ bytes: 512, sha256: hex("image") }];
  const stick = { descriptors: hex("stick"), device: "AAAA", manifest: hex("manifest"), images };
  it.each([
    ["holds for that stick and those contents until its end", stick, before, before, true],
    ["not for other contents", { ...stick, manifest: hex("other") }, before, before, false],
    ["not for another stick with the same contents", { ...stick, descriptors: hex("other") }, before, before, false],
    ["nor for another of its model", { ...stick, device: "BBBB" }, before, before, false],
    ["not once the workstation's own clock has passed its end", stick, after, before, false],
    ["nor once signed time has, wherever the clock was set to", stick, before, after, false],
  ])("%s", (_, wanted, now, floor, holds) => {
    expect(exceptionFor([exception], wanted, { now, floor })).toEqual(holds ? exception : undefined);
  });
});

describe("an exception that binds the images", () => {
  const images = [
    { bytes: 512, sha256: hex("one") },
    { bytes: 1024, sha256: hex("two") },
  ];
  const whole: Exception = { ...exception, images, digest: hex("whole") };
  const found = (has: typeof images, ...exceptions: Exception[]) =>
    exceptionFor(
      exceptions,
      { descriptors: hex("stick"), device: "AAAA", manifest: hex("manifest"), images: has },
      { now: before, floor: before },
    )?.digest;
  it("holds for just these, in their order and number, and stands before one for the files alone", () => {
    expect(found(images, exception, whole)).toBe(whole.digest);
    expect(found([...images].reverse(), whole)).toBeUndefined();
    expect(found(images.slice(1), whole)).toBeUndefined();
    expect(found([{ ...images[0]!, bytes: 513 }, images[1]!], whole)).toBeUndefined();
    expect(found([], exception, whole)).toBe(exception.digest);
  });
  it("asks for more than one for the files, under another name, and says what it hands over", () => {
    const asked = { workstation: "w", descriptors: hex("d"), device: "A", manifest: hex("m") };
    expect(requestId(sha256, { ...asked, images })).not.toBe(requestId(sha256, asked));
    expect(handsOver({})).toBe("a copy of the files that its manifest lists, and nothing else");
    expect(handsOver({ images: images.slice(0, 1) })).toMatch(/^the whole image, 512 bytes, sha256 [0-9a-f]{64}, with/);
    expect(handsOver({ images })).toMatch(/^2 whole images: 512 bytes, sha256 .*; 1024 bytes, sha256/);
  });
  it("that does not say which stick holds for none", () => {
    const { device: _, ...old } = whole;
    expect(found(images, old)).toBeUndefined();
  });
  it("is read whole or not at all", () => {
    const { digest: _, notAfter: __, ...carried } = whole;
    expect(CarriedException.parse(carried)).toEqual(carried);
    expect(CarriedException.safeParse({ ...carried, images: [{ ...images[0], more: 1 }] }).success).toBe(false);
    expect(CarriedException.safeParse({ ...carried, images: [] }).success).toBe(false);
  });
});

it("a stick's manifest is its unit's, or all units' in order", () => {
  const [one, two] = [[file()], [file({ path: "b" })]];
  expect(stickManifest(sha256, [one])).toBe(manifestDigest(one, sha256));
  expect(new Set([[one], [two], [one, two], [two, one]].map((units) => stickManifest(sha256, units))).size).toBe(4);
});

it("the same contents of the same stick ask under the same name, other ones under another", () => {
  const asked = { workstation: "w", descriptors: hex("d"), device: "A", manifest: hex("m") };
  expect(requestId(sha256, asked)).not.toBe(requestId(sha256, { ...asked, device: "B" }));
  expect(requestId(sha256, asked)).toBe(requestId(sha256, { ...asked }));
  expect(requestId(sha256, asked)).not.toBe(requestId(sha256, { ...asked, manifest: hex("n") }));
});

describe("what goes into the copy", () => {
  const rows: [string, Partial<ManifestFile>, object, Grounds, RegExp | undefined][] = [
    ["a clean file does", {}, {}, "verdict", undefined],
    ["a link does not, whoever approves", { type: "inode/symlink" }, {}, "exception", /symlink/],
    ["nor what could not be read", { sha256: null, detail: "encrypted" }, {}, "exception", /encrypted/],
    ["an infected file does not", { finding: "infected", detail: "Eicar" }, {}, "verdict", /infected: Eicar/],
    ["an unscannable one neither", { finding: "unscannable" }, {}, "verdict", /unscannable/],
    ["unless policy lets it", { finding: "unscannable" }, { unscannable: "allow" }, "verdict", undefined],
    ["or a person does", { finding: "unscannable" }, {}, "exception", undefined],
    ["or nothing is enforced", { finding: "infected" }, {}, "audit", undefined],
  ];
  it.each(rows)("%s", (_, more, policy, grounds, why) => {
    const found = leftOut(file(more), UsbSection.parse(policy), grounds);
    if (why === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(why);
  });
});
