import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, fromBase64, fromHex, toBase64, toHex, toUtf8 } from "../base/bytes.ts";
import { openWith, type Primitives, sealTo } from "./hpke.ts";
import { organisationKeyId, type SealedRecovery, sealRecovery, unsealRecovery } from "./sealed.ts";

const hash = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const privateOf = (raw: Uint8Array) =>
  createPrivateKey({
    key: Buffer.from(concat(fromHex("302e020100300506032b656e04220420"), raw)),
    format: "der",
    type: "pkcs8",
  });
const publicOf = (raw: Uint8Array) =>
  createPublicKey({ key: Buffer.from(concat(fromHex("302a300506032b656e032100"), raw)), format: "der", type: "spki" });
const gcm = (key: Uint8Array) => `aes-${key.length * 8}-gcm` as "aes-256-gcm";
const primitives: Primitives = {
  hmac: (key, bytes) => new Uint8Array(createHmac("sha256", key).update(bytes).digest()),
  x25519: (own, theirs) => new Uint8Array(diffieHellman({ privateKey: privateOf(own), publicKey: publicOf(theirs) })),
  publicOf: (own) =>
    new Uint8Array(createPublicKey(privateOf(own)).export({ format: "der", type: "spki" }).subarray(-32)),
  seal(key, nonce, aad, plain) {
    const cipher = createCipheriv(gcm(key), key, nonce).setAAD(aad);
    return new Uint8Array(Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]));
  },
  open(key, nonce, aad, sealed) {
    const decipher = createDecipheriv(gcm(key), key, nonce).setAAD(aad).setAuthTag(sealed.subarray(-16));
    try {
      return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]));
    } catch {
      return undefined;
    }
  },
};

describe("RFC 9180, A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode", () => {
  const ephemeral = fromHex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736");
  const to = fromHex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
  const own = fromHex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
  const message = {
    aead: "aes-128-gcm" as const,
    info: toUtf8("Ode on a Grecian Urn"),
    aad: toUtf8("Count-0"),
  };
  const plain = toUtf8("Beauty is truth, truth beauty");
  const ciphertext = "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a";
  const encapsulated = "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431";

  it("its first message is sealed as there", () => {
    const sealed = sealTo(primitives, to, ephemeral, message, plain);
    expect(toHex(sealed.encapsulated)).toBe(encapsulated);
    expect(toHex(sealed.ciphertext)).toBe(ciphertext);
  });
  it("and opens", () => {
    const opened = openWith(primitives, own, fromHex(encapsulated), message, fromHex(ciphertext));
    expect(opened).toEqual(plain);
  });
});

const belongs = {
  workstation: "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b",
  volume: "01234567-89ab-cdef-0123-456789abcdef",
  slot: 1,
} as Pick<SealedRecovery, "workstation" | "volume" | "slot">;
const own = fromHex("77".repeat(32));
const organisation = primitives.publicOf(own);
const sealed = sealRecovery(hash, primitives, organisation, fromHex("42".repeat(32)), belongs, "a recovery key");

describe("a sealed recovery key", () => {
  it("opens with the organisation's key, and names it", () => {
    const opened = unsealRecovery(hash, primitives, own, sealed);
    expect(opened).toMatchObject({ ok: true, value: { recoveryKey: "a recovery key" } });
    expect(sealed.to).toBe(organisationKeyId(hash, organisation));
  });

  it("has one spelling for the same ephemeral, for ever", () => {
    const golden = JSON.parse(readFileSync(new URL("golden/recovery-1.json", import.meta.url), "utf8"));
    expect(JSON.parse(JSON.stringify(sealed))).toEqual(golden.sealed);
    const opened = unsealRecovery(hash, primitives, fromBase64(golden.privateKey), golden.sealed);
    expect(opened).toMatchObject({ ok: true, value: { recoveryKey: golden.recoveryKey } });
  });

  it.each<[string, object, string]>([
    ["that is said to be another volume's", { volume: "11234567-89ab-cdef-0123-456789abcdef" }, "does not open"],
    [
      "that is said to be another workstation's",
      { workstation: "4f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" },
      "does not open",
    ],
    ["that is said to be of another slot", { slot: 2 }, "does not open"],
    ["with another ephemeral", { encapsulated: toBase64(organisation) }, "does not open"],
    ["with a point of small order", { encapsulated: toBase64(new Uint8Array(32)) }, "does not open"],
    ["of another version", { version: 2 }, "version"],
    ["that is sealed to another key", { to: "00000000" }, "sealed to key 00000000"],
    ["that is too short", { ciphertext: "" }, "does not open"],
  ])("%s is refused", (_name, over, words) => {
    const got = unsealRecovery(hash, primitives, own, { ...sealed, ...over });
    expect(got.ok).toBe(false);
    expect(got.ok ? "" : got.error).toContain(words);
  });

  it("with any byte changed does not open", () => {
    const bytes = fromBase64(sealed.ciphertext);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = bytes.slice();
        other[at]! ^= change;
        expect(unsealRecovery(hash, primitives, own, { ...sealed, ciphertext: toBase64(other) }).ok).toBe(false);
      }),
    );
  });

  it("is answered, never thrown, whatever it is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(unsealRecovery(hash, primitives, own, value).ok).toBe(false);
      }),
    );
  });
});
