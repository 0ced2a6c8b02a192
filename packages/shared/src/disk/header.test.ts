import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiskSection } from "../policy/disk.ts";
import { readHeader } from "./header.ts";
import { type DiskState, diskFaults, diskWords } from "./state.ts";

const golden = readFileSync(new URL("golden/luks2-1.json", import.meta.url), "utf8");

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
    });
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

type Luks2 = Extract<DiskState["content"], { is: "luks2" }>;
const good: Luks2 = {
  is: "luks2",
  uuid: "01234567-89ab-cdef-0123-456789abcdef",
  cipher: "aes-xts-plain64",
  sectorBytes: 4096,
  slots: [
    { slot: 0, kdf: "argon2id", keyBits: 512 },
    { slot: 1, kdf: "argon2id", keyBits: 512 },
  ],
  tokens: [{ type: "sallyport-recovery", slots: [1] }],
  header: "a".repeat(64) as Luks2["header"],
  open: true,
};
const state = (content: DiskState["content"], tpm: DiskState["tpm"] = "absent"): DiskState => ({
  volume: "/dev/vg/guest",
  tpm,
  content,
});

describe("a volume, by policy", () => {
  it.each<[string, object, DiskState, string[]]>([
    ["as it should be", {}, state(good), []],
    ["that is not there", {}, state({ is: "absent" }), ["there is no /dev/vg/guest"]],
    [
      "with a bare file system",
      {},
      state({ is: "other", what: "ext4" }),
      ["/dev/vg/guest is not encrypted with LUKS2: ext4"],
    ],
    ["with a bare file system where none is asked for", { require: "none" }, state({ is: "other", what: "ext4" }), []],
    [
      "that cannot be read, even where nothing is asked for",
      { require: "none" },
      state({ is: "unreadable", why: "no cryptsetup" }),
      ["/dev/vg/guest cannot be looked at: no cryptsetup"],
    ],
    ["with no recovery key", {}, state({ ...good, tokens: [] }), ["none of its keys is a recovery key"]],
    [
      "whose recovery token names a key that is gone",
      {},
      state({ ...good, tokens: [{ type: "sallyport-recovery", slots: [7] }] }),
      ["none of its keys is a recovery key"],
    ],
    ["with systemd's recovery key", {}, state({ ...good, tokens: [{ type: "systemd-recovery", slots: [1] }] }), []],
    [
      "of another cipher",
      { ciphers: ["serpent-xts-plain64", "twofish-xts-plain64"] },
      state(good),
      ["its cipher is aes-xts-plain64; wanted is serpent-xts-plain64 or twofish-xts-plain64"],
    ],
    ["of short keys", { keyBitsLeast: 1024 }, state(good), ["its key has 512 bits; at least 1024 are wanted"]],
    ["of few keys", { slotsLeast: 3 }, state(good), ["it has 2 keys; at least 3 are wanted"]],
    [
      "held by no TPM, with none here",
      { tpm2: true },
      state(good),
      ["no key of it is held by a TPM2, and there is no TPM on this machine"],
    ],
    ["held by no TPM", { tpm2: true }, state(good, "present"), ["no key of it is held by a TPM2"]],
    [
      "held by one",
      { tpm2: true },
      state({ ...good, tokens: [...good.tokens, { type: "systemd-tpm2", slots: [0] }] }, "present"),
      [],
    ],
    [
      "that was wiped",
      { recoveryKey: false },
      state({ ...good, slots: [], tokens: [] }),
      ["it has no key left: nothing opens it any more"],
    ],
  ])("%s", (_name, wanted, found, words) => {
    expect(diskFaults(DiskSection.parse(wanted), found)).toEqual(words);
  });
  it("in one line", () => {
    expect(diskWords(state(good))).toBe(
      "/dev/vg/guest: LUKS2, aes-xts-plain64, 2 keys, tokens: sallyport-recovery, open",
    );
    expect(diskWords(state({ is: "absent" }))).toBe("/dev/vg/guest: there is none");
  });
});
