/** The organisation's key pair for recovery keys, and opening one. Both outside the console, which has only what is
 *  sealed. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { organisationKeyId, unsealRecovery } from "@sallyport/shared/disk/sealed.ts";
import { hash } from "./crypto.ts";
import { Fault } from "./fault.ts";
import { hpke, rawPublic } from "./seal.ts";

export type MadeKey = { id: string; publicKey: string; text: string };

/** Never over a file that is there. @throws Fault */
export function makeOrganisationKey(out: string): MadeKey {
  const { privateKey, publicKey } = generateKeyPairSync("x25519");
  try {
    writeFileSync(out, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new Fault(`${out} cannot be written: ${whyNot(error)}.`, 1, { cause: error });
  }
  const raw = rawPublic(publicKey);
  const id = organisationKeyId(hash, raw);
  const written = toBase64(raw);
  const text = `Key ${id}. Its private half is in ${out}: keep it outside the console, and a copy of it in a safe.
Put its public half into the policy:

disk:
  recoveryTo: ${written}`;
  return { id, publicKey: written, text };
}

/** The body of a `disk.recovery` record, or what is sealed in it. @throws Fault with code 3 where it does not open */
export function unseal(file: string, text: string, pem: string): { recoveryKey: string; volume: string; slot: number } {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new Fault("The key is no private key in PEM.", 1, { cause });
  }
  if (key.asymmetricKeyType !== "x25519") throw new Fault(`The key is of type ${key.asymmetricKeyType}, not x25519.`);
  const raw = new Uint8Array(key.export({ format: "der", type: "pkcs8" }).subarray(-32));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Fault(`${file} is no JSON.`, 1, { cause });
  }
  const opened = unsealRecovery(hash, hpke, raw, sealedIn(json));
  if (!opened.ok) throw new Fault(`${file}: ${opened.error}`, 3);
  const { recoveryKey, sealed } = opened.value;
  return { recoveryKey, volume: sealed.volume, slot: sealed.slot };
}

/** However much of the record a person copied. */
function sealedIn(json: unknown): unknown {
  const within = (value: unknown, name: string): unknown =>
    typeof value === "object" && value !== null && name in value ? (value as Record<string, unknown>)[name] : value;
  return within(within(within(json, "content"), "body"), "sealed");
}
