/** Cross-site requests that would change something are refused by where they come from, whatever cookie they carry; so is a body whose length is not known beforehand. */

const BODY_BYTES_MAX = 1024 * 1024;

export function refuseForeign(request: Request, bytesMax = BODY_BYTES_MAX): Response | undefined {
  if (request.method === "GET" || request.method === "HEAD") return undefined;
  const length = request.headers.get("content-length");
  if (length === null || !/^\d+$/.test(length)) return answer(411, "LENGTH_REQUIRED", "Say how long the body is.");
  if (Number(length) > bytesMax) {
    const tooLarge = `What was sent is too long. At most ${bytesMax / 1024} KiB are read.`;
    return answer(413, "PAYLOAD_TOO_LARGE", tooLarge);
  }
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
