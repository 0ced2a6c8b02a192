/** Routes that are no procedures: their failures become the same answers, by the same mapper. */
import { TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { mapError } from "./errors.ts";

/** What a person reads is in `error`; what only the log may say goes there. */
export function answerTo(failure: unknown): Response {
  const cause = failure instanceof Error ? failure : new Error(String(failure));
  const mapped = mapError(new TRPCError({ code: "INTERNAL_SERVER_ERROR", message: cause.message, cause }));
  if (mapped.code === "INTERNAL_SERVER_ERROR")
    console.error(JSON.stringify({ event: "api.failed", reason: cause.message, cause: cause.stack }));
  return Response.json({ error: mapped.message }, { status: getHTTPStatusCodeFromError(mapped) });
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
