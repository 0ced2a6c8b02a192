import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Header, readHeader as read } from "./header.ts";

const dumped = (name: string) => readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8");
const golden = dumped("luks2-1");
const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const readHeader = (text: string) => read(sha256, text);

describe("a header as cryptsetup 2.6 dumps it", () => {
  it("is read: cipher, keys, tokens, and where the data begins", () => {
    const read = readHeader(golden);
    if (!read.ok) throw new Error(read.error);
    expect(read.value).toMatchObject({
      cipher: "aes-xts-plain64",
      sectorBytes: 4096,
      tokens: [{ type: "sallyport-recovery", slots: [5] }],
      headerBytes: 32_768,
      areaBytes: 16_777_216,
      amiss: [],
      isPlain: false,
      isDetached: false,
    });
    expect(new Set(read.value.slots.map(({ id }) => id)).size).toBe(3);
    expect(read.value.slots.map(({ slot, kdf, keyBits }) => [slot, kdf, keyBits])).toEqual([
      [0, "pbkdf2", 512],
      [5, "pbkdf2", 512],
      [7, "pbkdf2", 512],
    ]);
  });
  it.each<[string, (whole: Record<string, never>) => unknown]>([
    ["without keys", ({ keyslots: _gone, ...rest }) => rest],
    ["without an encrypted segment", (whole) => ({ ...whole, segments: {} })],
    ["whose data begins at no number", (whole) => ({ ...whole, segments: { 0: { type: "crypt", offset: "0x10" } } })],
    [
      "with too many tokens",
      (whole) => ({
        ...whole,
        tokens: Object.fromEntries([...Array(33).keys()].map((at) => [at, { type: "x", keyslots: [] }])),
      }),
    ],
  ])("%s is refused", (_name, change) => {
    expect(readHeader(JSON.stringify(change(JSON.parse(golden)))).ok).toBe(false);
  });
  it("is answered, never thrown, whatever it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(readHeader(text).ok).toBe(false);
      }),
    );
  });
});

