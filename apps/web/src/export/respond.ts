/** GET /api/export/WORKSTATION → a pack, streamed from one snapshot; that someone took it is on the console's trail. */
import type { Pool, PoolClient } from "pg";
import { actRecord, type RecordConsole } from "../person/act.ts";
import { originOf } from "../person/actor.ts";
import { type Bearer, openToken } from "../person/api-token.ts";
import { may } from "../person/role.ts";
import { packTrail } from "./pack.ts";
import { type ExportedTrail, findTrails, queryOf } from "./query.ts";
import type { Slots } from "./slots.ts";
import { streamPack } from "./stream.ts";

/** A client that takes nothing for so long holds a connection for nothing. */
const UNREAD_MS_MAX = 60_000;
const AGAIN_SECONDS = 10;

export type ExportParts = { pool: Pool; recordConsole: RecordConsole; exportSlots: Slots; unreadMsMax?: number };

const refuse = (status: number, error: string): Response =>
  Response.json({ error }, { status, headers: status === 503 ? { "retry-after": String(AGAIN_SECONDS) } : {} });

export async function respondExport(parts: ExportParts, request: Request, workstation: string): Promise<Response> {
  const { pool, exportSlots } = parts;
  if (workstation.includes("\u0000")) return refuse(404, "No workstation's name holds the character U+0000.");
  const opened = await openToken(pool, request.headers.get("authorization"), "export");
  if (!opened.ok) return refuse(opened.status, opened.reason);
  const free = exportSlots.take();
  if (!free) return refuse(503, `Too many exports run at once. Try again in ${AGAIN_SECONDS} seconds.`);
  let client: PoolClient;
  try {
    client = await pool.connect();
  } catch {
    free();
    return refuse(503, `The database does not answer. Try again in ${AGAIN_SECONDS} seconds.`);
  }
  const end = ending(client, free);
  try {
    const asked = await ask(parts, client, opened.bearer, request, workstation);
    if (asked instanceof Response) {
      end();
      return asked;
    }
    const { trail, older } = asked;
    const unreadMsMax = parts.unreadMsMax ?? UNREAD_MS_MAX;
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    // for a process that hangs: its own clock ends an export earlier
    await client.query("SELECT set_config('idle_in_transaction_session_timeout', $1, true)", [`${unreadMsMax * 2}ms`]);
    const chunks = packTrail(queryOf(client), trail, may(opened.bearer.role, "content"), new Date());
    const done = async () => {
      await client.query("COMMIT");
      end();
    };
    return new Response(streamPack({ chunks, done, broken: end, signal: request.signal, unreadMsMax }), {
      headers: {
        "content-type": "application/x-tar",
        "cache-control": "no-store",
        "x-sallyport-trail": trail.id,
        ...(older.length > 0 ? { "x-sallyport-older-trails": older.slice(0, 50).join(",") } : {}),
      },
    });
  } catch (error) {
    end(error as Error);
    throw error;
  }
}

/** With an error the connection is closed: a query may still run on it. */
function ending(client: PoolClient, free: () => void): (error?: Error) => void {
  let ended = false;
  const end = (error?: Error) => {
    if (ended) return;
    ended = true;
    if (!error) client.off("error", end);
    client.release(error);
    free();
  };
  client.on("error", end); // cut while nothing is asked; without a listener the process would end
  return end;
}

/** Which trail is meant, recorded on the connection that will read it: one that waited for a second one while it holds
 *  the first could wait for ever. Records below the size that is recorded do not change any more. */
async function ask(
  { recordConsole }: ExportParts,
  client: PoolClient,
  bearer: Bearer,
  request: Request,
  workstation: string,
): Promise<Response | { trail: ExportedTrail; older: string[] }> {
  const trails = await findTrails(queryOf(client), workstation);
  const wanted = new URL(request.url).searchParams.get("trail");
  const trail = wanted ? trails.find(({ id }) => id === wanted) : trails[0];
  if (!trail)
    return refuse(
      404,
      wanted ? `"${workstation}" has no trail ${wanted}.` : `There is no workstation "${workstation}" with a trail.`,
    );
  if (new Set(trails.map((each) => each.workstation)).size > 1)
    return refuse(409, `Several workstations are called "${workstation}": give the id instead.`);
  const { origin, size } = trail;
  const text = `exported ${size} records of ${origin}`;
  const act = { kind: "person.export", text, subject: origin, after: { size } } as const;
  const record = actRecord(bearer, originOf(request.headers), act);
  record.body.actor.token = bearer.token;
  await client.query("BEGIN");
  await recordConsole(client, record);
  await client.query("COMMIT");
  return { trail, older: trails.filter((each) => each.num < trail.num).map(({ id }) => id) };
}
