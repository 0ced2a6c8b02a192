import { wiring } from "../../../wiring.ts";

export const dynamic = "force-dynamic";

/** For whoever starts or watches the console: 200 once it answers and reaches its database. */
export async function GET(): Promise<Response> {
  try {
    await wiring().pool.query("SELECT 1");
    return Response.json({ ok: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error); // names hosts and roles: for the log alone
    console.error(JSON.stringify({ event: "health.database", reason }));
    return Response.json({ ok: false }, { status: 503 });
  }
}
