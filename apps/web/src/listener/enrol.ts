/** POST /enrol: one token, one request → one workstation, its certificate and its group, in one transaction. */
import { createHash, randomUUID } from "node:crypto";
import { fromBase64, toBase64, toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { isSignedBy, readSigned, type Signer } from "@sallyport/shared/trail/signed.ts";
import { type EnrolAnswer, EnrolProof, EnrolRequest } from "@sallyport/shared/workstation/enrolment.ts";
import type { Pool, PoolClient } from "pg";
import { isChanging } from "../approval/propose.ts";
import { signMembership } from "../dispatch/sign.ts";
import { hash, verify } from "../trail/crypto.ts";
import { consoleRecorder } from "../trail/recorder.ts";
import { inTransaction } from "../transaction.ts";
import { nameOfHost } from "../workstation/label.ts";
import { type Answer, isDone, json, refuse } from "./answer.ts";
import { type Authority, readRequest } from "./authority.ts";

export type EnrolDeps = { pool: Pool; signer: Signer; authority: Authority; mqttUrl: string; now: () => Date };

type Token = { group_id: GroupId; labels: string[]; created_by: string | null };

export async function enrol(deps: EnrolDeps, untrusted: unknown, address: string): Promise<Answer> {
  const request = EnrolRequest.safeParse(untrusted);
  if (!request.success)
    return refuse(400, "malformed", "The enrolment request cannot be read. Is the agent as new as the console?");
  const { secret, csr: csrPem, trailKey, proof } = request.data;
  const csr = await readRequest(csrPem);
  if (!csr.ok) return refuse(400, "request", csr.error);
  const proved = readSigned(EnrolProof, proof);
  const key = rawKey(trailKey);
  const expected = {
    csr: toHex(hash(toUtf8(csrPem))),
    secret: toHex(hash(toUtf8(secret))),
    trailKey,
  };
  if (
    !proved.ok ||
    !key ||
    !sameProof(proved.value.value, expected) ||
    !isSignedBy(verify, key, "sallyport/enrolment/1", proof)
  )
    return refuse(400, "proof", "The request is not signed by the trail key it names, or not for this token.");

  return inTransaction(deps.pool, (tx) => admit(deps, tx, request.data, csr.value, key, address), isDone);
}

async function admit(
  { signer, authority, mqttUrl, now }: EnrolDeps,
  tx: PoolClient,
  { secret, hostname, agentVersion }: EnrolRequest,
  csr: Parameters<Authority["issue"]>[0],
  trailKey: Uint8Array,
  address: string,
): Promise<Answer> {
  const token = await takeToken(tx, secret);
  if (!token)
    return refuse(
      403,
      "token",
      "This token was used up, revoked or has expired. Make a new one on the console's Enrol page.",
    );
  await tx.query('SELECT FROM "group" WHERE id = $1 FOR KEY SHARE', [token.group_id]);
  if (await isChanging(tx, token.group_id))
    return refuse(
      409,
      "group",
      "The group's approvers are about to change: sign or withdraw that first, on the console's Approvals page.",
    );
  const workstation = randomUUID() as string as WorkstationId;
  const claimed = hostname.replaceAll("\u0000", "\u2400").toWellFormed();
  const name = nameOfHost(claimed);
  await tx.query(
    `INSERT INTO workstation (id, shard, name, hostname, group_id, labels, trail_key, agent_version, enrolled_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      workstation,
      workstation.slice(0, 2),
      name,
      claimed,
      token.group_id,
      token.labels,
      Buffer.from(trailKey),
      agentVersion.replaceAll("\u0000", "\u2400"),
      token.created_by,
    ],
  );
  const membership = await signMembership(tx, signer, workstation, token.group_id, now());
  if (!membership)
    return refuse(409, "group", "The token's group has no signers this console knows. Make a token for another group.");
  const issued = await authority.issue(csr, workstation, now());
  await storeCertificate(tx, workstation, issued);
  await consoleRecorder(signer)(tx, {
    kind: "console.enrolled",
    severity: "notice",
    text: `${name} was enrolled as ${workstation}`,
    body: {
      actor: { id: token.created_by ?? "console" },
      address,
      subject: `workstation/${workstation}`,
      after: { hostname: claimed, name, group: token.group_id, labels: token.labels, certificate: issued.serial },
    },
  });
  const answer: EnrolAnswer = {
    workstation,
    certificate: issued.pem,
    ca: authority.ca,
    mqtt: mqttUrl,
    consoleKeys: [toBase64(signer.publicKey)],
    membership,
  };
  return json(answer);
}

/** Counts one use, in the same statement that checks there is one left: two at once cannot both have the last. */
async function takeToken(tx: PoolClient, secret: string): Promise<Token | undefined> {
  const { rows } = await tx.query<Token>(
    `UPDATE enrol_token SET used = used + 1
      WHERE hash = $1 AND used < uses AND expires > now() AND revoked_at IS NULL RETURNING group_id, labels, created_by`,
    [createHash("sha256").update(secret).digest()],
  );
  return rows[0];
}

export async function storeCertificate(
  tx: PoolClient,
  workstation: WorkstationId,
  { serial, notBefore, notAfter }: { serial: string; notBefore: Date; notAfter: Date },
): Promise<void> {
  await tx.query("INSERT INTO certificate (serial, workstation_id, not_before, not_after) VALUES ($1, $2, $3, $4)", [
    serial,
    workstation,
    notBefore,
    notAfter,
  ]);
}

const sameProof = (a: EnrolProof, b: { csr: string; secret: string; trailKey: string }): boolean =>
  a.csr === b.csr && a.secret === b.secret && a.trailKey === b.trailKey;

function rawKey(base64: string): Uint8Array | undefined {
  try {
    const key = fromBase64(base64);
    return key.length === 32 ? key : undefined;
  } catch {
    return undefined;
  }
}
