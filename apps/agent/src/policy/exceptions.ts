/** Exceptions that this workstation believes: beside each other, each until its own end. Pure. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { SignedStatement, Statement } from "@sallyport/shared/policy/statement.ts";
import { audienceKey, type Refusal } from "@sallyport/shared/policy/verify.ts";
import {
  CarriedException,
  type Clocks,
  EXCEPTION_HOURS_MAX,
  type Exception,
  isCurrent,
} from "@sallyport/shared/usb/exception.ts";
import { z } from "zod";
import type { Self } from "./believe.ts";
import { EXCEPTIONS_MAX, type Kept } from "./kept.ts";

/** What a well-signed exception may still have wrong with it: it is for one workstation, by name, and it ends. */
export function exceptionFault(
  self: Pick<Self, "workstation">,
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
      reason: "it does not say which stick, but a model: plug the stick in again and ask anew",
    };
  const { issued, notAfter } = statement;
  if (notAfter === undefined) return { code: "malformed", reason: "an exception that never ends" };
  if (Date.parse(notAfter) - Date.parse(issued) > EXCEPTION_HOURS_MAX * 3_600_000)
    return { code: "malformed", reason: `an exception of more than ${EXCEPTION_HOURS_MAX / 24} days` };
  return undefined;
}

export function exceptionsWith(kept: Kept, untrusted: unknown, now: number): NonNullable<Kept["exceptions"]> {
  const signed = SignedStatement.parse(untrusted);
  const current = (kept.exceptions ?? []).filter((each) => isCurrent(read(each.signed), { now: kept.floor, floor: 0 }));
  return [...current, { signed, taken: new Date(now).toISOString() }].slice(-EXCEPTIONS_MAX);
}

/** Those that hold now, each for one stick. */
export const exceptionsOf = (hash: Hash, kept: Kept, clocks: Clocks): Exception[] =>
  (kept.exceptions ?? []).flatMap(({ signed }) => {
    const { notAfter } = read(signed);
    if (!isCurrent({ notAfter }, clocks)) return [];
    const carried = CarriedException.parse(JSON.parse(signed.carried));
    // from before it named one stick
    if (carried.device === undefined) return [];
    const digest = toHex(hash(new TextEncoder().encode(signed.text)));
    return [{ ...carried, digest, notAfter }];
  });

/** One without an end was never taken. */
function read(signed: SignedStatement): { notAfter: string } {
  const { notAfter } = Statement.parse(JSON.parse(signed.text));
  return { notAfter: notAfter ?? new Date(0).toISOString() };
}
