/** The console's CA at work: requests are read and checked, certificates made, revoked ones listed. */
import "reflect-metadata";
import { randomBytes } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
const CERTIFICATE_DAYS = 90;
/** For clocks that are a little behind. */
const BACK_MS = 3_600_000;
const CRL_DAYS = 7;

export type Issued = { pem: string; serial: string; notBefore: Date; notAfter: Date };
export type Revoked = { serial: string; revokedAt: Date };
export type Authority = {
  /** PEM of the CA's certificate. */
  ca: string;
  issue(csr: x509.Pkcs10CertificateRequest, workstation: WorkstationId, now: Date): Promise<Issued>;
  crl(revoked: readonly Revoked[], now: Date): Promise<string>;
};

export async function openAuthority(caPem: string, caKeyPem: string): Promise<Authority> {
  const ca = new x509.X509Certificate(caPem);
  const der = Buffer.from(caKeyPem.replace(/-----[^-]+-----|\s/g, ""), "base64");
  const signingKey = await crypto.subtle.importKey("pkcs8", der, P256, false, ["sign"]);
  return {
    ca: `${ca.toString("pem")}\n`,
    issue: async (csr, workstation, now) => {
      const serial = newSerial();
      const notBefore = new Date(now.getTime() - BACK_MS);
      const notAfter = new Date(now.getTime() + CERTIFICATE_DAYS * DAY_MS);
      const certificate = await x509.X509CertificateGenerator.create({
        subject: [{ CN: [workstation] }], // whatever the request calls itself
        issuer: ca.subjectName.toJSON(),
        serialNumber: serial,
        notBefore,
        notAfter,
        publicKey: csr.publicKey,
        signingKey,
        signingAlgorithm: P256,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
          await x509.AuthorityKeyIdentifierExtension.create(ca),
        ],
      });
      return { pem: `${certificate.toString("pem")}\n`, serial: serial.toUpperCase(), notBefore, notAfter };
    },
    crl: async (revoked, now) => {
      const crl = await x509.X509CrlGenerator.create({
        issuer: ca.subjectName.toJSON(),
        thisUpdate: now,
        nextUpdate: new Date(now.getTime() + CRL_DAYS * DAY_MS),
        signingKey,
        signingAlgorithm: P256,
        entries: revoked.map(({ serial, revokedAt }) => ({ serialNumber: serial, revocationDate: revokedAt })),
      });
      // openssl and Mosquitto know the label with its X509 alone (RFC 7468 section 6)
      return x509.PemConverter.encode(crl.rawData, "X509 CRL");
    },
  };
}

/** The request, if it is signed by the P-256 key in it. Its names are not looked at. */
export async function readRequest(untrustedPem: string): Promise<Result<x509.Pkcs10CertificateRequest>> {
  let csr: x509.Pkcs10CertificateRequest;
  try {
    csr = new x509.Pkcs10CertificateRequest(untrustedPem);
  } catch {
    return fail("The certificate request is no PKCS #10 request in PEM.");
  }
  const { name, namedCurve } = csr.publicKey.algorithm as { name: string; namedCurve?: string };
  if (name !== "ECDSA" || namedCurve !== "P-256") return fail("The certificate request's key is not a P-256 key.");
  try {
    if (await csr.verify()) return ok(csr);
  } catch {
    // told below
  }
  return fail("The certificate request is not signed by its own key.");
}

/** 16 random bytes, the first two bits 01: positive in DER and never short. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString("hex");
}
