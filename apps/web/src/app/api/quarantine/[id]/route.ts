import { respondKept } from "../../../../quarantine/respond.ts";
import { actorOf } from "../../../../trpc/context.ts";
import { wiring } from "../../../../wiring.ts";

export const dynamic = "force-dynamic";

export async function GET(request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  const made = wiring();
  return respondKept(made, await actorOf(made, request.headers), request, (await params).id);
}
