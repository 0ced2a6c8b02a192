import { respondCommand } from "../../../command/respond.ts";
import { wiring } from "../../../wiring.ts";

export const dynamic = "force-dynamic";

export const GET = (request: Request): Promise<Response> => respondCommand(wiring(), request);
export const POST = (request: Request): Promise<Response> => respondCommand(wiring(), request);
