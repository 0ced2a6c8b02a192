/** An approver's key: a file outside the console, readable by its owner alone, under a pass phrase unless its owner says
 *  otherwise. */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scryptSync,
  sign,
} from "node:crypto";
import { statSync, writeFileSync } from "node:fs";
import { fromBase64, toBase64 } from "@sallyport/shared/base/bytes.ts";
import { KeyText } from "@sallyport/shared/base/key.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import { z } from "zod";
import { hash } from "./crypto.ts";
import { Fault } from "./fault.ts";
import { readArgumentFile } from "./file.ts";

/** 128 MiB and about half a second a guess. */
const SCRYPT = { N: 131_072, r: 8, p: 1 } as const;
const SCRYPT_BYTES_MAX = 192 * 1024 * 1024;
const base64 = z.base64();

const KeyFile = z.object({
  sallyport: z.literal("approver-key/1"),
  name: z.string().max(128),
  publicKey: KeyText,
  key: z.union([
    z.object({ pkcs8: base64 }),
    z.object({
      scrypt: z.object({ N: z.int().min(2).max(1_048_576), r: z.int().min(1).max(16), p: z.int().min(1).max(4) }),
      salt: base64,
      nonce: base64,
      sealed: base64,
      tag: base64,
    }),
  ]),
});

export type MadeKey = { id: string; name: string; publicKey: string; hasPassphrase: boolean; text: string };

/** Never over a file that is there. @throws Fault */
export function makeApproverKey(out: string, name: string, passphrase: string | undefined): MadeKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const pkcs8 = privateKey.export({ format: "der", type: "pkcs8" });
  const written = toBase64(rawPublic(publicKey));
  const file = {
    sallyport: "approver-key/1",
    name,
    publicKey: written,
    key: passphrase === undefined ? { pkcs8: toBase64(pkcs8) } : sealed(pkcs8, passphrase, written),
  };
  try {
    writeFileSync(out, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new Fault(`${out} cannot be written: ${whyNot(error)}.`, 1, { cause: error });
  }
  const id = keyId(hash, fromBase64(written));
  const text = `Key ${id} of ${name}. Its private half is in ${out}${passphrase === undefined ? ", under no pass phrase" : ""}: keep it where no console is.
Give an owner of the console its public half:

${written}`;
  return { id, name, publicKey: written, hasPassphrase: passphrase !== undefined, text };
}

function sealed(pkcs8: Uint8Array, passphrase: string, publicKey: string) {
  const [salt, nonce] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv("aes-256-gcm", stretched(passphrase, salt, SCRYPT), nonce).setAAD(
    fromBase64(publicKey),
  );
  const box = Buffer.concat([cipher.update(pkcs8), cipher.final()]);
  return {
    scrypt: SCRYPT,
    ...{ salt: toBase64(salt), nonce: toBase64(nonce), sealed: toBase64(box), tag: toBase64(cipher.getAuthTag()) },
  };
}

const stretched = (passphrase: string, salt: Uint8Array, cost: { N: number; r: number; p: number }): Buffer =>
  scryptSync(passphrase.normalize("NFKC"), salt, 32, { ...cost, maxmem: SCRYPT_BYTES_MAX });

export type ApproverKey = {
  id: string;
  name: string;
  publicKey: string;
  hasPassphrase: boolean;
  /** @throws Fault with code 3 where the pass phrase is not this key's */
  unlock(passphrase: string | undefined): Signer;
};

/** @throws Fault where the file is no key, or others may read it */
export function readApproverKey(path: string): ApproverKey {
  const text = readArgumentFile(path);
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0)
    throw new Fault(
      `${path} can be read by others than its owner: chmod 600 ${path}, and think about who has read it.`,
    );
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Fault(`${path} is no approver's key.`, 1, { cause });
  }
  const read = KeyFile.safeParse(json);
  if (!read.success) throw new Fault(`${path} is no approver's key (sallyport key new makes one).`);
  const { name, publicKey, key } = read.data;
  const hasPassphrase = !("pkcs8" in key);
  const unlock = (passphrase: string | undefined): Signer => {
    const object = privateKey(path, "pkcs8" in key ? fromBase64(key.pkcs8) : opened(key, passphrase, publicKey, path));
    if (toBase64(rawPublic(createPublicKey(object))) !== publicKey)
      throw new Fault(`${path} holds another key than it says.`);
    return { publicKey: fromBase64(publicKey), sign: (bytes) => new Uint8Array(sign(null, bytes, object)) };
  };
  return { id: keyId(hash, fromBase64(publicKey)), name, publicKey, hasPassphrase, unlock };
}

type Box = Exclude<z.infer<typeof KeyFile>["key"], { pkcs8: string }>;

function opened(key: Box, passphrase: string | undefined, publicKey: string, path: string): Uint8Array {
  if (passphrase === undefined) throw new Fault(`${path} is under a pass phrase, and none was given.`);
  const decipher = createDecipheriv(
    "aes-256-gcm",
    stretched(passphrase, fromBase64(key.salt), key.scrypt),
    fromBase64(key.nonce),
    { authTagLength: 16 },
  )
    .setAAD(fromBase64(publicKey))
    .setAuthTag(fromBase64(key.tag));
  try {
    return Buffer.concat([decipher.update(fromBase64(key.sealed)), decipher.final()]);
  } catch (cause) {
    throw new Fault(`${path} does not open with this pass phrase.`, 3, { cause });
  }
}

function privateKey(path: string, pkcs8: Uint8Array): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
  } catch (cause) {
    throw new Fault(`${path} holds no private key.`, 1, { cause });
  }
}

const rawPublic = (key: KeyObject): Uint8Array =>
  new Uint8Array(Buffer.from((key.export({ format: "jwk" }) as { x: string }).x, "base64url"));
