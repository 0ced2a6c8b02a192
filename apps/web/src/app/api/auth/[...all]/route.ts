import { AUTH_PATHS } from "../../../../person/auth.ts";
import { refuseForeign } from "../../../../trpc/foreign.ts";
import { refuseNul } from "../../../../trpc/nul.ts";
import { wiring } from "../../../../wiring.ts";

async function handler(request: Request): Promise<Response> {
  const path = new URL(request.url).pathname.slice("/api/auth".length);
  if (!AUTH_PATHS.has(path)) return Response.json({ message: "There is nothing here." }, { status: 404 });
  return refuseForeign(request) ?? (await refuseNul(request)) ?? wiring().auth.handler(request);
}

export { handler as GET, handler as POST };
