import { respondArtifact } from "../../../../artifact/respond.ts";
import { actorOf } from "../../../../trpc/context.ts";
import { wiring } from "../../../../wiring.ts";

export const dynamic = "force-dynamic";

type Asked = { params: Promise<{ path?: string[] }> };
async function respond(request: Request, { params }: Asked): Promise<Response> {
  const made = wiring();
  return respondArtifact(made, () => actorOf(made, request.headers), request, (await params).path ?? []);
}

export const GET = respond;
export const POST = respond;
export const DELETE = respond;
