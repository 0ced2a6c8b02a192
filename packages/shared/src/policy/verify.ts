/** Whether a workstation takes a statement. Pure; the agent and the tests of a stolen console ask the same question. */
import { z } from "zod";
import { fromBase64, toHex, toUtf8 } from "../base/bytes.ts";
import type { Hash, Verify } from "../base/crypto.ts";
import type { GroupId, WorkstationId } from "../base/ids.ts";
import { readJson } from "../base/json.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { mayConsoleAlone } from "../command/command.ts";
import { isSignedBy, keyId } from "../trail/signed.ts";
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

/** What a workstation believes already. `orders` holds the highest order taken of each series. `now` is the latest
 *  moment it knows for certain to have come (persisted floor), `latest` the latest that may have come by any clock it has
 *  a reason to believe (`now` where it is not given), `latestAlone` the same for what the console's key alone may sign
 *  (`latest` where it is not given), in milliseconds. */
export type Trust = {
  workstation: WorkstationId;
  group: GroupId;
  signers: Signers;
  orders: Readonly<Record<string, number>>;
  now: number;
  latest?: number;
  latestAlone?: number;
};

const DAY_MS = 86_400_000;
/** A statement that was issued later than this after `latest` is no word of now: by a wrong clock, or by a thief who means
 *  to be believed for years. */
export const ISSUED_AHEAD_MS_MAX = DAY_MS;
/** An order is a count, or the seconds of the clock; it lies no further than this beyond the seconds at which it was issued,
 *  so that no single statement uses up all orders there are. Once a command that waited for people had its end as its
 *  order, a week ahead. */
export const ORDER_AHEAD_SECONDS_MAX = 8 * 86_400;

export const REFUSALS = [
  "malformed",
  "digest",
  "audience",
  "signatures",
  "old-order",
  "not-yet-valid",
  "expired",
  "ahead",
  "too-many",
  "revoked",
] as const;
export type Refusal = { code: (typeof REFUSALS)[number]; reason: string; statement?: Statement };

/** `slot`: where the newest is kept; `series`: under which names its order counts from now on. */
export type Taken = { statement: Statement; carried: unknown; slot: string; series: string[] };

/** Types that the console's key alone may sign, whatever the group's threshold. Of commands it depends on the verb. */
const CONSOLE_ALONE: readonly StatementType[] = ["overlay", "revocation"];

/** `workstation/ID`, `group/ID` or `fleet`: orders are counted by type and this. */
export function audienceKey(audience: Audience): string {
  if ("workstation" in audience) return `workstation/${audience.workstation}`;
  return "group" in audience ? `group/${audience.group}` : "fleet";
}

/** `untrusted` is a message's JSON. What comes first is told first: shape, digest, audience, signatures, order, validity.
 *  The caller remembers `statement.order` under each of `series`, on disk, before it acts. Never throws. */
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
  const key = `${statement.type}/${audienceKey(statement.audience)}`;
  const last = isAlone ? lastAlone(hash, trust, key) : (trust.orders[key] ?? 0);
  if (statement.order <= last) return refuse("old-order", `order ${statement.order}; ${last} was taken already`);
  const issued = Date.parse(statement.issued);
  const latest = (isAlone ? trust.latestAlone : undefined) ?? trust.latest ?? trust.now;
  if (issued > latest + ISSUED_AHEAD_MS_MAX) return refuse("ahead", aheadWords(`issued ${statement.issued}`, latest));
  if (statement.order > issued / 1000 + ORDER_AHEAD_SECONDS_MAX)
    return refuse("ahead", `order ${statement.order} is further ahead than any order given when this was issued`);
  if (statement.notBefore && trust.now < Date.parse(statement.notBefore)) {
    return refuse("not-yet-valid", `valid from ${statement.notBefore}`);
  }
  if (statement.notAfter && trust.now >= Date.parse(statement.notAfter))
    return refuse("expired", `valid until ${statement.notAfter}`);
  const slot = isAlone && statement.type === "command" ? `${key}/alone` : key;
  const by = console.length > 0 ? console : approvers;
  const series = isAlone ? by.map((publicKey) => `${key}/${keyId(hash, fromBase64(publicKey))}`) : [key];
  return ok({ statement, carried, slot, series });
}

/** `what` with the moment that was named. */
export function aheadWords(what: string, latest: number): string {
  const own = Number.isFinite(latest) && latest > 0 ? new Date(latest).toISOString() : "not known";
  return `${what}, and here it is ${own}: the console's clock or this machine's is more than a day wrong. Set it right (timedatectl) and send it again`;
}

/** What one key may sign is counted by itself and by key: it uses up no order of what people must sign, and a key that is
 *  believed no more takes its orders with it. Before the first of them, as it was counted once: all in one. */
function lastAlone(hash: Hash, { orders, signers }: Trust, key: string): number {
  const own = Object.keys(orders).filter((name) => name.startsWith(`${key}/`));
  if (own.length === 0) return orders[key] ?? 0;
  const believed = signers.keys.map(({ publicKey }) => `${key}/${keyId(hash, fromBase64(publicKey))}`);
  return Math.max(0, ...own.filter((name) => believed.includes(name)).map((name) => orders[name]!));
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
