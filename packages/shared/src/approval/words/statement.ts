/** A signed text → the statement and what it carries, whole, and what every statement is said with. Pure. */
import { z } from "zod";
import { toHex, toUtf8 } from "../../base/bytes.ts";
import { canonicalText } from "../../base/canonical.ts";
import type { Hash } from "../../base/crypto.ts";
import { readJson } from "../../base/json.ts";
import { fail, ok, type Result } from "../../base/result.ts";
import type { Policy } from "../../policy/policy.ts";
import {
  CARRIED_CHARS_MAX,
  type SignedStatement,
  type Signers,
  STATEMENT_CHARS_MAX,
  Statement,
} from "../../policy/statement.ts";
import { audienceKey } from "../../policy/verify.ts";

/** What the reader knows beside the text. `names` are claims of whoever gives them. */
export type Known = {
  /** Compared with each, since it may not be certain which is in force; the strict defaults where there is none. `words` say
   *  where it is from. */
  policies?: readonly Revision[];
  /** Who may sign until now, where known. */
  signers?: Signers;
  group?: string;
  names?: Readonly<Record<string, string>>;
};

export type Revision = { policy: Policy; words: string };

/** `looser` are what a person should look at first, `destroys` what nothing brings back; `exact` name digests and orders. */
export type Said = { head: string; destroys: string[]; looser: string[]; other: string[]; exact: string[] };

export type Read = { statement: Statement; carried: unknown };

export function readStatement(hash: Hash, { text, carried }: SignedStatement): Result<Read> {
  const json = readJson(text, STATEMENT_CHARS_MAX);
  if (!json.ok) return json;
  const statement = whole(Statement, json.value);
  if (!statement.ok) return statement;
  if (toHex(hash(toUtf8(carried))) !== statement.value.digest) return fail("what it carries is not what it names");
  const load = readJson(carried, CARRIED_CHARS_MAX);
  return load.ok ? ok({ statement: statement.value, carried: load.value }) : load;
}

/** A member that this version does not know may mean something to a workstation that does. */
export function whole<T>(schema: z.ZodType<T>, value: unknown): Result<T> {
  const read = schema.safeParse(value);
  if (!read.success) return fail(z.prettifyError(read.error));
  return canonicalText(read.data) === canonicalText(value)
    ? ok(read.data)
    : fail("it says more than this version knows; upgrade before you sign it");
}

export const named = (known: Known, id: string): string =>
  known.names?.[id] ? `${id} (called ${known.names[id]})` : id;
export const until = ({ notAfter }: Statement): string[] =>
  notAfter === undefined ? [] : [`Valid until ${notAfter}.`];
export const exactOf = ({ statement }: Read): string =>
  `${statement.type} ${audienceKey(statement.audience)}, order ${statement.order}, sha256 ${statement.digest}`;
