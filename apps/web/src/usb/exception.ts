/** Held sticks that ask, and exceptions that answer ↔ Postgres. What is signed is what the record asks for, never what a
 *  page sends. */
import type { Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Statement as Read, type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { readContent } from "@sallyport/shared/record/content.ts";
import { UsbRequestBody } from "@sallyport/shared/record/usb.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { CarriedException, EXCEPTION_HOURS_MAX, handsOver, type WholeImage } from "@sallyport/shared/usb/exception.ts";
import type { Pool, PoolClient } from "pg";
import { z } from "zod";
import type { Carrying } from "../approval/carrying.ts";
import { needsPeople, propose, proposedAct, type Waiting } from "../approval/propose.ts";
import { nextOrder, putStatement, readSigners } from "../dispatch/sign.ts";
import type { Act } from "../person/act.ts";
import { hash } from "../trail/crypto.ts";
import { findRanges, IN_RANGE, readRanges } from "../trail/ranges.ts";
import { Refusal } from "../trpc/errors.ts";
import { DIGEST, NAMES_STICK, refusals, refusedAct, revocations } from "./revoke.ts";

/** A scan's own parts, and its step and decision, stand between it and its request. */
const REACH_RECORDS = 2_048;

export type Asked = {
  /** Of the request's record. */
  index: number;
  request: string;
  files: number;
  reason: string;
  /** The images themselves, where the guest would get them; nothing where it would get a copy of the files. */
  images: WholeImage[] | null;
  workstation: string;
  /** The newest exception for just this, whether it has ended or not. */
  given: { exception: string; notAfter: string; reason: string; revoked: { at: string; reason: string } | null } | null;
  /** Somebody said no, after the newest exception if there was one. */
  refused: { at: string; by: string; reason: string } | null;
  /** Somebody would let it pass, and people have been asked to sign; `id` is what waits for them. */
  signing: { id: string; until: string } | null;
};

type Raw = { index: string; content: Buffer | null };
type Statement = { statement: SignedStatement; exception: string; at: Date };

const REFUSED_DAYS = 62;
/** A message to a workstation holds no more. */
const STANDING_MAX = 32;

/** What the stick of this scan asked for; nothing where it asked for nothing. */
export async function requestOf(pool: Pool, trail: number, scan: number): Promise<Asked | null> {
  const found = await findRequest(pool, trail, scan);
  if (!found) return null;
  const { body, index, workstation } = found;
  const { rows } = await pool.query<Statement>(
    `SELECT statement, ${DIGEST("statement")} AS exception, created_at AS at FROM workstation_statement
      WHERE workstation_id = $1 AND type = 'exception' ORDER BY "order" DESC LIMIT 256`,
    [workstation],
  );
  const given = rows
    .map(({ statement, ...row }) => ({ ...row, ...read(statement) }))
    .find(({ request }) => request === body.request);
  const gone = given && (await revocations(pool, [workstation])).find(({ exception }) => exception === given.exception);
  const refused = (await refusals(pool, REFUSED_DAYS)).find(
    (each) => each.workstation === workstation && each.request === body.request,
  );
  const signing = await pool.query<{ id: string; until: string }>(
    `SELECT id, act ->> 'notAfter' AS until FROM proposal
      WHERE kind = 'exception' AND state = 'waiting' AND expires > now()
        AND act ->> 'workstation' = $1 AND act ->> 'request' = $2 ORDER BY expires DESC LIMIT 1`,
    [workstation, body.request],
  );
  const isRefused = refused && (!given || Date.parse(refused.at) > given.at.getTime());
  const { request, files, reason, images = null } = body;
  return {
    index,
    request,
    files,
    reason,
    images: images as WholeImage[] | null,
    workstation,
    given: given
      ? {
          ...{ exception: given.exception, notAfter: given.notAfter, reason: given.reason },
          revoked: gone ? { at: gone.at, reason: gone.reason } : null,
        }
      : null,
    refused: isRefused ? { at: refused.at, by: refused.by, reason: refused.reason } : null,
    signing: signing.rows[0] ?? null,
  };
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

export type Given = {
  workstation: string;
  name: string;
  stick: string;
  manifest: string;
  /** The `usb.request` that it answers; absent in what was asked for before this was kept. */
  request?: string | undefined;
  /** As it was signed, in words; absent likewise. */
  handsOver?: string | undefined;
  notAfter: string;
  reason: string;
  /** It does not hold yet: people must sign first. */
  waiting?: Waiting;
};

const Prepared = z.object({
  workstation: z.string(),
  name: z.string(),
  stick: z.string(),
  manifest: z.string(),
  request: z.string().optional(),
  handsOver: z.string().optional(),
  notAfter: z.string(),
  reason: z.string(),
});

/** Signs and stores the exception; dispatch sends what the rows say. */
export async function makeException(
  tx: PoolClient,
  signer: Signer,
  asked: { trail: number; index: number; hours: number; reason: string; by: string; now: Date },
): Promise<Given> {
  const found = await findRequest(tx, asked.trail, asked.index);
  if (!found) throw new Refusal("NOT_FOUND", "The stick of this scan asks for no exception.");
  const { body } = found;
  if (body.device === undefined)
    throw new Refusal(
      "PRECONDITION_FAILED",
      "This request names a model and not one stick: it is from an older agent. Upgrade the agent and plug the stick in again.",
    );
  const workstation = found.workstation as WorkstationId;
  const { name, group } = await lockEnrolled(tx, workstation);
  const standing = await standingOf(tx, workstation, asked.now);
  if (standing >= STANDING_MAX)
    throw new Refusal(
      "PRECONDITION_FAILED",
      `${standing} exceptions stand on ${name}, and it takes no more at once. Revoke one of them, or let policy allow what they are for.`,
    );
  const order = await nextOrder(tx, workstation, "exception");
  const issued = asked.now.toISOString();
  const notAfter = new Date(asked.now.getTime() + asked.hours * 3_600_000).toISOString();
  const carried: CarriedException = {
    workstation,
    descriptors: body.descriptors as Sha256,
    device: body.device,
    manifest: body.manifest as Sha256,
    ...(body.images && { images: body.images as WholeImage[] }),
    request: body.request as Sha256,
    reason: asked.reason,
  };
  const head = { type: "exception" as const, audience: { workstation }, order, issued, notAfter };
  const statement = signStatement(hash, [signer], head, carried);
  const given: Given = {
    ...{ workstation, name, stick: body.stick, manifest: body.manifest, request: body.request },
    ...{ handsOver: handsOver(carried), notAfter, reason: asked.reason },
  };
  const by = (await readSigners(tx, group))!;
  if (!needsPeople(by)) {
    await put(tx, workstation, group, statement);
    return given;
  }
  const waiting = await propose(tx, {
    ...{ by, kind: "exception", statements: [statement], act: given, asker: asked.by, now: asked.now },
    ...{ text: `let a stick pass on ${name} until ${notAfter}`, message: asked.reason },
    ...{ subject: `workstation/${workstation}`, expires: new Date(notAfter) },
  });
  return { ...given, waiting };
}

async function standingOf(tx: PoolClient, workstation: string, now: Date): Promise<number> {
  const { rows } = await tx.query<{ exception: string }>(
    `SELECT ${DIGEST("statement")} AS exception FROM workstation_statement
      WHERE workstation_id = $1 AND type = 'exception' AND ((statement ->> 'text')::jsonb ->> 'notAfter')::timestamptz > $2
        AND ${NAMES_STICK("statement")}`,
    [workstation, now],
  );
  const gone = new Set((await revocations(tx, [workstation])).map(({ exception }) => exception));
  return rows.filter(({ exception }) => !gone.has(exception)).length;
}

/** Somebody says no to what the stick of this scan asks for. */
export async function refuseRequest(
  tx: PoolClient,
  asked: { trail: number; index: number; reason: string },
): Promise<Act> {
  const found = await findRequest(tx, asked.trail, asked.index);
  if (!found) throw new Refusal("NOT_FOUND", "The stick of this scan asks for no exception.");
  const { rows } = await tx.query<{ name: string }>("SELECT name FROM workstation WHERE id = $1", [found.workstation]);
  const { stick, request } = found.body;
  const { workstation } = found;
  return refusedAct({ workstation, name: rows[0]?.name ?? workstation, stick, request, reason: asked.reason });
}

async function lockEnrolled(tx: PoolClient, workstation: string): Promise<{ name: string; group: string }> {
  const { rows } = await tx.query<{ name: string; state: string; group: string }>(
    'SELECT name, state, group_id AS "group" FROM workstation WHERE id = $1 FOR NO KEY UPDATE',
    [workstation],
  );
  if (rows[0]?.state !== "enrolled")
    throw new Refusal("PRECONDITION_FAILED", "The workstation is not enrolled any more.");
  return rows[0];
}

async function put(tx: PoolClient, workstation: string, group: string, statement: SignedStatement): Promise<void> {
  await putStatement(tx, workstation, statement);
  await tx.query("SELECT pg_notify('publication', $1)", [group]);
}

const isShort = (issued: string, notAfter: string | undefined): boolean =>
  notAfter !== undefined && Date.parse(notAfter) - Date.parse(issued) <= EXCEPTION_HOURS_MAX * 3_600_000;

/** Enough people have signed it. @throws Refusal where another one came before it */
export async function exceptSigned(tx: PoolClient, { act, statements }: Carrying): Promise<Act> {
  const given = Prepared.parse(act);
  const { group } = await lockEnrolled(tx, given.workstation);
  const statement = statements[0]!;
  const { order, issued, notAfter } = Read.parse(JSON.parse(statement.text));
  const { device } = CarriedException.parse(JSON.parse(statement.carried));
  if (device === undefined || !isShort(issued, notAfter))
    throw new Refusal(
      "PRECONDITION_FAILED",
      "It was prepared by an older console, for a model of sticks or for more than seven days, and its workstation would refuse it: plug the stick in again and ask anew.",
    );
  const { rowCount } = await tx.query(
    `SELECT FROM workstation_statement WHERE workstation_id = $1 AND type = 'exception' AND "order" >= $2 LIMIT 1`,
    [given.workstation, order],
  );
  if (rowCount !== 0)
    throw new Refusal("CONFLICT", "A later exception was made on this workstation first: ask for this one again.");
  await put(tx, given.workstation, group, statement);
  return exceptedAct(given);
}

export function exceptedAct({ waiting, ...given }: Given): Act {
  const { workstation, name, stick, manifest, notAfter, reason } = given;
  const subject = `workstation/${workstation}`;
  const over = given.handsOver === undefined ? {} : { handsOver: given.handsOver };
  const after = { stick, manifest, ...over, notAfter, reason };
  const text = `a stick on ${name} until ${notAfter}: ${reason}${given.handsOver ? `; handed over is ${given.handsOver}` : ""}`;
  if (waiting) return proposedAct(`an exception for ${text}`, subject, waiting, after);
  return { kind: "person.exception-made", text: `made an exception for ${text}`.slice(0, 900), subject, after };
}
