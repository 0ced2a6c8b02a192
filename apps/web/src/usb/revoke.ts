/** What takes an exception back, and what says no to a request. A revocation is signed by the console's key alone, since it
 *  only takes away; a refusal is a record on the console's trail and nothing more: the stick is held as it was. */
import { Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type SignedStatement, Statement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { PersonAct } from "@sallyport/shared/record/console.ts";
import { readContent } from "@sallyport/shared/record/content.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import {
  CarriedException,
  CarriedRevocation,
  EXCEPTION_HOURS_MAX,
  EXCEPTION_REASON_CHARS_MAX,
} from "@sallyport/shared/usb/exception.ts";
import type { Pool, PoolClient } from "pg";
import { z } from "zod";
import { nextOrder, putStatement } from "../dispatch/sign.ts";
import { type Columns, keyset } from "../keyset.ts";
import type { Act } from "../person/act.ts";
import { hash } from "../trail/crypto.ts";
import { Refusal } from "../trpc/errors.ts";

/** SQL: what names an exception. */
export const DIGEST = (statement: string): string =>
  `encode(sha256(convert_to(${statement} ->> 'text', 'UTF8')), 'hex')`;

const Reason = z.string().trim().min(3, "say in a few words why");
export const Revoking = z.strictObject({ workstation: WorkstationId, exception: Sha256, reason: Reason.max(200) });
export const RefusalReason = Reason.max(EXCEPTION_REASON_CHARS_MAX);

type Row = { statement: SignedStatement; name: string; group: string };

export type Revoked = { workstation: string; name: string; exception: string; until: string; reason: string };

/** @throws Refusal where there is no such exception, it has ended, or it was revoked already */
export async function revokeException(
  tx: PoolClient,
  signer: Signer,
  asked: { workstation: WorkstationId; exception: Sha256; reason: string; now: Date },
): Promise<Revoked> {
  const { workstation, exception, reason, now } = asked;
  await tx.query("SELECT FROM workstation WHERE id = $1 FOR NO KEY UPDATE", [workstation]);
  const { rows } = await tx.query<Row>(
    `SELECT s.statement, w.name, w.group_id AS "group" FROM workstation_statement s JOIN workstation w ON w.id = s.workstation_id
      WHERE s.workstation_id = $1 AND s.type = 'exception' AND ${DIGEST("s.statement")} = $2`,
    [workstation, exception],
  );
  const row = rows[0];
  if (!row) throw new Refusal("NOT_FOUND", "There is no such exception on this workstation.");
  const { notAfter } = Statement.parse(JSON.parse(row.statement.text));
  const until = notAfter!;
  if (Date.parse(until) <= now.getTime()) throw new Refusal("CONFLICT", `It ended by itself at ${until}.`);
  const all = await revocations(tx, [workstation]);
  const same = all.find((each) => each.exception === exception);
  if (same) throw new Refusal("CONFLICT", `It was revoked already, at ${same.at}: ${same.reason}`);
  const before = all.filter((each) => Date.parse(each.until) > now.getTime());
  // a workstation takes none that lasts longer, so one of a month, from before, need not be named for longer
  const last = now.getTime() + EXCEPTION_HOURS_MAX * 3_600_000;
  const revoked = [...before, { exception, until, reason }].map((each) => ({
    ...{ exception: each.exception, reason: each.reason },
    until: new Date(Math.min(Date.parse(each.until), last)).toISOString(),
  }));
  const head = {
    ...{ type: "revocation" as const, audience: { workstation } },
    ...{ order: await nextOrder(tx, workstation, "revocation"), issued: now.toISOString() },
    notAfter: new Date(Math.max(...revoked.map((each) => Date.parse(each.until)))).toISOString(),
  };
  const carried = CarriedRevocation.safeParse({ workstation, revoked });
  if (!carried.success)
    throw new Refusal(
      "PRECONDITION_FAILED",
      `More was revoked on it than one statement can say: ${z.prettifyError(carried.error)}`,
    );
  await putStatement(tx, workstation, signStatement(hash, [signer], head, carried.data));
  await tx.query("SELECT pg_notify('publication', $1)", [row.group]);
  return { workstation, name: row.name, exception, until, reason };
}

export function revokedAct({ workstation, name, exception, until, reason }: Revoked): Act {
  return {
    kind: "person.exception-revoked",
    severity: "warning",
    text: `revoked an exception for a stick on ${name} before its end at ${until}: ${reason}`.slice(0, 900),
    subject: `workstation/${workstation}`,
    before: { exception, until },
    after: { reason },
  };
}

export type Revocation = { exception: string; until: string; reason: string; at: string };

