import { wiring } from "../../../wiring.ts";

export const dynamic = "force-dynamic";

/** For whoever starts or watches the console: 200 once it answers and reaches its database. */
export async function GET(): Promise<Response> {
  try {
    await wiring().pool.query("SELECT 1");
    return Response.json({ ok: true });
  } catch (error) {
    return Response.json(
      { ok: false, reason: error instanceof Error ? error.message : String(error) },
      { status: 503 },
    );
  }
}
