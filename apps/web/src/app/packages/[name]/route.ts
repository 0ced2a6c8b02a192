import { servePackage } from "../../../enrol/packages.ts";
import { wiring } from "../../../wiring.ts";

export const dynamic = "force-dynamic";

export async function GET(_request: Request, { params }: { params: Promise<{ name: string }> }): Promise<Response> {
  const { name } = await params;
  return servePackage(wiring().env.SALLYPORT_STATE, name);
}
