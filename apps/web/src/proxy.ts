/** Browser → pages. Gives each page a content security policy with a nonce of its own: nothing runs here that we did
 *  not send, and nothing is fetched from another host. An address that no page can read ends here. */
import { type NextRequest, NextResponse } from "next/server";

const NONCE_BYTES = 16;

export function proxy(request: NextRequest): NextResponse {
  const path = new URL(request.url).pathname;
  if (!isReadable(path)) return refuse();
  if (path.startsWith("/api/")) return NextResponse.next();
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(NONCE_BYTES))));
  const policy = contentSecurityPolicy(nonce, process.env.NODE_ENV === "development");
  const headers = new Headers(request.headers);
  headers.set("x-nonce", nonce);
  headers.set("content-security-policy", policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("content-security-policy", policy);
  return response;
}

/** Next itself answers an address that it cannot decode with a failure of its own. */
function isReadable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

const refuse = (): NextResponse =>
  new NextResponse(
    "This address cannot be read: after each % come two hexadecimal digits, together they are UTF-8. Write a % itself as %25.\n",
    { status: 400, headers: { "content-type": "text/plain; charset=utf-8" } },
  );

/** Style attributes are allowed (widths of bars, places of rows); style sheets and scripts only with the nonce. */
const contentSecurityPolicy = (nonce: string, development: boolean): string =>
  [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'strict-dynamic'${development ? " 'unsafe-eval'" : ""}`,
    `style-src 'self' 'nonce-${nonce}'`,
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self'${development ? " ws:" : ""}`,
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");

export const config = {
  matcher: [{ source: "/((?!api/|_next/static|_next/image|icon.svg).*)" }, { source: "/(api/.*%.*)" }],
};
