/** A machine that was enrolled already → whether a new enrolment would let fewer people decide. What was refused is kept
 *  for the trail: the agent that runs on it tells it. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  approversNeeded,
  approversOf,
  isAsStrict,
  Membership,
  type SignedStatement,
} from "@sallyport/shared/policy/statement.ts";
import { voices } from "@sallyport/shared/policy/verify.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { z } from "zod";
import { ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { beliefOf } from "../policy/believe.ts";
import { findKept, type Kept } from "../policy/kept.ts";
import { isEnrolled, readEnrolment, replaceFile } from "./folder.ts";

/** Why a new enrolment with this membership is refused, or nothing where it is as strict as the one that is there.
 *  @throws EnrolmentError where what is there cannot be read */
export function refusalOfAgain(state: string, signed: SignedStatement): string | undefined {
  if (!isEnrolled(state)) return undefined;
  const { facts } = readEnrolment(state);
  const { kept } = findKept(state);
  const held = kept.statements[`membership/workstation/${facts.workstation}`]?.signed ?? facts.membership;
  const before = beliefOf(sha256, facts, withMembership(kept, facts.workstation, held));
  if (approversNeeded(before.signers) < 1) return undefined;
  const after = Membership.parse(JSON.parse(signed.carried));
  const people = voices(ed25519Verify, before.signers.keys, signed).approvers.length;
  const needed = approversNeeded(before.signers);
  if (people >= needed || (after.group === before.group && isAsStrict(before.signers, after.signers))) return undefined;
  const now = approversNeeded(after.signers);
  const those = `${now === 0 ? "nobody beside the console" : `${now} of ${approversOf(after.signers.keys).length}`}`;
  return `this machine is in group ${before.group}, where ${needed} of ${approversOf(before.signers.keys).length} approvers must sign; the console would enrol it in group ${after.group}, where ${those} must, and ${people} of those approvers signed that`;
}

const withMembership = (kept: Kept, workstation: string, signed: SignedStatement): Kept => ({
  ...kept,
  statements: {
    ...kept.statements,
    [`membership/workstation/${workstation}`]: { signed, taken: new Date(0).toISOString() },
  },
});

const FILE = "enrolment-refused.json";
const Refused = z.object({ at: z.number(), reason: z.string() });

export const noteRefusal = (state: string, reason: string, now: number): void =>
  replaceFile(join(state, FILE), `${JSON.stringify({ at: now, reason })}\n`);

/** What was refused since the last look, told once: `tell` returns when it is on the trail. */
export async function tellRefusal(state: string, tell: (observation: Observation) => Promise<unknown>): Promise<void> {
  const path = join(state, FILE);
  if (!existsSync(path)) return;
  const read = Refused.safeParse(parse(readFileSync(path, "utf8")));
  const { at, reason } = read.success ? read.data : { at: 0, reason: "it cannot be read any more what it was" };
  await tell({
    kind: "policy.refused",
    severity: "critical",
    time: at,
    text: `An enrolment anew was refused: ${reason}`.slice(0, 512),
    body: { type: "membership", code: "signatures", reason: reason.slice(0, 1024) },
  });
  rmSync(path);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
