import { respondException } from "../../../usb/respond.ts";
import { wiring } from "../../../wiring.ts";

export const dynamic = "force-dynamic";

export const GET = (request: Request): Promise<Response> => respondException(wiring(), request);
export const POST = (request: Request): Promise<Response> => respondException(wiring(), request);
