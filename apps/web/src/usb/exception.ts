/** Held sticks that ask, and exceptions that answer ↔ Postgres. What is signed is what the record asks for, never what a
 *  page sends. */
import type { Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { readContent } from "@sallyport/shared/record/content.ts";
import { UsbRequestBody } from "@sallyport/shared/record/usb.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { CarriedException } from "@sallyport/shared/usb/exception.ts";
import type { Pool, PoolClient } from "pg";
import { hash } from "../trail/crypto.ts";
import { findRanges, IN_RANGE, readRanges } from "../trail/ranges.ts";
import { Refusal } from "../trpc/errors.ts";

/** A scan's own parts, and its step and decision, stand between it and its request. */
const REACH_RECORDS = 2_048;

export type Asked = {
  /** Of the request's record. */
  index: number;
  request: string;
  files: number;
  reason: string;
  /** The newest exception for just this, whether it has ended or not. */
  given: { notAfter: string; reason: string } | null;
};

type Raw = { index: string; content: Buffer | null };
type Statement = { statement: SignedStatement };

/** What the stick of this scan asked for; nothing where it asked for nothing. */
export async function requestOf(pool: Pool, trail: number, scan: number): Promise<Asked | null> {
  const found = await findRequest(pool, trail, scan);
  if (!found) return null;
  const { body, index, workstation } = found;
  const { rows } = await pool.query<Statement>(
    `SELECT statement FROM workstation_statement
      WHERE workstation_id = $1 AND type = 'exception' ORDER BY "order" DESC LIMIT 256`,
    [workstation],
  );
  const given = rows.map(({ statement }) => read(statement)).find(({ request }) => request === body.request);
  const { request, files, reason } = body;
  return { index, request, files, reason, given: given ? { notAfter: given.notAfter, reason: given.reason } : null };
}

function read({ text, carried }: SignedStatement): { request: string | undefined; notAfter: string; reason: string } {
  const { request, reason } = CarriedException.parse(JSON.parse(carried));
  return { request, reason, notAfter: (JSON.parse(text) as { notAfter: string }).notAfter };
}

type Found = { index: number; workstation: string; body: UsbRequestBody };

/** The next request on the trail that speaks of the same stick. */
async function findRequest(db: Pool | PoolClient, trail: number, scan: number): Promise<Found | undefined> {
  const about = await db.query<{ workstation_id: string | null; source: string | null }>(
    "SELECT workstation_id, source FROM scan WHERE trail = $1 AND index = $2",
    [trail, scan],
  );
  const { workstation_id: workstation, source } = about.rows[0] ?? {};
  if (!workstation || !source) return undefined;
  const rows = await readRanges<Raw>(
    db,
    trail,
    await findRanges(db, trail, scan + 1, scan + 1 + REACH_RECORDS),
    `SELECT r.index, r.content FROM record r WHERE ${IN_RANGE} AND r.kind = 'usb.request'`,
  );
  for (const { index, content } of rows) {
    const said = content && readContent(content);
    const body = said?.ok ? UsbRequestBody.safeParse(said.value.body) : undefined;
    // a stick of several units names its scans after itself
    if (body?.success && (source === body.data.stick || source.startsWith(`${body.data.stick} unit `)))
      return { index: Number(index), workstation, body: body.data };
  }
  return undefined;
}

export type Given = { workstation: string; name: string; stick: string; manifest: string; notAfter: string };

/** Signs and stores the exception; dispatch sends what the rows say. */
export async function makeException(
  tx: PoolClient,
  signer: Signer,
  asked: { trail: number; index: number; hours: number; reason: string; now: Date },
): Promise<Given> {
  const found = await findRequest(tx, asked.trail, asked.index);
  if (!found) throw new Refusal("NOT_FOUND", "The stick of this scan asks for no exception.");
  const { workstation, body } = found;
  const { rows } = await tx.query<{ name: string; state: string; group: string; group_id: string; threshold: number }>(
    `SELECT w.name, w.state, w.group_id, g.name AS "group", g.threshold
       FROM workstation w JOIN "group" g ON g.id = w.group_id WHERE w.id = $1 FOR NO KEY UPDATE OF w`,
    [workstation],
  );
  const at = rows[0];
  if (at?.state !== "enrolled") throw new Refusal("PRECONDITION_FAILED", "The workstation is not enrolled any more.");
  if (at.threshold > 1)
    throw new Refusal(
      "PRECONDITION_FAILED",
      `${at.group} needs ${at.threshold} signatures; the console's key alone is not enough.`,
    );
  const orders = await tx.query<{ order: number }>(
    `SELECT coalesce(max("order"), 0) + 1 AS "order" FROM workstation_statement
      WHERE workstation_id = $1 AND type = 'exception'`,
    [workstation],
  );
  const order = orders.rows[0]!.order;
  const issued = asked.now.toISOString();
  const notAfter = new Date(asked.now.getTime() + asked.hours * 3_600_000).toISOString();
  const carried: CarriedException = {
    workstation: workstation as WorkstationId,
    descriptors: body.descriptors as Sha256,
    manifest: body.manifest as Sha256,
    request: body.request as Sha256,
    reason: asked.reason,
  };
  const head = { type: "exception" as const, audience: { workstation: carried.workstation }, order, issued, notAfter };
  await tx.query(
    `INSERT INTO workstation_statement (workstation_id, type, "order", statement) VALUES ($1, 'exception', $2, $3)`,
    [workstation, order, JSON.stringify(signStatement(hash, [signer], head, carried))],
  );
  await tx.query("SELECT pg_notify('publication', $1)", [at.group_id]);
  return { workstation, name: at.name, stick: body.stick, manifest: body.manifest, notAfter };
}
