/** One statement more: taken, held already, or refused. Pure; policy.ts keeps what it returns. */
import { fromBase64 } from "@sallyport/shared/base/bytes.ts";
import type { Hash, Verify } from "@sallyport/shared/base/crypto.ts";
import type { GroupId } from "@sallyport/shared/base/ids.ts";
import { readJson } from "@sallyport/shared/base/json.ts";
import { faultOfCommand } from "@sallyport/shared/command/command.ts";
import { carriedDigest, Policy } from "@sallyport/shared/policy/policy.ts";
import {
  CarriedKeys,
  CarriedPolicy,
  Membership,
  SignedStatement,
  type Signers,
  STATEMENT_CHARS_MAX,
  Statement,
  type StatementType,
} from "@sallyport/shared/policy/statement.ts";
import { audienceKey, type Refusal, verifyStatement } from "@sallyport/shared/policy/verify.ts";
import { keyId } from "@sallyport/shared/trail/signed.ts";
import { z } from "zod";
import { exceptionFault, exceptionStop, exceptionsWith, revocationFault, revoke } from "./exceptions.ts";
import type { Kept } from "./kept.ts";
import { agree, hear, issuedAlone, issuedBy, type Moments } from "./moments.ts";
import { unreadable } from "./newer.ts";
import { faultOfOverlay } from "./overlays.ts";
import type { Self } from "./self.ts";

export type Belief = { group: GroupId; signers: Signers };
export type InForce = { policy: Policy; digest: string; order: number; taken: string; notAfter: string | undefined };
export type Believed =
  | { answer: "taken"; kept: Kept; type: StatementType }
  | { answer: "held" }
  | { answer: "refused"; refusal: Refusal };

/** The group and its signers, by the newest membership; before one, the console's keys alone. What the newest `keys`
 *  statement names are the console's keys, whatever the membership still says of them. */
export function beliefOf(hash: Hash, self: Self, kept: Kept): Belief {
  const consoleKeys = (some: readonly string[]) =>
    some.map((publicKey) => ({ id: keyId(hash, fromBase64(publicKey)), publicKey, role: "console" as const }));
  const held = kept.statements[membershipKey(self)];
  const membership = held && Membership.safeParse(JSON.parse(held.signed.carried));
  if (!membership?.success)
    return {
      group: self.group,
      signers: { threshold: 1, keys: consoleKeys(kept.consoleKeys.length > 0 ? kept.consoleKeys : self.consoleKeys) },
    };
  const { group, signers } = membership.data;
  if (kept.consoleKeys.length === 0) return { group, signers };
  const approvers = signers.keys.filter(({ role }) => role !== "console");
  return { group, signers: { ...signers, keys: [...consoleKeys(kept.consoleKeys), ...approvers] } };
}

export const membershipKey = ({ workstation }: Pick<Self, "workstation">): string =>
  `membership/workstation/${workstation}`;

/** `now` is dom0's own clock. */
export function believe(hash: Hash, verify: Verify, self: Self, kept: Kept, untrusted: unknown, now: number): Believed {
  const { group, signers } = beliefOf(hash, self, kept);
  const moments = { floor: kept.floor, heard: kept.heard ?? 0 };
  const latest = issuedBy(now, moments);
  const latestAlone = issuedAlone(now, moments);
  const { workstation } = self;
  const trust = { workstation, group, signers, orders: kept.orders, now: kept.floor, latest, latestAlone };
  let result = verifyStatement(hash, verify, trust, untrusted);
  if (!result.ok && result.error.code === "not-yet-valid" && result.error.statement) {
    // its signatures hold, so the console's clock has come this far
    const issued = Date.parse(result.error.statement.issued);
    result = verifyStatement(hash, verify, { ...trust, now: Math.max(kept.floor, issued) }, untrusted);
  }
  if (!result.ok) return isHeld(kept, untrusted) ? { answer: "held" } : { answer: "refused", refusal: result.error };
  const { statement, carried, slot, series } = result.value;
  const signed = SignedStatement.parse(untrusted);
  const wrong =
    faultOf(hash, self, group, statement, carried) ??
    (statement.type === "exception" ? exceptionStop(hash, self, kept, signed) : undefined);
  if (wrong) return { answer: "refused", refusal: { ...wrong, statement } };
  const keys = statement.type === "keys" ? CarriedKeys.parse(carried) : undefined;
  const next: Kept = {
    statements: { ...kept.statements, [slot]: { signed, taken: new Date(now).toISOString() } },
    orders: { ...kept.orders, ...Object.fromEntries(series.map((name) => [name, statement.order])) },
    ...momentsAfter(statement, now, moments),
    consoleKeys: keys ? keys.consoleKeys : kept.consoleKeys,
    cas: keys ? keys.cas : kept.cas,
    ...(kept.exceptions && { exceptions: kept.exceptions }),
    ...(kept.revoked && { revoked: kept.revoked }),
    ...(statement.type === "revocation" && revoke(hash, kept, carried, statement.issued)),
  };
  if (statement.type === "exception") next.exceptions = exceptionsWith(self, kept, signed, now);
  // another group's signers made these
  if (beliefOf(hash, self, next).group !== group) delete next.exceptions;
  // a move to a group that has no policy here keeps the one that was in force before the move
  const before = keyInForce(hash, self, kept);
  const key = keyInForce(hash, self, { ...next, ...(before !== undefined && { inForce: before }) });
  return { answer: "taken", type: statement.type, kept: { ...next, ...(key !== undefined && { inForce: key }) } };
}

