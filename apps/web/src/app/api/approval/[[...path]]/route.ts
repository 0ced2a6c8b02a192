import { respondApproval } from "../../../../approval/respond.ts";
import { wiring } from "../../../../wiring.ts";

export const dynamic = "force-dynamic";

type Asked = { params: Promise<{ path?: string[] }> };
const respond = async (request: Request, { params }: Asked): Promise<Response> =>
  respondApproval(wiring(), request, (await params).path ?? []);

export const GET = respond;
export const POST = respond;
