/** A message that OpenPGP encrypted is told in both forms of its packets and all versions; random bytes are hardly ever one. */
import { execFileSync } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { containers } from "../../src/gate/reader/archives/format.ts";
import { isCompressedMessage, isEncryptedMessage } from "../../src/gate/reader/archives/openpgp.ts";
import { bytesSource } from "../../src/gate/reader/source.ts";

const ENCRYPTED = [{ how: "closed", what: "encrypted (OpenPGP)" }];
const told = (bytes: Buffer) => containers(bytes, bytesSource(bytes), []);

/** A packet with its length in so many bytes of the new form. */
function packet(tag: number, body: Buffer, lengthBytes = body.length < 192 ? 1 : 2): Buffer {
  const head = Buffer.alloc(1 + lengthBytes);
  head[0] = 0xc0 | tag;
  if (lengthBytes === 1) head[1] = body.length;
  else if (lengthBytes === 2) head.writeUInt16BE(body.length - 192 + 192 * 256, 1);
  else {
    head[1] = 255;
    head.writeUInt32BE(body.length, 2);
  }
  return Buffer.concat([head, body]);
}

/** The session keys of a message in the old form, in the new one; and what is encrypted as it is. */
function renewed(old: Buffer, lengthBytes?: number): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (old[at]! < 0xc0) {
    const bytes = 1 << (old[at]! & 3);
    const [body, length] = [at + 1 + bytes, old.readUIntBE(at + 1, bytes)];
    parts.push(packet((old[at]! >> 2) & 15, old.subarray(body, body + length), lengthBytes));
    at = body + length;
  }
  return Buffer.concat([...parts, old.subarray(at)]);
}

describe("a message by gpg", () => {
  let home: string;
  const gpg = (...words: string[]) =>
    execFileSync("gpg", ["--batch", "--quiet", "--yes", "--pinentry-mode", "loopback", "--passphrase", "x", ...words], {
      env: { ...process.env, GNUPGHOME: home },
      stdio: ["ignore", "pipe", "ignore"],
    });
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "sallyport-gpg-"));
    writeFileSync(join(home, "text"), "hello");
    for (const key of [
      ["rsa", "rsa2048", "encr"],
      ["curve", "future-default", "default"],
    ])
      gpg("--quick-gen-key", ...key, "never");
  }, 60_000);
  afterAll(() => {
    execFileSync("gpgconf", ["--kill", "all"], { env: { ...process.env, GNUPGHOME: home } });
    rmSync(home, { recursive: true, force: true });
  });
  const made = (...words: string[]) => {
    gpg("--trust-model", "always", ...words, "-o", join(home, "out"), join(home, "text"));
    return readFileSync(join(home, "out"));
  };

  it.each([
    ["for an RSA key", ["-r", "rsa", "-e"]],
    ["for a key on a curve", ["-r", "curve", "-e"]],
    ["for nobody named", ["-R", "rsa", "-e"]],
    ["for a password", ["-c"]],
    ["for a password with nothing mixed into it", ["--s2k-mode", "0", "-c"]],
    ["for two keys and a password", ["-r", "rsa", "-r", "curve", "-e", "-c"]],
    ["without a proof that it is whole", ["--rfc2440", "--disable-mdc", "--cipher-algo", "3DES", "-c"]],
  ])("is encrypted in the old form, and in the new one, which gpg opens as well: %s", (_, words) => {
    const old = made(...words);
    expect(told(old)).toEqual(ENCRYPTED);
    for (const lengthBytes of [undefined, 5]) {
      const bytes = renewed(old, lengthBytes);
      writeFileSync(join(home, "new"), bytes);
      expect(gpg("--ignore-mdc-error", "-d", join(home, "new")).toString()).toBe("hello");
      expect(told(bytes)).toEqual(ENCRYPTED);
      const padded = Buffer.concat([packet(10, Buffer.from("PGP")), packet(21, Buffer.alloc(300)), bytes]);
      expect(told(padded)).toEqual(ENCRYPTED);
    }
  });

  it("is encrypted in letters", () => {
    expect(told(made("-a", "-r", "rsa", "-e"))).toEqual(ENCRYPTED);
  });

  it.each(["zip", "zlib", "bzip2"])(
    "that is compressed and not encrypted is one that nobody here unpacks: %s",
    (by) => {
      const packed = [{ how: "closed", what: "a message by OpenPGP, which the gate does not unpack" }];
      const old = made("--compress-algo", by, "--store");
      expect(told(old)).toEqual(packed);
      expect(told(made("--compress-algo", by, "-u", "curve", "-s"))).toEqual(packed);
      expect(told(packet(8, old.subarray(1)))).toEqual(packed);
      // its words as they lie are the scanner's
      expect(told(made("--compress-algo", "uncompressed", "--store"))).toEqual([]);
    },
  );

  it("is none by a key that is not whole, or with nothing encrypted behind it", () => {
    const old = made("-r", "rsa", "-e");
    const end = 3 + old.readUInt16BE(1);
    const text = packet(11, Buffer.from("b\0\0\0\0\0hello, which is no secret"));
    for (const bytes of [renewed(old), old]) {
      const key = bytes.subarray(0, end);
      expect(told(Buffer.concat([key, text]))).toEqual([]);
      expect(told(Buffer.concat([key.subarray(0, end - 1), bytes.subarray(end)]))).toEqual([]);
    }
    expect(told(Buffer.concat(Array(2_000).fill(packet(21, Buffer.alloc(4)))))).toEqual([]);
  });
});

