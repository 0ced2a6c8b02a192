import { TRPCError } from "@trpc/server";
import { expect, test } from "vitest";
import { z } from "zod";
import { mapError, Refusal } from "./errors.ts";

const failed = (cause: unknown) => mapError(new TRPCError({ code: "INTERNAL_SERVER_ERROR", cause }));
const postgres = (code: string) => Object.assign(new Error("relation person_account, password scrypt$…"), { code });

test.each([
  ["an expected no", new Refusal("CONFLICT", "Somebody was faster."), "CONFLICT", /^Somebody was faster\.$/],
  ["a query that takes too long", postgres("57014"), "TIMEOUT", /Narrow it/],
  ["a name that is taken", postgres("23505"), "CONFLICT", /by that name already/],
  ["a place in a list that is none", postgres("22P02"), "BAD_REQUEST", /cannot be stored/],
  ["a time of the year 0000", postgres("22008"), "BAD_REQUEST", /cannot be stored/],
  [
    "a pool with no connection free",
    new Error("timeout exceeded when trying to connect"),
    "SERVICE_UNAVAILABLE",
    /again/,
  ],
  ["a database that went away", postgres("57P01"), "SERVICE_UNAVAILABLE", /Nothing was changed/],
  ["a connection refused", postgres("ECONNREFUSED"), "SERVICE_UNAVAILABLE", /does not answer/],
  ["a bug of ours", new TypeError("secret.length of undefined"), "INTERNAL_SERVER_ERROR", /log says why/],
])("%s becomes a sentence", (_what, cause, code, message) => {
  expect(failed(cause)).toMatchObject({ code, message: expect.stringMatching(message) });
});

test("what the database says of its tables and secrets is told to nobody", () => {
  for (const code of ["23505", "42P01", "57P01", "XX000"])
    expect(failed(postgres(code)).message).not.toMatch(/person|scrypt/);
});

test("input that does not fit names the place and the reason", () => {
  const cause = z.object({ uses: z.int() }).safeParse({ uses: "many" }).error;
  const mapped = mapError(new TRPCError({ code: "BAD_REQUEST", cause }));
  expect(mapped.message).toMatch(/uses/);
  expect(mapped.code).toBe("BAD_REQUEST");
});

test("a body that is no JSON, or of another type, is told so in a sentence", () => {
  const torn = new TRPCError({ code: "BAD_REQUEST", cause: new SyntaxError("Unexpected end of JSON input") });
  expect(mapError(torn)).toMatchObject({
    code: "BAD_REQUEST",
    message: expect.stringMatching(/^What was sent is no JSON/),
  });
  const typed = new TRPCError({ code: "UNSUPPORTED_MEDIA_TYPE", message: 'Unsupported content-type "text/plain' });
  expect(mapError(typed)).toMatchObject({
    code: "UNSUPPORTED_MEDIA_TYPE",
    message: expect.stringMatching(/application\/json/),
  });
});
