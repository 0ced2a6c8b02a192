import { respondInForce } from "../../../in-force/respond.ts";
import { wiring } from "../../../wiring.ts";

export const dynamic = "force-dynamic";

export const GET = (request: Request): Promise<Response> => respondInForce(wiring(), request);
