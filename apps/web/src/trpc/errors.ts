/** The one place where a failure becomes an answer: a clear 4xx for what the asker can mend, and for the rest a
 *  sentence that gives nothing away. */
import { issuesWords } from "@sallyport/shared/base/issue.ts";
import { TRPCError } from "@trpc/server";
import { z } from "zod";

/** Thrown by stores for an expected "no" that a person should read. */
export class Refusal extends Error {
  readonly code: "NOT_FOUND" | "CONFLICT" | "BAD_REQUEST" | "FORBIDDEN" | "PRECONDITION_FAILED";

  constructor(code: Refusal["code"], message: string) {
    super(message);
    this.name = "Refusal";
    this.code = code;
  }
}

const QUERY_CANCELLED = "57014";
const UNIQUE_VIOLATION = "23505";
/** Raised by the database's own trigger (migration 20261128191000_repository). */
const GROUP_RETIRED = "SPRET";
/** A character, a time or a number that the database has no place for. */
const UNSTORABLE = new Set(["22P02", "22003", "22007", "22008", "22021", "22P05"]);
const CONNECTION_LOST = /^(08|57P|ECONN|EPIPE)/;

export function mapError(error: TRPCError): TRPCError {
  const cause = error.cause;
  if (cause instanceof Refusal) return new TRPCError({ code: cause.code, message: cause.message, cause });
  if (cause instanceof z.ZodError) return new TRPCError({ code: "BAD_REQUEST", message: issuesWords(cause), cause });
  if (cause instanceof SyntaxError)
    return new TRPCError({ code: "BAD_REQUEST", message: `What was sent is no JSON: ${cause.message}`, cause });
  if (error.code === "UNSUPPORTED_MEDIA_TYPE")
    return new TRPCError({ code: error.code, message: "Send it as application/json.", cause });
  if (error.code !== "INTERNAL_SERVER_ERROR") return error;
  const code = codeOf(cause);
  if (code === QUERY_CANCELLED)
    return new TRPCError({
      code: "TIMEOUT",
      message: "That took too long. Narrow it: a shorter time, a workstation, a kind.",
      cause,
    });
  if (code === UNIQUE_VIOLATION)
    return new TRPCError({ code: "CONFLICT", message: "There is one by that name already.", cause });
  if (code === GROUP_RETIRED)
    return new TRPCError({
      code: "PRECONDITION_FAILED",
      message: "This group is retired: nobody can be put into it. Nothing was changed.",
      cause,
    });
  if (UNSTORABLE.has(code))
    return new TRPCError({
      code: "BAD_REQUEST",
      message: "What was sent holds a character, a time or a number that cannot be stored. Nothing was changed.",
      cause,
    });
  if (CONNECTION_LOST.test(code) || isNoneFree(cause))
    return new TRPCError({
      code: "SERVICE_UNAVAILABLE",
      message: "The database does not answer. Nothing was changed; try again.",
      cause,
    });
  return new TRPCError({
    code: "INTERNAL_SERVER_ERROR",
    message: "The console failed at this. Its log says why.",
    cause,
  });
}

/** The pool's own words when none of its connections came free; it has no code for that. */
const isNoneFree = (cause: unknown): boolean =>
  cause instanceof Error && cause.message === "timeout exceeded when trying to connect";

function codeOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : "";
  return typeof code === "string" ? code : "";
}