type Json = Record<string, never> & { [each: string]: Json };
describe("a header that says more than that it is encrypted", () => {
  const headerOf = (text: string): Header => {
    const found = readHeader(text);
    if (!found.ok) throw new Error(found.error);
    return found.value;
  };
  const changed = (change: (whole: Json) => void) => {
    const whole = JSON.parse(golden) as Json;
    change(whole);
    return headerOf(JSON.stringify(whole));
  };

  it("of a volume that is being encrypted is in the clear, and what remembers the way is no key", () => {
    const { cipher, slots, amiss, isPlain, areaBytes } = headerOf(dumped("luks2-encrypting"));
    expect([cipher, isPlain, areaBytes, slots.map(({ slot, keyBits }) => [slot, keyBits])]).toEqual([
      "none",
      true,
      16_777_216,
      [[0, 512]],
    ]);
    expect(amiss).toEqual([
      "it is being encrypted in place and that has not ended: what is on it can be read without a key (`cryptsetup reencrypt --resume-only` ends that)",
      "nothing of it is encrypted",
    ]);
  });

  it("of one that is being decrypted, or encrypted anew, says so", () => {
    const decrypting = headerOf(dumped("luks2-decrypting"));
    expect(decrypting).toMatchObject({ isPlain: true, isDetached: true, slots: [{ slot: 0 }] });
    expect(decrypting.amiss).toEqual([
      expect.stringContaining("being decrypted in place"),
      expect.stringContaining("lies apart from its data"),
    ]);
    const anew = headerOf(dumped("luks2-reencrypting"));
    expect(anew).toMatchObject({ isPlain: false, isDetached: false, cipher: "aes-xts-plain64" });
    expect(anew.slots.map(({ slot }) => slot)).toEqual([0, 1]);
    expect(anew.amiss).toEqual([expect.stringContaining("encrypted anew in place and that has not ended")]);
  });

  it.each<[string, (whole: Json) => void, string[], boolean]>([
    [
      "half done",
      ({ segments }) =>
        Object.assign(segments!, { 1: { type: "linear", offset: "33554432", size: "dynamic", flags: [] } }),
      ["not all of it is encrypted"],
      true,
    ],
    [
      "of no cipher",
      ({ segments }) => Object.assign(segments!["0"]!, { encryption: "cipher_null-ecb" }),
      ["nothing of it is encrypted", "its cipher cipher_null-ecb encrypts nothing"],
      true,
    ],
    [
      "of a drive that encrypts by itself",
      ({ segments }) => {
        Object.assign(segments!, { 1: { type: "hw-opal", offset: "33554432", size: "4096" } });
      },
      ["its drive is to encrypt it by itself (OPAL): nothing here can tell whether it does"],
      true,
    ],
    [
      "of a drive that encrypts as well",
      ({ segments, config }) => {
        Object.assign(segments!["0"]!, { type: "hw-opal-crypt" });
        Object.assign(config!, { requirements: { mandatory: ["opal"] } });
      },
      [],
      false,
    ],
    [
      "with integrity tags in the drive's own metadata",
      ({ segments, config }) => {
        Object.assign(segments!["0"]!, { integrity: { type: "hmac(sha256)" } });
        Object.assign(config!, { requirements: { mandatory: ["inline-hw-tags"] } });
      },
      [],
      false,
    ],
    [
      "of an unknown part",
      ({ segments }) => Object.assign(segments!, { 1: { type: "zo\u202ened", offset: "33554432" } }),
      ["a part of it is of a kind that is not known here: zo?ned"],
      true,
    ],
    [
      "of two ciphers",
      ({ segments }) =>
        Object.assign(segments!, { 1: { type: "crypt", offset: "33554432", encryption: "serpent-xts-plain64" } }),
      ["its parts have several ciphers: aes-xts-plain64, serpent-xts-plain64"],
      false,
    ],
    [
      "that requires what nobody knows",
      ({ config }) =>
        Object.assign(config!, { requirements: { mandatory: ["quantum-v9"] }, flags: ["allow-discards"] }),
      ["its header requires what is not known here: quantum-v9"],
      false,
    ],
    [
      "that is changed by a newer cryptsetup",
      ({ config }) => Object.assign(config!, { requirements: { mandatory: ["online-reencrypt-v7"] } }),
      [
        "it is being changed in place, in a way that is not known here (`cryptsetup reencrypt --resume-only` ends that)",
      ],
      false,
    ],
    [
      "with flags that nobody knows",
      ({ config, segments }) => {
        Object.assign(config!, { flags: ["no-crypt"] });
        Object.assign(segments!["0"]!, { flags: ["spare"] });
      },
      ["its header has a flag that is not known here: no-crypt", "its header has a flag that is not known here: spare"],
      false,
    ],
    [
      "whose key lies in the clear",
      ({ keyslots }) => Object.assign(keyslots!["5"]!.area!, { encryption: "cipher_null-ecb" }),
      ["key 5 lies in its slot unencrypted"],
      false,
    ],
    [
      "whose data is elsewhere",
      ({ segments }) => Object.assign(segments!["0"]!, { offset: "0" }),
      ["its header lies apart from its data: what is named is the header, and the data is not looked at"],
      false,
    ],
  ])("%s", (_name, change, words, isPlain) => {
    const found = changed(change);
    expect([found.amiss, found.isPlain]).toEqual([words, isPlain]);
  });

  it("a key that is bound to no part of the data is no key of it", () => {
    const { slots } = changed(({ digests }) => {
      (digests!["0"] as unknown as { keyslots: string[] }).keyslots = ["0", "7"];
    });
    expect(slots.map(({ slot }) => slot)).toEqual([0, 7]);
  });

  it("another key in the same slot has another id", () => {
    const [before, after] = [
      headerOf(golden),
      changed(({ keyslots }) => Object.assign(keyslots!["5"]!.kdf!, { salt: "another" })),
    ];
    expect(after.slots.map(({ id }, at) => id === before.slots[at]?.id)).toEqual([true, false, true]);
  });
});