/** Each once, as it was revoked first. */
export async function revocations(
  db: Pick<Pool, "query"> | Pick<PoolClient, "query">,
  workstations: readonly string[],
): Promise<(Revocation & { workstation: string })[]> {
  const { rows } = await db.query<{ workstation: string; carried: string; at: Date }>(
    `SELECT workstation_id AS workstation, statement ->> 'carried' AS carried, created_at AS at FROM workstation_statement
      WHERE workstation_id = ANY($1::uuid[]) AND type = 'revocation' ORDER BY "order"`,
    [workstations],
  );
  const all = new Map<string, Revocation & { workstation: string }>();
  for (const { workstation, carried, at } of rows)
    for (const each of CarriedRevocation.parse(JSON.parse(carried)).revoked) {
      const key = `${workstation} ${each.exception}`;
      if (!all.has(key)) all.set(key, { ...each, workstation, at: at.toISOString() });
    }
  return [...all.values()];
}

export type Standing = {
  workstation: { id: string; name: string };
  exception: string;
  device: string;
  until: string;
  reason: string;
};

/** SQL: it names one stick. One of a model, from before, is let pass by no workstation any more. */
export const NAMES_STICK = (statement: string): string => `(${statement} ->> 'carried')::jsonb ? 'device'`;

/** A command line from before pages reads one alone, so it holds as many as it ever did. */
const PAGE_ROWS_MAX = 1_000;

/** Where a page ends. */
export const Place = z.object({ made: z.iso.datetime(), exception: Sha256 });
export type Place = z.infer<typeof Place>;

const COLUMNS: Columns<keyof Place> = {
  made: { sql: "s.created_at", type: "timestamptz" },
  exception: { sql: DIGEST("s.statement"), type: "text" },
};

type Listed = { id: string; name: string; exception: Sha256; statement: SignedStatement; made: Date };

/** Exceptions that have not ended and are not revoked, the newest first; a page may have fewer, or none, and go on. */
export async function listExceptions(
  pool: Pool,
  now: Date,
  after?: Place,
): Promise<{ rows: Standing[]; next: Place | null }> {
  const { isAfter, order } = keyset(COLUMNS, ["-made", "-exception"], "$2");
  const found = await pool.query<Listed>(
    `SELECT w.id, w.name, ${DIGEST("s.statement")} AS exception, s.statement, s.created_at AS made
       FROM workstation_statement s JOIN workstation w ON w.id = s.workstation_id
      WHERE s.type = 'exception' AND ((s.statement ->> 'text')::jsonb ->> 'notAfter')::timestamptz > $1
        AND ${NAMES_STICK("s.statement")} AND ${isAfter}
      ORDER BY ${order} LIMIT $3`,
    [now, after ? JSON.stringify(after) : null, PAGE_ROWS_MAX + 1],
  );
  const page = found.rows.slice(0, PAGE_ROWS_MAX);
  const last = found.rows.length > PAGE_ROWS_MAX ? page.at(-1) : undefined;
  const gone = await revocations(pool, [...new Set(page.map(({ id }) => id))]);
  const rows = page.flatMap(({ id, name, exception, statement }) => {
    if (gone.some((each) => each.workstation === id && each.exception === exception)) return [];
    const { notAfter } = Statement.parse(JSON.parse(statement.text));
    const { device, reason } = CarriedException.parse(JSON.parse(statement.carried));
    return [{ workstation: { id, name }, exception, device: device!, until: notAfter!, reason }];
  });
  return { rows, next: last ? { made: last.made.toISOString(), exception: last.exception } : null };
}

export const refusedAct = (asked: {
  workstation: string;
  name: string;
  stick: string;
  request: string;
  reason: string;
}): Act => ({
  kind: "person.request-refused",
  text: `refused to let the stick ${asked.stick} pass on ${asked.name}: ${asked.reason}`.slice(0, 900),
  subject: `workstation/${asked.workstation}`,
  after: { request: asked.request, stick: asked.stick, reason: asked.reason },
});

export type Refused = { request: string; at: string; by: string; reason: string };

const After = z.object({ request: z.string(), reason: z.string() });

/** As the console's own trail has it; the newest first. */
export async function refusals(
  db: Pick<Pool, "query"> | Pick<PoolClient, "query">,
  days: number,
): Promise<(Refused & { workstation: string })[]> {
  const { rows } = await db.query<{ time: Date; content: Buffer | null }>(
    `SELECT r.time, r.content FROM record r JOIN trail t ON t.num = r.trail
      WHERE t.workstation_id IS NULL AND r.kind = 'person.request-refused'
        AND r.received > now() - make_interval(days => $1) ORDER BY r.received DESC LIMIT 1000`,
    [days],
  );
  return rows.flatMap(({ time, content }) => {
    const said = content && readContent(content);
    const body = said?.ok ? PersonAct.safeParse(said.value.body) : undefined;
    const after = After.safeParse(body?.data?.after);
    if (!body?.success || !after.success) return [];
    const { actor, subject } = body.data;
    const workstation = subject?.replace(/^workstation\//, "") ?? "";
    return [{ ...after.data, workstation, at: time.toISOString(), by: actor.email ?? actor.id }];
  });
}
