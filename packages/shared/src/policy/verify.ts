/** Whether a workstation takes a statement. Pure; the agent and the tests of a stolen console ask the same question. */
import { z } from "zod";
import { fromBase64, toHex, toUtf8 } from "../base/bytes.ts";
import type { Hash, Verify } from "../base/crypto.ts";
import type { GroupId, WorkstationId } from "../base/ids.ts";
import { readJson } from "../base/json.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { mayConsoleAlone } from "../command/command.ts";
import { isSignedBy } from "../trail/signed.ts";
import {
  type Audience,
  approversOf,
  CARRIED_CHARS_MAX,
  consoleKeysOf,
  SignedStatement,
  type Signers,
  STATEMENT_CHARS_MAX,
  Statement,
  type StatementType,
} from "./statement.ts";

/** What a workstation believes already. `orders` holds the highest order taken by `orderKey`. `now` is the latest
 *  moment it knows for certain to have come (persisted floor), in milliseconds. */
export type Trust = {
  workstation: WorkstationId;
  group: GroupId;
  signers: Signers;
  orders: Readonly<Record<string, number>>;
  now: number;
};

export const REFUSALS = [
  "malformed",
  "digest",
  "audience",
  "signatures",
  "old-order",
  "not-yet-valid",
  "expired",
] as const;
export type Refusal = { code: (typeof REFUSALS)[number]; reason: string; statement?: Statement };

export type Taken = { statement: Statement; carried: unknown; orderKey: string };

/** Types that the console's key alone may sign, whatever the group's threshold. Of commands it depends on the verb. */
const CONSOLE_ALONE: readonly StatementType[] = ["overlay"];

/** `workstation/ID`, `group/ID` or `fleet`: orders are counted by type and this. */
export function audienceKey(audience: Audience): string {
  if ("workstation" in audience) return `workstation/${audience.workstation}`;
  return "group" in audience ? `group/${audience.group}` : "fleet";
}

/** `untrusted` is a message's JSON. What comes first is told first: shape, digest, audience, signatures, order, validity.
 *  The caller remembers `statement.order` under `orderKey`, on disk, before it acts. Never throws. */
export function verifyStatement(hash: Hash, verify: Verify, trust: Trust, untrusted: unknown): Result<Taken, Refusal> {
  const read = readStatement(hash, untrusted);
  if (!read.ok) return read;
  const { signed, statement, carried } = read.value;
  const refuse = (code: Refusal["code"], reason: string) => fail({ code, reason, statement });

  if (!isFor(trust, statement.audience)) {
    return refuse(
      "audience",
      `meant for ${audienceKey(statement.audience)}; this is workstation ${trust.workstation} of group ${trust.group}`,
    );
  }
  const isAlone = statement.type === "command" ? mayConsoleAlone(carried) : CONSOLE_ALONE.includes(statement.type);
  const { console, approvers } = voices(verify, trust.signers.keys, signed);
  const count = approvers.length + (console.length > 0 ? 1 : 0);
  if (count < trust.signers.threshold && !(isAlone && console.length > 0)) {
    const lacks = `${count} of the ${trust.signers.threshold} signatures it needs are by keys of this group`;
    return refuse("signatures", isAlone ? "it is not signed by the console's key" : lacks);
  }
  const orderKey = `${statement.type}/${audienceKey(statement.audience)}`;
  const last = trust.orders[orderKey] ?? 0;
  if (statement.order <= last) return refuse("old-order", `order ${statement.order}; ${last} was taken already`);
  if (statement.notBefore && trust.now < Date.parse(statement.notBefore)) {
    return refuse("not-yet-valid", `valid from ${statement.notBefore}`);
  }
  if (statement.notAfter && trust.now >= Date.parse(statement.notAfter))
    return refuse("expired", `valid until ${statement.notAfter}`);
  return ok({ statement, carried, orderKey });
}

function readStatement(
  hash: Hash,
  untrusted: unknown,
): Result<{ signed: SignedStatement; statement: Statement; carried: unknown }, Refusal> {
  const signed = SignedStatement.safeParse(untrusted);
  if (!signed.success) return fail({ code: "malformed", reason: z.prettifyError(signed.error) });
  const json = readJson(signed.data.text, STATEMENT_CHARS_MAX);
  if (!json.ok) return fail({ code: "malformed", reason: `the statement: ${json.error}` });
  const carried = readJson(signed.data.carried, CARRIED_CHARS_MAX);
  if (!carried.ok) return fail({ code: "malformed", reason: `what it carries: ${carried.error}` });
  const statement = Statement.safeParse(json.value);
  if (!statement.success) return fail({ code: "malformed", reason: z.prettifyError(statement.error) });
  if (toHex(hash(toUtf8(signed.data.carried))) !== statement.data.digest) {
    return fail({ code: "digest", reason: "what it carries is not what was signed", statement: statement.data });
  }
  return ok({ signed: signed.data, statement: statement.data, carried: carried.value });
}

const isFor = (trust: Trust, audience: Audience): boolean =>
  "workstation" in audience
    ? audience.workstation === trust.workstation
    : "group" in audience
      ? audience.group === trust.group
      : true;

/** Whose signatures are there, by public key (base64); one that signs twice is there once. The console's keys are one
 *  voice together. */
export function voices(
  verify: Verify,
  keys: Signers["keys"],
  signed: Pick<SignedStatement, "text" | "signatures">,
): { console: string[]; approvers: string[] } {
  const signs = (key: string) => isSignedBy(verify, fromBase64(key), "sallyport/statement/1", signed);
  return { console: consoleKeysOf(keys).filter(signs), approvers: approversOf(keys).filter(signs) };
}
