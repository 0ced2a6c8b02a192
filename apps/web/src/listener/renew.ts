/** GET /renew/nonce, POST /renew: a new certificate by proof of the trail's key, even after the old one's end. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import { isSignedBy, readSigned, type Signer } from "@sallyport/shared/trail/signed.ts";
import { type RenewAnswer, RenewProof, RenewRequest } from "@sallyport/shared/workstation/enrolment.ts";
import type { Pool, PoolClient } from "pg";
import { hash, verify } from "../trail/crypto.ts";
import { inTransaction } from "../transaction.ts";
import { type Answer, isDone, json, refuse } from "./answer.ts";
import { type Authority, readRequest } from "./authority.ts";
import { storeCertificate } from "./enrol.ts";

export type RenewDeps = { pool: Pool; signer: Signer; authority: Authority; now: () => Date };

const NONCE_MS_MAX = 60_000;

/** A nonce needs no memory until it is used: when it was made, chance, and a MAC by a key only this console's workers
 *  can derive (Ed25519 signatures are deterministic). */
export function nonces(signer: Signer): {
  make(nowMs: number): string;
  isFresh(nonce: string, nowMs: number): boolean;
} {
  const key = hash(signer.sign(toUtf8("sallyport/renewal-nonce/1")));
  const mac = (text: string) => createHmac("sha256", key).update(text).digest("hex").slice(0, 32);
  return {
    make: (nowMs) => {
      const text = `${nowMs.toString(36)}.${randomBytes(8).toString("hex")}`;
      return `${text}.${mac(text)}`;
    },
    isFresh: (nonce, nowMs) => {
      const match = /^(([0-9a-z]{1,11})\.[0-9a-f]{16})\.([0-9a-f]{32})$/.exec(nonce);
      if (!match || !timingSafeEqual(Buffer.from(mac(match[1]!)), Buffer.from(match[3]!))) return false;
      const ageMs = nowMs - Number.parseInt(match[2]!, 36);
      return ageMs >= 0 && ageMs <= NONCE_MS_MAX;
    },
  };
}

export async function renew(deps: RenewDeps, untrusted: unknown): Promise<Answer> {
  const { pool, signer, authority, now } = deps;
  const request = RenewRequest.safeParse(untrusted);
  if (!request.success) return refuse(400, "malformed", "The renewal request cannot be read.");
  const { workstation, csr: csrPem, proof } = request.data;
  const csr = await readRequest(csrPem);
  if (!csr.ok) return refuse(400, "request", csr.error);
  const { rows } = await pool.query<{ trail_key: Buffer; state: string; state_reason: string | null }>(
    "SELECT trail_key, state, state_reason FROM workstation WHERE id = $1",
    [workstation],
  );
  const known = rows[0];
  const proved = readSigned(RenewProof, proof);
  // one answer for an unknown workstation and a wrong key: nobody learns which ids exist
  if (!known || !proved.ok || !isSignedBy(verify, known.trail_key, "sallyport/renewal/1", proof))
    return refuse(403, "proof", "The request is not signed by the key of an enrolled workstation.");
  const value = proved.value.value;
  if (value.workstation !== workstation || value.csr !== toHex(hash(toUtf8(csrPem))))
    return refuse(403, "proof", "The proof is for another request.");
  if (known.state !== "enrolled")
    return refuse(
      403,
      known.state,
      `This workstation is ${known.state}${known.state_reason ? `: ${known.state_reason}` : ""}. Enrol it anew.`,
    );
  if (!nonces(signer).isFresh(value.nonce, now().getTime()))
    return refuse(409, "nonce", "The nonce is older than a minute or not from here. Ask for another.");

  const issued = await authority.issue(csr.value, workstation, now());
  const renewed = async (tx: PoolClient): Promise<Answer> => {
    await tx.query("DELETE FROM renew_nonce WHERE used_at < now() - interval '5 minutes'");
    const used = await tx.query("INSERT INTO renew_nonce (nonce) VALUES ($1) ON CONFLICT DO NOTHING", [value.nonce]);
    if (used.rowCount === 0) return refuse(409, "nonce", "The nonce was used before. Ask for another.");
    await storeCertificate(tx, workstation, issued);
    return json({ certificate: issued.pem, ca: authority.ca } satisfies RenewAnswer);
  };
  return inTransaction(pool, renewed, isDone);
}
