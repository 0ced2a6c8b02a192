/** Cross-site requests that would change something are refused by where they come from, whatever cookie they carry; so is a body whose length is not known beforehand. */

const BODY_BYTES_MAX = 1024 * 1024;
const TOO_LARGE = `What was sent is too long. At most ${BODY_BYTES_MAX / 1024} KiB are read.`;

export function refuseForeign(request: Request): Response | undefined {
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  const length = request.headers.get("content-length");
  if (length === null || !/^\d+$/.test(length)) return answer(411, "LENGTH_REQUIRED", "Say how long the body is.");
  if (Number(length) > BODY_BYTES_MAX) return answer(413, "PAYLOAD_TOO_LARGE", TOO_LARGE);
  const site = request.headers.get("sec-fetch-site");
  const origin = request.headers.get("origin");
  const host = request.headers.get("host");
  if (site === "same-origin") return undefined;
  if (site === null && origin !== null && URL.canParse(origin) && new URL(origin).host === host) return undefined;
  if (site === null && origin === null && request.headers.has("authorization")) return undefined;
  return answer(403, "FORBIDDEN", "This request did not come from a page of this console.");
}

const answer = (status: number, code: string, message: string): Response =>
  Response.json({ error: { message, code } }, { status });
