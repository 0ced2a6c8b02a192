/** The test console's listener: enrolment by a token, renewal by proof of the trail's key, and the CA behind both. */
import { createPrivateKey, randomBytes, randomUUID, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { fromBase64, toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { isSignedBy } from "@sallyport/shared/trail/signed.ts";
import { EnrolRequest, printToken, RenewRequest } from "@sallyport/shared/workstation/enrolment.ts";
import { hash as sha256, verify } from "../../../../packages/shared/test/keys.ts";
import type { KeyFiles } from "../../../../packages/up/src/keys.ts";

export type ListenerParts = {
  keys: KeyFiles;
  ca: string;
  certificateSeconds: () => number;
  /** What a new workstation gets beside its certificate. */
  welcome: (workstation: WorkstationId, trailKey: Uint8Array) => object;
  trailKeyOf: (workstation: WorkstationId) => Uint8Array | undefined;
};

export async function startListener({ keys, ca, certificateSeconds, welcome, trailKeyOf }: ListenerParts) {
  const secrets = new Set<string>();
  const nonces = new Set<string>();
  const https = createServer(
    { key: readFileSync(keys.listener.key), cert: readFileSync(keys.listener.cert) + ca },
    (request, answer) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", async () => {
        const reply = (status: number, body: unknown) =>
          answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
        try {
          if (request.url === "/renew/nonce") {
            const nonce = randomBytes(16).toString("hex");
            nonces.add(nonce);
            return reply(200, { nonce });
          }
          const body = JSON.parse(Buffer.concat(chunks).toString());
          if (request.url === "/enrol") return reply(200, await enrol(EnrolRequest.parse(body)));
          if (request.url === "/renew") return reply(200, await renew(RenewRequest.parse(body)));
          reply(404, { error: "There is no such page.", code: "not-found" });
        } catch (error) {
          reply(403, { error: (error as Error).message, code: "refused" });
        }
      });
    },
  );
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${(https.address() as AddressInfo).port}`;

  async function enrol(asked: EnrolRequest): Promise<unknown> {
    if (!secrets.delete(asked.secret)) throw new Error("This token was used already, or has run out. Make a new one.");
    const trailKey = fromBase64(asked.trailKey);
    const proof = JSON.parse(asked.proof.text);
    if (
      !isSignedBy(verify, trailKey, "sallyport/enrolment/1", asked.proof) ||
      proof.csr !== toHex(sha256(toUtf8(asked.csr)))
    ) {
      throw new Error("The proof does not hold.");
    }
    const workstation = randomUUID() as WorkstationId;
    const certificate = await certify(asked.csr, workstation);
    return { workstation, certificate, ca, ...welcome(workstation, trailKey) };
  }

  async function renew(asked: RenewRequest): Promise<unknown> {
    const trailKey = trailKeyOf(asked.workstation);
    const proof = JSON.parse(asked.proof.text);
    if (!trailKey || !nonces.delete(proof.nonce) || !isSignedBy(verify, trailKey, "sallyport/renewal/1", asked.proof)) {
      throw new Error("The proof does not hold.");
    }
    return { certificate: await certify(asked.csr, asked.workstation), ca };
  }

  async function certify(csr: string, id: WorkstationId): Promise<string> {
    const request = new x509.Pkcs10CertificateRequest(csr);
    if (!(await request.verify())) throw new Error("The request is not signed by its key.");
    const pkcs8 = createPrivateKey(readFileSync(keys.caKey)).export({ format: "der", type: "pkcs8" });
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const signingKey = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [id] }],
      issuer: new x509.X509Certificate(ca).subjectName.toJSON(),
      serialNumber: randomBytes(15).toString("hex").replace(/^./, "1"),
      notBefore: new Date(Date.now() - 1000),
      notAfter: new Date(Date.now() + certificateSeconds() * 1000),
      publicKey: request.publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
    });
    return certificate.toString("pem");
  }

  return {
    token(): string {
      const secret = randomBytes(32).toString("base64url");
      secrets.add(secret);
      return printToken({ url, ca: toHex(sha256(new X509Certificate(ca).raw)) as Sha256, secret });
    },
    stop(): void {
      https.closeAllConnections();
      https.close();
    },
  };
}
