import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { toBase64 } from "../base/bytes.ts";
import { DiskSection } from "../policy/disk.ts";
import { type RecoveryKey, recoveryKeys } from "./recovery.ts";
import { type DiskState, diskFaults, diskWords } from "./state.ts";

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

describe("a key that is called the recovery key's", () => {
  const hex = (letter: string) => letter.repeat(64) as RecoveryKey["sealed"] & string;
  const slots = [1, 2].map((slot) => ({ slot, kdf: "argon2id", keyBits: 512, id: hex(String(slot)) as never }));
  const mark = { sealed: hex("b") as never, key: hex("1") as never, to: "01020304" as never, instead: [] };
  const token = { id: 0, type: "sallyport-recovery", slots: [1] };
  const keptFor = () => undefined;
  it.each<[string, object, "on-trail" | "here" | undefined, object[]]>([
    ["is escrowed where what was sealed for it is on the trail", { mark }, "on-trail", [{ slot: 1, is: "escrowed" }]],
    ["waits where it is not there yet", { mark }, "here", [{ slot: 1, is: "waiting" }]],
    ["is unknown where nothing sealed is here", { mark }, undefined, [{ slot: 1, is: "unknown" }]],
    [
      "is another where the slot's key was changed",
      { mark: { ...mark, key: hex("9") } },
      "on-trail",
      [{ slot: 1, is: "changed" }],
    ],
    [
      "is another where the mark was moved to another key",
      { mark, slots: [2] },
      "on-trail",
      [{ slot: 2, is: "changed" }],
    ],
    ["is none where its slot is empty", { mark, slots: [7] }, "on-trail", []],
    ["is unknown where its name is all there is", {}, "on-trail", [{ slot: 1, is: "unknown" }]],
    ["is unknown where systemd made it", { type: "systemd-recovery" }, "on-trail", [{ slot: 1, is: "unknown" }]],
    ["is none where a token is another's", { mark, type: "systemd-tpm2" }, "on-trail", []],
  ])("%s", (_name, change, where, keys) => {
    const found = recoveryKeys("v", { slots, tokens: [{ ...token, ...change }] }, { where: () => where, keptFor });
    expect(found.map(({ slot, is }) => ({ slot, is }))).toEqual(keys);
  });

  it("is one of an older agent's where its name is all there is, and something was sealed for its slot", () => {
    const kept = { to: mark.to, sealed: mark.sealed };
    const keptFor = (volume: string, slot: number) => (volume === "v" && slot === 1 ? kept : undefined);
    const of = (volume: string, change: object) =>
      recoveryKeys(volume, { slots, tokens: [{ ...token, ...change }] }, { where: () => "on-trail", keptFor });
    expect(of("v", {})).toEqual([{ slot: 1, is: "unknown", ...kept, older: true }]);
    for (const [volume, change] of [
      ["v", { slots: [2] }],
      ["another", {}],
      ["v", { type: "systemd-recovery" }],
    ] as const)
      expect(of(volume, change)).toEqual([{ slot: "slots" in change ? 2 : 1, is: "unknown" }]);
  });
});

type Luks2 = Extract<DiskState["content"], { is: "luks2" }>;
const escrowed: RecoveryKey = {
  slot: 1,
  is: "escrowed",
  to: "01020304" as RecoveryKey["to"],
  sealed: "b".repeat(64) as RecoveryKey["sealed"],
};
const MEND = "`sallyport-agent disk recovery` gives it one";
const NONE = `none of its keys is a recovery key: ${MEND}`;
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
  recovery: [escrowed],
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
    [
      "that is being encrypted",
      {},
      state({ ...good, amiss: ["nothing of it is encrypted"] }),
      ["nothing of it is encrypted"],
    ],
    ["with no recovery key", {}, state({ ...good, recovery: [] }), [NONE]],
    ["of which nobody can say what is sealed", {}, state({ ...good, recovery: undefined }), [NONE]],
    [
      "whose recovery key is sealed to another key of the organisation",
      { recoveryTo: toBase64(new Uint8Array(32)) },
      state(good),
      [`its recovery key is sealed to key 01020304; wanted is 66687aad: ${MEND}`],
    ],
    [
      "whose recovery key is not on the trail",
      {},
      state({ ...good, recovery: [{ ...escrowed, is: "waiting" }] }),
      ["its recovery key 1 is sealed and not on the trail yet"],
    ],
    [
      "whose recovery key was changed",
      {},
      state({ ...good, recovery: [{ ...escrowed, is: "changed" }] }),
      [`another key is in slot 1 than the recovery key that was sealed for it: ${MEND}`],
    ],
    [
      "with one that is escrowed, beside one that is not",
      {},
      state({ ...good, recovery: [{ slot: 2, is: "unknown" }, escrowed] }),
      [],
    ],
    [
      "with systemd's recovery key, of which nothing is sealed",
      {},
      state({ ...good, recovery: [{ slot: 1, is: "unknown" }] }),
      [`key 1 is called a recovery key, and nothing of it is sealed here: ${MEND}`],
    ],
    [
      "whose recovery key an older agent marked",
      {},
      state({ ...good, recovery: [{ ...escrowed, is: "unknown", older: true }] }),
      [
        `recovery key 1 was marked by an older agent, and whether it is the one that was sealed cannot be told: ${MEND} that can`,
      ],
    ],
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
      "held by one, bound to less than is wanted, or without a PIN",
      { tpm2Pcrs: "7+9", tpm2Pin: true },
      state({
        ...good,
        tokens: [
          { type: "systemd-tpm2", slots: [0], tpm2: { pcrs: [7, 9, 11], pin: true } },
          { type: "systemd-tpm2", slots: [1], tpm2: { pcrs: [7], pin: false } },
          { type: "systemd-tpm2", slots: [], tpm2: { pcrs: [], pin: false } },
        ],
      }),
      ["key 1, which a TPM2 holds, is bound to PCR 7; wanted is 7+9", "key 1, which a TPM2 holds, wants no PIN"],
    ],
    [
      "held by one, bound to who knows what",
      { tpm2Pcrs: "7" },
      state({ ...good, tokens: [{ type: "systemd-tpm2", slots: [0] }] }),
      ["key 0, which a TPM2 holds, is bound to no PCR; wanted is 7"],
    ],
    [
      "that was wiped",
      { recoveryKey: false },
      state({ ...good, slots: [], tokens: [] }),
      ["it has no key left: nothing opens it any more"],
    ],
  ])("%s", (_name, wanted, found, words) => {
    expect(diskFaults(sha256, DiskSection.parse(wanted), found)).toEqual(words);
  });
  it("in one line", () => {
    expect(diskWords(state(good))).toBe(
      "/dev/vg/guest: LUKS2, aes-xts-plain64, 2 keys, tokens: sallyport-recovery, open",
    );
    expect(diskWords(state({ is: "absent" }))).toBe("/dev/vg/guest: there is no such device or file");
  });
});