/** Who must sign a policy, a membership or keys says what time it is; of the rest the console alone might be the source. */
function momentsAfter({ type, issued, notAfter }: Statement, now: number, moments: Moments): Moments {
  const at = Date.parse(issued);
  const isWhole = notAfter === undefined && type !== "overlay" && type !== "command";
  return isWhole ? agree(now, moments, at) : (hear(now, moments, at) ?? moments);
}

/** A retained message comes again at each connection: the statement that is held already is no news. */
function isHeld(kept: Kept, untrusted: unknown): boolean {
  const signed = SignedStatement.safeParse(untrusted);
  return (
    signed.success &&
    [...Object.values(kept.statements), ...(kept.exceptions ?? [])].some(
      ({ signed: held }) => held.text === signed.data.text && held.carried === signed.data.carried,
    )
  );
}

/** Each membership is believed by the signers that the one before it named, so all of them come, in order: those before
 *  the one that is held have had their time, and are no replay. The same for keys. */
export function isPassed(kept: Kept, statements: readonly SignedStatement[], at: number): boolean {
  const key = chainKey(statements[at]);
  return key !== undefined && statements.slice(at + 1).some((later) => chainKey(later) === key && isHeld(kept, later));
}

function chainKey(signed: SignedStatement | undefined): string | undefined {
  const json = signed && readJson(signed.text, STATEMENT_CHARS_MAX);
  const statement = json?.ok ? Statement.safeParse(json.value) : undefined;
  if (!statement?.success || !["membership", "keys"].includes(statement.data.type)) return undefined;
  return `${statement.data.type}/${audienceKey(statement.data.audience)}`;
}

/** What a well-signed statement may still have wrong with it. */
function faultOf(
  hash: Hash,
  self: Self,
  group: GroupId,
  statement: Statement,
  carried: unknown,
): Omit<Refusal, "statement"> | undefined {
  const malformed = (reason: string) => ({ code: "malformed" as const, reason });
  switch (statement.type) {
    case "membership": {
      const read = Membership.safeParse(carried);
      if (!read.success) return malformed(z.prettifyError(read.error));
      const own =
        audienceKey(statement.audience) === `workstation/${self.workstation}` &&
        read.data.workstation === self.workstation;
      return own ? undefined : { code: "audience", reason: "a membership is for one workstation, by name" };
    }
    case "policy": {
      const read = CarriedPolicy.safeParse(carried);
      if (!read.success) return malformed(z.prettifyError(read.error));
      if (read.data.group !== group)
        return { code: "audience", reason: `a policy of group ${read.data.group}; this is group ${group}` };
      const policy = Policy.safeParse(read.data.policy);
      if (!policy.success) return malformed(unreadable(read.data.policy, policy.error));
      const same = carriedDigest(hash, read.data.policy) === read.data.digest;
      return same ? undefined : { code: "digest", reason: "the policy inside is not the revision it is called" };
    }
    case "keys": {
      const read = CarriedKeys.safeParse(carried);
      if (!read.success) return malformed(z.prettifyError(read.error));
      const own = audienceKey(statement.audience) === `workstation/${self.workstation}`;
      return own ? undefined : { code: "audience", reason: "keys are for one workstation, by name" };
    }
    case "exception":
      return exceptionFault(self, statement, carried);
    case "revocation":
      return revocationFault(self, statement, carried);
    case "overlay":
      return faultOfOverlay(statement, carried);
    case "command":
      return faultOfCommand(statement, carried);
    default:
      return malformed(`a statement of type ${statement.type}, which this agent does not act on`);
  }
}

/** The policy in force: of the group this workstation is in by its newest membership, the one for this workstation by
 *  name, else the group's; coming back to a group brings back what was taken there. Until the group has one, the last
 *  in force stays. No clock chooses. */
export function inForce(hash: Hash, self: Self, kept: Kept): InForce | undefined {
  const key = keyInForce(hash, self, kept);
  const held = key === undefined ? undefined : policyOf(kept, key);
  if (!held) return undefined;
  const { policy, digest, statement, taken } = held;
  const { order, notAfter } = statement;
  return { policy, digest, order, taken, notAfter };
}

/** The order key of the policy in force. */
function keyInForce(hash: Hash, self: Self, kept: Kept): string | undefined {
  const { group } = beliefOf(hash, self, kept);
  const held = Object.keys(kept.statements).flatMap((key) => policyOf(kept, key) ?? []);
  const own = held.filter((each) => each.group === group);
  const rank = ({ statement }: Held) => RANKS.findIndex((name) => name in statement.audience);
  own.sort((a, b) => rank(a) - rank(b) || b.statement.order - a.statement.order);
  if (own[0]) return own[0].key;
  if (kept.inForce !== undefined && policyOf(kept, kept.inForce)) return kept.inForce;
  // a file of a version that did not write which one it was
  return held.sort((a, b) => (a.taken < b.taken ? 1 : -1))[0]?.key;
}

const RANKS = ["workstation", "group", "fleet"];
type Held = { key: string; group: GroupId; policy: Policy; digest: string; statement: Statement; taken: string };

function policyOf(kept: Kept, key: string): Held | undefined {
  const held = Object.hasOwn(kept.statements, key) ? kept.statements[key] : undefined;
  if (!held) return undefined;
  const statement = Statement.parse(JSON.parse(held.signed.text));
  if (statement.type !== "policy") return undefined;
  const { group, digest, policy: carried } = CarriedPolicy.parse(JSON.parse(held.signed.carried));
  const policy = Policy.safeParse(carried);
  return policy.success ? { key, group, policy: policy.data, digest, statement, taken: held.taken } : undefined;
}
