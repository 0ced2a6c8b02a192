/** The console's keys, made once in the state folder. Who reads which is in docs/keys.md; apps/web only reads files. */
import "reflect-metadata";
import { generateKeyPairSync, randomBytes, type webcrypto, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";

export type KeyFiles = {
  folder: string;
  ca: string;
  caKey: string;
  console: string;
  broker: CertifiedKey;
  worker: CertifiedKey;
  listener: CertifiedKey;
  /** Signs browser sessions and encrypts second factors: 32 random bytes in base64url. */
  session: string;
};
export type CertifiedKey = { key: string; cert: string };

const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
const CERT_DAYS = 397;
/** A certificate with less life than this is made anew, from the same key: a month before the console's first alert. */
const RENEW_DAYS = 90;
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export function keyFiles(stateFolder: string): KeyFiles {
  const folder = join(stateFolder, "keys");
  const at = (name: string) => join(folder, name);
  const certified = (name: string) => ({ key: at(`${name}.key`), cert: at(`${name}.crt`) });
  return {
    folder,
    ca: at("ca.crt"),
    caKey: at("ca.key"),
    console: at("console.key"),
    session: at("session.secret"),
    broker: certified("broker"),
    worker: certified("worker"),
    listener: certified("listener"),
  };
}

/** Makes what is missing and leaves what is there. `names` are host names and addresses by which workstations reach the
 *  broker and the listener, beside this machine's own. */
export async function ensureKeys(
  stateFolder: string,
  names: readonly string[] = [],
  now = new Date(),
): Promise<KeyFiles> {
  const files = keyFiles(stateFolder);
  mkdirSync(files.folder, { recursive: true, mode: 0o700 });
  chmodSync(files.folder, 0o700);
  if (!existsSync(files.console)) writeKey(files.console, generateKeyPairSync("ed25519").privateKey);
  if (!existsSync(files.session)) write(files.session, `${randomBytes(32).toString("base64url")}\n`);
  if (!existsSync(files.caKey) && existsSync(files.ca))
    throw new Error(`${files.caKey} is missing beside its certificate: put it back from a backup (docs/keys.md).`);
  if (!existsSync(files.caKey)) writeKey(files.caKey, newP256());
  const ca = await Authority.open(files, now);
  const hosts = [...new Set(["localhost", hostname(), ...names, "127.0.0.1", "::1"])];
  for (const server of [files.broker, files.listener]) await ca.certify(server, hostname(), "server", hosts, now);
  await ca.certify(files.worker, "worker", "client", [], now);
  return files;
}

const newP256 = () => generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;

class Authority {
  readonly #key: webcrypto.CryptoKey;
  readonly #certificate: x509.X509Certificate;

  constructor(key: webcrypto.CryptoKey, certificate: x509.X509Certificate) {
    this.#key = key;
    this.#certificate = certificate;
  }

  static async open(files: KeyFiles, now: Date): Promise<Authority> {
    const keys = await readP256(files.caKey);
    if (!existsSync(files.ca)) {
      const certificate = await x509.X509CertificateGenerator.createSelfSigned({
        name: [{ CN: ["Sallyport CA"] }],
        serialNumber: serial(),
        ...validity(CA_DAYS, now),
        keys,
        signingAlgorithm: P256,
        extensions: [
          new x509.BasicConstraintsExtension(true, 0, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        ],
      });
      write(files.ca, `${certificate.toString("pem")}\n`);
    }
    return new Authority(keys.privateKey, new x509.X509Certificate(readFileSync(files.ca, "utf8")));
  }

  async certify(
    files: CertifiedKey,
    name: string,
    use: "server" | "client",
    hosts: readonly string[],
    now: Date,
  ): Promise<void> {
    if (!existsSync(files.key)) writeKey(files.key, newP256());
    else if (existsSync(files.cert) && stillGood(readFileSync(files.cert), hosts, this.#certificate, now)) return;
    const { publicKey } = await readP256(files.key);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [name] }],
      issuer: this.#certificate.subjectName.toJSON(),
      serialNumber: serial(),
      ...validity(CERT_DAYS, now),
      publicKey,
      signingKey: this.#key,
      signingAlgorithm: P256,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          use === "server" ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate),
        ...(hosts.length > 0 ? [new x509.SubjectAlternativeNameExtension(hosts.map(generalName))] : []),
      ],
    });
    write(files.cert, `${certificate.toString("pem")}\n`);
  }
}

const generalName = (host: string): { type: "ip" | "dns"; value: string } => ({
  type: isAddress(host) ? "ip" : "dns",
  value: host,
});

const isAddress = (host: string): boolean => /^[\d.]+$/.test(host) || host.includes(":");

function stillGood(pem: Buffer, hosts: readonly string[], ca: x509.X509Certificate, now: Date): boolean {
  const certificate = new X509Certificate(pem);
  if (Date.parse(certificate.validTo) < now.getTime() + RENEW_DAYS * DAY_MS) return false;
  if (!certificate.checkIssued(new X509Certificate(ca.toString("pem")))) return false;
  return hosts.every((host) => (isAddress(host) ? certificate.checkIP(host) : certificate.checkHost(host)));
}

async function readP256(file: string): Promise<{ privateKey: webcrypto.CryptoKey; publicKey: webcrypto.CryptoKey }> {
  const der = Buffer.from(readFileSync(file, "utf8").replace(/-----[^-]+-----|\s/g, ""), "base64");
  const privateKey = await crypto.subtle.importKey("pkcs8", der, P256, true, ["sign"]);
  const { d, key_ops, ...jwk } = await crypto.subtle.exportKey("jwk", privateKey);
  const publicKey = await crypto.subtle.importKey("jwk", { ...jwk, key_ops: ["verify"] }, P256, true, ["verify"]);
  return { privateKey, publicKey };
}

/** 16 random bytes, the first bit clear so that DER needs no padding. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString("hex");
}

/** An hour back, for clocks that are a little behind. */
const validity = (days: number, now: Date) => ({
  notBefore: new Date(now.getTime() - 3_600_000),
  notAfter: new Date(now.getTime() + days * DAY_MS),
});

const writeKey = (file: string, key: ReturnType<typeof newP256>) =>
  write(file, key.export({ type: "pkcs8", format: "pem" }) as string);

/** Whole or not at all: a crash in between leaves no half key. */
function write(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
