/** Exceptions that this workstation believes: beside each other, each until its own end. Pure. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import { type SignedStatement, Statement } from "@sallyport/shared/policy/statement.ts";
import { audienceKey, type Refusal } from "@sallyport/shared/policy/verify.ts";
import {
  CarriedException,
  CarriedRevocation,
  type Clocks,
  EXCEPTION_HOURS_MAX,
  type Exception,
  isCurrent,
} from "@sallyport/shared/usb/exception.ts";
import { z } from "zod";
import { EXCEPTIONS_MAX, type Kept, REVOKED_KEPT_MAX } from "./kept.ts";
import type { Self } from "./self.ts";

type Own = Pick<Self, "workstation">;

/** What a well-signed exception may still have wrong with it: it is for one workstation, by name, and it ends. */
export function exceptionFault(
  self: Own,
  statement: Statement,
  carried: unknown,
): Omit<Refusal, "statement"> | undefined {
  const read = CarriedException.safeParse(carried);
  if (!read.success) return { code: "malformed", reason: z.prettifyError(read.error) };
  const own = audienceKey(statement.audience) === `workstation/${self.workstation}`;
  if (!own || read.data.workstation !== self.workstation)
    return { code: "audience", reason: "an exception is for one workstation, by name" };
  if (read.data.device === undefined)
    return {
      code: "malformed",
      reason:
        "it does not say which stick, but a model: the console is older than this agent. Upgrade the console, plug the stick in again and ask anew",
    };
  const { issued, notAfter } = statement;
  if (notAfter === undefined) return { code: "malformed", reason: "an exception that never ends" };
  if (Date.parse(notAfter) - Date.parse(issued) > EXCEPTION_HOURS_MAX * 3_600_000)
    return { code: "malformed", reason: `an exception of more than ${EXCEPTION_HOURS_MAX / 24} days` };
  return undefined;
}

type Held = NonNullable<Kept["exceptions"]>[number];

const currentOf = (kept: Kept): Held[] =>
  (kept.exceptions ?? []).filter((each) => isCurrent(read(each.signed), { now: kept.floor, floor: 0 }));

const digestOf = (hash: Hash, signed: SignedStatement) => toHex(hash(new TextEncoder().encode(signed.text))) as Sha256;

const isRevoked = ({ revoked }: Kept, digest: Sha256) =>
  revoked?.some(({ exception }) => exception === digest) ?? false;

/** What stands against one more that is well signed: it was revoked, or there is no room. */
export function exceptionStop(
  hash: Hash,
  self: Own,
  kept: Kept,
  signed: SignedStatement,
): Omit<Refusal, "statement"> | undefined {
  if (isRevoked(kept, digestOf(hash, signed)))
    return { code: "revoked", reason: "this exception was revoked before it came" };
  if (currentOf(kept).filter((each) => mayHold(self, each.signed)).length < EXCEPTIONS_MAX) return undefined;
  return {
    code: "too-many",
    reason: `${EXCEPTIONS_MAX} exceptions stand here already; it is taken when one has ended or is revoked`,
  };
}

/** One that lets nothing pass gives way where there is no room. */
export function exceptionsWith(self: Own, kept: Kept, signed: SignedStatement, now: number): Held[] {
  const current = currentOf(kept);
  const rest = current.length < EXCEPTIONS_MAX ? current : current.filter((each) => mayHold(self, each.signed));
  return [...rest, { signed, taken: new Date(now).toISOString() }];
}

/** What a well-signed revocation may still have wrong with it. */
export function revocationFault(
  self: Own,
  statement: Statement,
  carried: unknown,
): Omit<Refusal, "statement"> | undefined {
  const read = CarriedRevocation.safeParse(carried);
  if (!read.success) return { code: "malformed", reason: z.prettifyError(read.error) };
  const own = audienceKey(statement.audience) === `workstation/${self.workstation}`;
  if (!own || read.data.workstation !== self.workstation)
    return { code: "audience", reason: "a revocation is for one workstation, by name" };
  return undefined;
}

/** What it names goes at once, and is not taken again; what was revoked before stays so. It is remembered for no longer than
 *  an exception lasts that is still taken: one of before could be for a month. */
export function revoke(hash: Hash, kept: Kept, carried: unknown, issued: string): Pick<Kept, "exceptions" | "revoked"> {
  const last = Date.parse(issued) + EXCEPTION_HOURS_MAX * 3_600_000;
  const said = CarriedRevocation.parse(carried).revoked.map(({ exception, until }) => ({
    exception,
    until: new Date(Math.min(Date.parse(until), last)).toISOString(),
  }));
  const all = new Set([...(kept.revoked ?? []), ...said].map(({ exception }) => exception));
  const exceptions = (kept.exceptions ?? []).filter(({ signed }) => !all.has(digestOf(hash, signed)));
  return { exceptions, revoked: revokedOf([...(kept.revoked ?? []), ...said], kept.floor) };
}

/** Each once, until its latest end; what ends first gives way. */
export function revokedOf(all: NonNullable<Kept["revoked"]>, floor: number): NonNullable<Kept["revoked"]> {
  const latestFirst = all
    .filter(({ until }) => Date.parse(until) > floor)
    .sort((a, b) => Date.parse(b.until) - Date.parse(a.until));
  const once = new Map<string, (typeof all)[number]>();
  for (const each of latestFirst) if (!once.has(each.exception)) once.set(each.exception, each);
  return [...once.values()].slice(0, REVOKED_KEPT_MAX);
}

/** Those that hold now, each for one stick. One that an earlier enrolment of this machine took holds no more. */
export const exceptionsOf = (hash: Hash, self: Own, kept: Kept, clocks: Clocks): Exception[] =>
  (kept.exceptions ?? []).flatMap(({ signed }) => {
    const { notAfter } = read(signed);
    if (!isCurrent({ notAfter }, clocks) || !mayHold(self, signed)) return [];
    const digest = digestOf(hash, signed);
    // one that a file put back from an older time has again
    return isRevoked(kept, digest) ? [] : [{ ...carriedBy(signed), digest, notAfter }];
  });

const carriedBy = (signed: SignedStatement) => CarriedException.parse(JSON.parse(signed.carried));

/** It is for this workstation, and for one stick: those of before named a model. */
function mayHold(self: Own, signed: SignedStatement): boolean {
  const { workstation, device } = carriedBy(signed);
  return workstation === self.workstation && device !== undefined;
}

/** One without an end was never taken. */
function read(signed: SignedStatement): { notAfter: string } {
  const { notAfter } = Statement.parse(JSON.parse(signed.text));
  return { notAfter: notAfter ?? new Date(0).toISOString() };
}
