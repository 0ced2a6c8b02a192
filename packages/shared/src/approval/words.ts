/** Statements → what they do, in words, from their own text alone: what an approver reads before signing, and what the
 *  console's page shows. What cannot be said whole is not to be signed. Pure. */
import type { Hash } from "../base/crypto.ts";
import { fail, type Result } from "../base/result.ts";
import { unreachable } from "../base/unreachable.ts";
import type { SignedStatement } from "../policy/statement.ts";
import { sayPolicies } from "./words/policies.ts";
import { sayKeys, sayMemberships } from "./words/signers.ts";
import { type Known, type Read, readStatement, type Said } from "./words/statement.ts";
import { sayCommand, sayException } from "./words/workstation.ts";

/** All that one signature of an approver would cover. The error says what cannot be said of it. */
export function sayStatements(hash: Hash, signed: readonly SignedStatement[], known: Known = {}): Result<Said> {
  const read: Read[] = [];
  for (const [at, each] of signed.entries()) {
    const one = readStatement(hash, each);
    if (!one.ok) return fail(`statement ${at + 1} of ${signed.length}: ${one.error}`);
    read.push(one.value);
  }
  const [first] = read;
  if (!first) return fail("it holds no statement");
  if (read.some(({ statement }) => statement.type !== first.statement.type))
    return fail("it mixes statements of several types");
  switch (first.statement.type) {
    case "policy":
      return sayPolicies(hash, read, known);
    case "membership":
      return sayMemberships(hash, read, known);
    case "keys":
      return sayKeys(hash, read, known);
    case "exception":
    case "command":
      if (read.length > 1) return fail("it holds more than one of a kind that is signed one by one");
      return first.statement.type === "command" ? sayCommand(first, known) : sayException(first, known);
    case "overlay":
      return fail("a deny overlay needs no person's signature");
    case "revocation":
      return fail("a revocation needs no person's signature");
    default:
      return unreachable(first.statement.type);
  }
}
