import { respondDeny } from "../../../deny/respond.ts";
import { wiring } from "../../../wiring.ts";

export const dynamic = "force-dynamic";

export const GET = (request: Request): Promise<Response> => respondDeny(wiring(), request);
export const POST = (request: Request): Promise<Response> => respondDeny(wiring(), request);
