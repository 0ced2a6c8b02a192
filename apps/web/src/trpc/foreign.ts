/** Cross-site requests that would change something are refused by where they come from, whatever cookie they carry. */

const BODY_BYTES_MAX = 1024 * 1024;

export function refuseForeign(request: Request): Response | undefined {
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  if (Number(request.headers.get("content-length") ?? 0) > BODY_BYTES_MAX)
    return answer(413, `At most ${BODY_BYTES_MAX / 1024} KiB.`);
  const site = request.headers.get("sec-fetch-site");
  const origin = request.headers.get("origin");
  const host = request.headers.get("host");
  if (site === "same-origin") return undefined;
  if (site === null && origin !== null && URL.canParse(origin) && new URL(origin).host === host) return undefined;
  if (site === null && origin === null && request.headers.has("authorization")) return undefined;
  return answer(403, "This request did not come from a page of this console.");
}

const answer = (status: number, message: string): Response =>
  Response.json({ error: { message, code: status === 413 ? "PAYLOAD_TOO_LARGE" : "FORBIDDEN" } }, { status });
