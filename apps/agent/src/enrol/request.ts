/** Keys and signing requests, after RFC 2986. Loaded only while enrolling or renewing: it is the heaviest part. */
import "reflect-metadata";
import { generateKeyPairSync, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

export const makeTrailKey = (): string =>
  generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string;

/** A fresh P-256 key and a request for it; the console writes the name it knows into the certificate. */
export async function makeRequest(name: string): Promise<{ key: string; csr: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const crypto = webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0];
  x509.cryptoProvider.set(crypto);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name.slice(0, 64)] }],
    keys: keys as unknown as CryptoKeyPair,
    signingAlgorithm: algorithm,
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.match(/.{1,64}/g)!.join("\n")}\n-----END PRIVATE KEY-----\n`;
  return { key, csr: request.toString("pem") };
}
type CryptoKeyPair = Parameters<typeof x509.Pkcs10CertificateRequestGenerator.create>[0]["keys"];
