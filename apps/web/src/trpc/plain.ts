/** Routes that are no procedures: their failures become the same answers, by the same mapper. */
import { TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import type { z } from "zod";
import { mapError, Refusal } from "./errors.ts";
import { holdsNul, NUL_REFUSED } from "./nul.ts";

/** `againSeconds`: when to come back, where it is only that too much is going on. */
export const refuse = (status: number, error: string, againSeconds?: number): Response =>
  Response.json(
    { error },
    { status, headers: againSeconds === undefined ? {} : { "retry-after": String(againSeconds) } },
  );

/** @throws SyntaxError where it is no JSON, Refusal where it holds what cannot be stored */
export const readJson = async (request: Request): Promise<unknown> => read(await request.text());

function read(json: string): unknown {
  const value: unknown = JSON.parse(json);
  if (holdsNul(value)) throw new Refusal("BAD_REQUEST", NUL_REFUSED);
  return value;
}

/** A page of a list. Where the list goes on, the header `Link` has the address of the next page (RFC 8288), so that the
 *  body is the rows alone. */
export function pageOf(request: Request, { rows, next }: { rows: unknown; next: object | null }): Response {
  const after = next && encodeURIComponent(JSON.stringify(next));
  const headers = after === null ? {} : { link: `<${new URL(request.url).pathname}?after=${after}>; rel="next"` };
  return Response.json(rows, { headers });
}

/** Where the page before ended, as `pageOf` wrote it. @throws as readJson, ZodError where it is no such place */
export function readPlace<Place>(request: Request, place: z.ZodType<Place>): Place | undefined {
  const after = new URL(request.url).searchParams.get("after");
  return after === null ? undefined : place.parse(read(after));
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
