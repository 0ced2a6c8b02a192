import { respondReplay } from "../../../replay/respond.ts";
import { actorOf } from "../../../trpc/context.ts";
import { wiring } from "../../../wiring.ts";

export const dynamic = "force-dynamic";

export async function POST(request: Request): Promise<Response> {
  const made = wiring();
  return respondReplay(made, () => actorOf(made, request.headers), request);
}