describe("a message of version 6, made by OpenPGP.js 6.3", () => {
  it.each([
    [
      "for a key of X25519",
      "wW0GIQb4J3gix4yd5thV5698fbqWbaLQce9cO0LGaVzTQxVQ2Bla+a6D5lFLvwskhWwqU/giSj3ElMiuu+Of54BuHZXYKiia/Pig" +
        "1CM7Fh66ld98EaX/vv9GrkA//LUFxovYCBPUXYA7oDZT8evA0lECCQMM18kyUFOZWBWdkejmnll783Y3dC/17BhSGVaV8LoN9X0z" +
        "r4toF4JHWtd33J3NcGovcvtSA0h/5QzCBSAmPgpICpNA9ht53SSUb6R2buU=",
    ],
    [
      "for a key of X448",
      "wYUGIQbhLTNM7ZL2Zny5i28AXuKMd3Pt1gjm3aTI3qmf0zeVqRosJl5lUwR9vZLSOmvzWh/Rpy5m14KnFFHHkwznCp3zMtj/4Q86" +
        "CjY75zj1yi3sdtSOBNRo6ATdByibCldSHG+8r453qtdi73QOsEr752A6dN00iWHTEFhuClk5vyUdOsaG0lECCQMMzhU42DLVpGZ6" +
        "zZc5CZzqboUv+neAbICkURVNvXqFTP/qV0t64B3vpNLBSif6mPK8FaqXrCb6FlhsBhdxtGuk9d0DRq/V28BO+cbO97g=",
    ],
    [
      "for a password",
      "w08GHQkCCwMID0whk4osYNTgZ6k9cvSJp3Aqfnjt2t51do8IFAynD2S/AUkTPAYDf4CEbwj16ON8w0DnpOYgNgVeXxD22nnc/GOl" +
        "lLFffdtN0lECCQIMecyAYB5aI2dKEWCmLSFnao4pTIZ1KzF/XJFTOJKfVzcjYXPjnK2ooTo403sGBvfKI56PGCXXCcrBGGW60kV0" +
        "Qi6akjRKdVP07aiqxtc=",
    ],
    [
      "for a password by Argon2",
      "w1UGIwkDFARxBZzu8R+DJlRfnVl2s41OAwQQJ/SZKXEPm6Qjgv2d0TYyd3FRt6uvp2BOu6OCREwYLA3mOGlnAD2M5/1CYywjY5Bc" +
        "xqLEtel8/sR/7VNe0lECCQMMxzfeh1cKbBdszqVUWX3O2TOsmSIcqTgkCaWG2qmXbhapIgiCilzG5kdQPKmzeHZ5fKYsF/8snAha" +
        "i0fKv+ZBxS1ZQU4avlEEoslXpcI=",
    ],
  ])("is encrypted: %s", (_, base64) => {
    const bytes = Buffer.from(base64, "base64");
    expect(told(bytes)).toEqual(ENCRYPTED);
    // who it is for, or how many bytes of what: one that disagrees is none
    bytes[3]! ^= 1;
    expect(told(bytes)).toEqual([]);
  });
});

describe("two million files of random bytes and sixty thousand that may be unpacked", () => {
  const random = createCipheriv("aes-128-ctr", Buffer.alloc(16, "seed"), Buffer.alloc(16)).update(
    Buffer.alloc(2_100_000),
  );
  it.each([1, 2, 3])("that begin as what is compressed are hardly ever that: by %i", (by) => {
    let found = 0;
    for (let at = 0; at < 20_000; at++) {
      const bytes = Buffer.concat([Buffer.from([0xa3, by]), random.subarray(at * 4, at * 4 + 600)]);
      if (isCompressedMessage(bytes)) found += 1;
    }
    expect(found).toBeLessThan(40);
  });

  it.each([0x84, 0x85, 0x8c, 0xc1, 0xc3])("that begin as a session key are hardly ever one: %i", (first) => {
    let found = 0;
    for (let at = 0; at < 400_000; at++) {
      const bytes = random.subarray(at * 4, at * 4 + 512);
      const before = bytes[0]!;
      bytes[0] = first;
      if (isEncryptedMessage(bytes)) found += 1;
      bytes[0] = before;
    }
    // as of a hundred million with any first byte
    expect(found).toBeLessThan(20);
  });
});
