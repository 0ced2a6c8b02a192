/** A one-time token → keys, certificate and group. What the console answers is checked before anything is kept. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { fromBase64, toBase64, toHex, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import type { GroupId, Sha256 } from "@sallyport/shared/base/ids.ts";
import { approversNeeded, Membership, SignedStatement, type Signers } from "@sallyport/shared/policy/statement.ts";
import { verifyStatement } from "@sallyport/shared/policy/verify.ts";
import { keyId, signValue } from "@sallyport/shared/trail/signed.ts";
import { EnrolAnswer, type EnrolRequest, RenewAnswer, readToken } from "@sallyport/shared/workstation/enrolment.ts";
import { z } from "zod";
import { ed25519Signer, ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { findKept, forNextEnrolment, writeKept } from "../policy/kept.ts";
import { noteRefusal, refusalOfAgain } from "./again.ts";
import {
  type Enrolment,
  EnrolmentError,
  type EnrolmentFacts,
  isEnrolled,
  replaceTls,
  type Tls,
  writeEnrolment,
} from "./folder.ts";
import { askListener, findCa } from "./listener.ts";

export type EnrolOptions = {
  state: string;
  token: string;
  name: string;
  hostname: string;
  agentVersion: string;
  again: boolean;
  /** A person at this machine says that other approvers may decide from here on, or none. */
  otherApprovers?: boolean;
};

/** @throws EnrolmentError with a sentence for the person at the keyboard */
export async function enrol(options: EnrolOptions): Promise<Enrolment> {
  const { state, token, name, hostname, agentVersion, again } = options;
  const read = readToken(token);
  if (!read.ok) throw new EnrolmentError(read.error);
  if (isEnrolled(state) && !again) {
    throw new EnrolmentError(
      `${state} is enrolled already. To enrol it anew, as another workstation, add --again; its records stay.`,
    );
  }
  const { url, ca: fingerprint, secret } = read.value;
  const ca = await findCa(url, fingerprint);
  const { makeRequest, makeTrailKey } = await import("./request.ts");
  const trailKey = makeTrailKey();
  const signer = ed25519Signer(trailKey);
  const { key, csr } = await makeRequest(name);
  const trailPublic = toBase64(signer.publicKey);
  const asked: EnrolRequest = {
    secret,
    csr,
    trailKey: trailPublic,
    hostname: name || hostname,
    agentVersion,
    proof: signValue(sha256, signer, "sallyport/enrolment/1", {
      csr: hashOf(csr),
      secret: hashOf(secret),
      trailKey: trailPublic,
    }),
  };
  const answer = EnrolAnswer.safeParse(await askListener(url, [ca], "enrol", asked));
  if (!answer.success)
    throw new EnrolmentError(`The console's answer cannot be read: ${z.prettifyError(answer.error)}`);
  const { workstation, certificate, consoleKeys, mqtt, membership } = answer.data;
  checkCertificate(certificate, key, ca, workstation);
  const group = checkMembership(answer.data);
  const looser = options.otherApprovers ? undefined : refusalOfAgain(state, SignedStatement.parse(membership));
  if (looser !== undefined) {
    noteRefusal(state, looser, Date.now());
    throw new EnrolmentError(
      `The enrolment is refused: ${looser}. Where that is wanted, add --other-approvers; nothing was changed.`,
    );
  }
  const facts = {
    workstation,
    group,
    name,
    listener: url,
    mqtt,
    consoleKeys,
    membership,
    enrolled: new Date().toISOString(),
  };
  const enrolment = { facts, trailKey, tls: { key, certificate }, ca };
  forgetEarlier(state);
  writeEnrolment(state, enrolment);
  return enrolment;
}

/** The keys that an earlier enrolment's console named are not this one's, nor are its exceptions. */
function forgetEarlier(state: string): void {
  const { kept } = findKept(state);
  const next = forNextEnrolment(kept);
  if (!isDeepStrictEqual(next, kept)) writeKept(state, next);
}

const hashOf = (text: string): Sha256 => toHex(sha256(toUtf8(text))) as Sha256;

function checkCertificate(pem: string, key: string, ca: string, workstation: string): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (error) {
    throw new EnrolmentError("The console answered with something that is no certificate.", { cause: error });
  }
  const issuer = new X509Certificate(ca);
  const wrong = !certificate.checkPrivateKey(createPrivateKey(key))
    ? "it is for another key"
    : !certificate.verify(issuer.publicKey)
      ? "the console's CA did not sign it"
      : !certificate.subject.split("\n").includes(`CN=${workstation}`)
        ? "it names another workstation"
        : undefined;
  if (wrong) throw new EnrolmentError(`The certificate that the console answered with is refused: ${wrong}.`);
}

/** At enrolment the console's key alone vouches for the group; later changes need the group's own signers. */
function checkMembership({ workstation, consoleKeys, membership }: EnrolAnswer): GroupId {
  const keys = consoleKeys.map((publicKey) => ({
    id: keyId(sha256, fromBase64(publicKey)),
    publicKey,
    role: "console" as const,
  }));
  const signers: Signers = { threshold: 1, keys };
  const trust = { workstation, group: "" as GroupId, signers, orders: {}, now: Number.MAX_SAFE_INTEGER };
  const taken = verifyStatement(sha256, ed25519Verify, trust, SignedStatement.parse(membership));
  if (!taken.ok)
    throw new EnrolmentError(`The console's word on this workstation's group is refused: ${taken.error.reason}.`);
  const carried = Membership.safeParse(taken.value.carried);
  if (taken.value.statement.type !== "membership" || !carried.success || carried.data.workstation !== workstation) {
    throw new EnrolmentError("The console's word on this workstation's group says something else.");
  }
  return carried.data.group;
}

/** Who decides from here on, for the person at the keyboard to compare with what was agreed. */
export function signersWords({ membership }: EnrolmentFacts): string {
  const { signers, groupName } = Membership.parse(JSON.parse(membership.carried));
  const needed = approversNeeded(signers);
  if (needed < 1) return `In ${escapeForDisplay(groupName)} the console's key signs alone.`;
  const people = signers.keys.filter(({ role }) => role === "approver").map(({ id }) => id);
  return `In ${escapeForDisplay(groupName)} ${needed} of these ${people.length} approvers must sign: ${people.join(", ")}.`;
}

const Nonce = z.object({ nonce: z.string().min(8).max(64) });

/** A new certificate for a new key, by proof of the trail's key; works after expiry too. */
export async function renew(state: string, { facts, trailKey, ca }: Enrolment, cas: string[]): Promise<Tls> {
  const { makeRequest } = await import("./request.ts");
  const signer = ed25519Signer(trailKey);
  const { key, csr } = await makeRequest(facts.workstation);
  const { nonce } = Nonce.parse(await askListener(facts.listener, cas, "renew/nonce"));
  const proof = signValue(sha256, signer, "sallyport/renewal/1", {
    workstation: facts.workstation,
    csr: hashOf(csr),
    nonce,
  });
  const asked = { workstation: facts.workstation, csr, proof };
  const answer = RenewAnswer.parse(await askListener(facts.listener, cas, "renew", asked));
  checkCertificate(answer.certificate, key, ca, facts.workstation);
  const tls = { key, certificate: answer.certificate };
  replaceTls(state, tls);
  return tls;
}

/** Less than a third of its life is left. */
export function isDue(certificate: string, now: number): boolean {
  const { validFrom, validTo } = new X509Certificate(certificate);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return to - now < (to - from) / 3;
}

export const notAfter = (certificate: string): string =>
  new Date(Date.parse(new X509Certificate(certificate).validTo)).toISOString();
