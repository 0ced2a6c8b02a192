/** GET /api/export/WORKSTATION → a pack, made while it is read; that someone took it is on the console's trail. No
 *  connection is held between two chunks, however slow the reader is. */
import type { Pool } from "pg";
import { actRecord, type RecordConsole } from "../person/act.ts";
import { originOf } from "../person/actor.ts";
import { type Bearer, openToken } from "../person/api-token.ts";
import { may } from "../person/role.ts";
import { inTransaction } from "../transaction.ts";
import { answered, refuse } from "../trpc/plain.ts";
import { packTrail } from "./pack.ts";
import { type ExportedTrail, findTrails } from "./query.ts";
import type { Slots } from "./slots.ts";
import { streamPack } from "./stream.ts";

/** A client that takes nothing for so long holds a place for nothing. */
const UNREAD_MS_MAX = 60_000;
const AGAIN_SECONDS = 10;

export type ExportParts = { pool: Pool; recordConsole: RecordConsole; exportSlots: Slots; unreadMsMax?: number };

export const respondExport = answered(async (parts: ExportParts, request: Request, workstation: string) => {
  const { pool, exportSlots } = parts;
  if (workstation.includes("\u0000")) return refuse(404, "No workstation's name holds the character U+0000.");
  const opened = await openToken(pool, request.headers.get("authorization"), "export");
  if (!opened.ok) return refuse(opened.status, opened.reason);
  const free = exportSlots.take();
  if (!free) return refuse(503, `Too many exports run at once. Try again in ${AGAIN_SECONDS} seconds.`, AGAIN_SECONDS);
  try {
    const asked = await ask(parts, opened.bearer, request, workstation);
    if (asked instanceof Response) {
      free();
      return asked;
    }
    const { trail, older } = asked;
    const unreadMsMax = parts.unreadMsMax ?? UNREAD_MS_MAX;
    const chunks = packTrail(pool, trail, may(opened.bearer.role, "content"), new Date());
    return new Response(streamPack({ chunks, ended: free, signal: request.signal, unreadMsMax }), {
      headers: {
        "content-type": "application/x-tar",
        "cache-control": "no-store",
        "x-sallyport-trail": trail.id,
        ...(older.length > 0 ? { "x-sallyport-older-trails": older.slice(0, 50).join(",") } : {}),
      },
    });
  } catch (error) {
    free();
    throw error;
  }
});

/** Which trail is meant; recorded before a byte of it is given. Records below the size that is recorded do not change any
 *  more. */
async function ask(
  { pool, recordConsole }: ExportParts,
  bearer: Bearer,
  request: Request,
  workstation: string,
): Promise<Response | { trail: ExportedTrail; older: string[] }> {
  const trails = await findTrails(pool, workstation);
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
  await inTransaction(pool, (tx) => recordConsole(tx, record));
  return { trail, older: trails.filter((each) => each.num < trail.num).map(({ id }) => id) };
}
