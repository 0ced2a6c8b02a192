/** Routes that are no procedures: their failures become the same answers, by the same mapper. */
import { TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { mapError, Refusal } from "./errors.ts";
import { holdsNul, NUL_REFUSED } from "./nul.ts";

/** `againSeconds`: when to come back, where it is only that too much is going on. */
export const refuse = (status: number, error: string, againSeconds?: number): Response =>
  Response.json(
    { error },
    { status, headers: againSeconds === undefined ? {} : { "retry-after": String(againSeconds) } },
  );

/** @throws SyntaxError where it is no JSON, Refusal where it holds what cannot be stored */
export async function readJson(request: Request): Promise<unknown> {
  const body: unknown = JSON.parse(await request.text());
  if (holdsNul(body)) throw new Refusal("BAD_REQUEST", NUL_REFUSED);
  return body;
}

/** What a person reads is in `error`; what only the log may say goes there. */
export function answerTo(failure: unknown): Response {
  const cause = failure instanceof Error ? failure : new Error(String(failure));
  const mapped = mapError(new TRPCError({ code: "INTERNAL_SERVER_ERROR", message: cause.message, cause }));
  if (mapped.code === "INTERNAL_SERVER_ERROR")
    console.error(JSON.stringify({ event: "api.failed", reason: cause.message, cause: cause.stack }));
  return refuse(getHTTPStatusCodeFromError(mapped), mapped.message);
}

export const answered =
  <Asked extends unknown[]>(respond: (...asked: Asked) => Promise<Response>) =>
  async (...asked: Asked): Promise<Response> => {
    try {
      return await respond(...asked);
    } catch (failure) {
      return answerTo(failure);
    }
  };
