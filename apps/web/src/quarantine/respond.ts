/** GET /api/quarantine/ID → the bytes that were kept, as a file; that someone took them is on the console's trail. */
import type { Pool } from "pg";
import { type RecordConsole, withRecord } from "../person/act.ts";
import { type Actor, originOf } from "../person/actor.ts";
import { refuseRole } from "../person/api-token.ts";
import { Refusal } from "../trpc/errors.ts";
import { answered, refuse } from "../trpc/plain.ts";
import { readKept } from "./store.ts";

type Parts = { pool: Pool; recordConsole: RecordConsole };

export const respondKept = answered(
  async (parts: Parts, actor: Actor | undefined, request: Request, untrustedId: string) => {
    const { pool, recordConsole } = parts;
    if (!actor) return refuse(401, "You are signed out. Sign in and try again.");
    const refused = refuseRole(actor.role, "quarantine");
    if (refused) return refused;
    const id = /^[1-9]\d{0,14}$/.test(untrustedId) ? Number(untrustedId) : undefined;
    if (id === undefined) return refuse(404, "There is no such message.");
    const bytes = await withRecord(pool, recordConsole, actor, originOf(request.headers), async (tx) => {
      const kept = await readKept(tx, id);
      if (!kept) throw new Refusal("NOT_FOUND", "It is no longer kept: of a flood only the first and the newest are.");
      const text = `took the bytes of refused message ${id} (${kept.code}, ${kept.topic})`.slice(0, 900);
      return { act: { kind: "person.quarantine-read", text, subject: `quarantine/${id}` }, value: kept.bytes };
    });
    return new Response(new Uint8Array(bytes), {
      headers: {
        // whatever it holds, no browser runs or shows it
        "content-type": "application/octet-stream",
        "content-disposition": `attachment; filename="refused-${id}.bin"`,
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
      },
    });
  },
);
