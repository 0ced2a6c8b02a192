import { respondExport } from "../../../../export/respond.ts";
import { wiring } from "../../../../wiring.ts";

export const dynamic = "force-dynamic";

export async function GET(
  request: Request,
  { params }: { params: Promise<{ workstation: string }> },
): Promise<Response> {
  const { workstation } = await params; // decoded already
  return respondExport(wiring(), request, workstation);
}
