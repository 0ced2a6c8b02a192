/** GET /api/export/WORKSTATION → a pack, streamed from one snapshot; that someone took it is on the console's trail. */
import type { Pool } from "pg";
import { actRecord, type RecordConsole } from "../person/act.ts";
import { originOf } from "../person/actor.ts";
import { openToken } from "../person/api-token.ts";
import { may } from "../person/role.ts";
import { packTrail } from "./pack.ts";
import { findTrails, queryOf } from "./query.ts";

export type ExportParts = { pool: Pool; recordConsole: RecordConsole };

const refuse = (status: number, error: string): Response => Response.json({ error }, { status });

export async function respondExport(parts: ExportParts, request: Request, workstation: string): Promise<Response> {
  const { pool, recordConsole } = parts;
  const opened = await openToken(pool, request.headers.get("authorization"), "export");
  if (!opened.ok) return refuse(opened.status, opened.reason);
  const client = await pool.connect();
  let released = false;
  const release = async (error?: Error) => {
    if (released) return;
    released = true;
    await client.query("COMMIT").catch(() => undefined);
    client.release(error);
  };
  try {
    const query = queryOf(client);
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const trails = await findTrails(query, workstation);
    const wanted = new URL(request.url).searchParams.get("trail");
    const trail = wanted ? trails.find(({ id }) => id === wanted) : trails[0];
    if (!trail) {
      await release();
      return refuse(
        404,
        wanted ? `"${workstation}" has no trail ${wanted}.` : `There is no workstation "${workstation}" with a trail.`,
      );
    }
    if (new Set(trails.map((each) => each.workstation)).size > 1) {
      await release();
      return refuse(409, `Several workstations are called "${workstation}": give the id instead.`);
    }
    await record(pool, recordConsole, opened.bearer, request, trail.origin, trail.size);
    const chunks = packTrail(query, trail, may(opened.bearer.role, "content"), new Date());
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (!done) return controller.enqueue(value);
          controller.close();
          await release();
        } catch (error) {
          controller.error(error);
          await release(error as Error);
        }
      },
      cancel: () => release(),
    });
    const older = trails.filter((each) => each.num < trail.num).map(({ id }) => id);
    return new Response(body, {
      headers: {
        "content-type": "application/x-tar",
        "cache-control": "no-store",
        "x-sallyport-trail": trail.id,
        ...(older.length > 0 ? { "x-sallyport-older-trails": older.slice(0, 50).join(",") } : {}),
      },
    });
  } catch (error) {
    await release(error as Error);
    throw error;
  }
}

async function record(
  pool: Pool,
  recordConsole: RecordConsole,
  bearer: { id: string; email: string; token: string },
  request: Request,
  origin: string,
  size: number,
): Promise<void> {
  const act = {
    kind: "person.export",
    text: `exported ${size} records of ${origin}`,
    subject: origin,
    after: { size },
  } as const;
  const record = actRecord(bearer, originOf(request.headers), act);
  record.body.actor.token = bearer.token;
  const tx = await pool.connect();
  try {
    await tx.query("BEGIN");
    await recordConsole(tx, record);
    await tx.query("COMMIT");
  } catch (error) {
    await tx.query("ROLLBACK").catch(() => undefined);
    throw error;
  } finally {
    tx.release();
  }
}
