/** One key of the console follows another: workstations are told both, then the console signs with the new one, then they
 *  are told that one alone. Each step is believed by as many as a policy needs, and can be run again. */
import { fromBase64, toBase64 } from "@sallyport/shared/base/bytes.ts";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { CarriedKeys, type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId } from "@sallyport/shared/trail/signed.ts";
import type { Pool, PoolClient } from "pg";
import { nextOrders, readSigners } from "../dispatch/sign.ts";
import { actRecord, type RecordConsole, withRecord } from "../person/act.ts";
import { hash } from "../trail/crypto.ts";
import type { ConsoleKey } from "../trail/key.ts";
import { openTrailOf } from "../trail/recorder.ts";
import { Refusal } from "../trpc/errors.ts";
import { keysSigned } from "./keys.ts";
import { needsPeople, propose, proposedAct } from "./propose.ts";

/** Whoever may read the console's keys on its machine. */
export const HERE = { id: "console-machine", email: "somebody with a shell on the console's machine" };

export type Named = { group: string; name: string; told: number; waiting: string | null };
type Parts = { pool: Pool; record: RecordConsole; signer: ConsoleKey };

const idOf = (key: string) => keyId(hash, fromBase64(key));

/** Tells every workstation which keys are the console's (base64), group by group; whom nothing new is to be told is left
 *  alone. In a group with approvers it waits for them. */
export async function nameKeys({ pool, record, signer }: Parts, keys: readonly string[], now: Date): Promise<Named[]> {
  const { rows } = await pool.query<{ id: string; name: string }>('SELECT id, name FROM "group" ORDER BY name');
  const named: Named[] = [];
  for (const group of rows) {
    const told = await inGroup({ pool, record, signer }, group, keys, now);
    if (told) named.push(told);
  }
  return named;
}

async function inGroup(
  { pool, record, signer }: Parts,
  { id: group, name }: { id: string; name: string },
  keys: readonly string[],
  now: Date,
): Promise<Named | undefined> {
  const waits = await waitingFor(pool, group, keys);
  if (waits) return { group, name, told: 0, waiting: waits };
  if ((await uninformed(pool, group, keys)).length === 0) return undefined;
  const reason = "one key of the console follows another";
  return withRecord<Named>(pool, record, HERE, {}, async (tx) => {
    await tx.query('SELECT FROM "group" WHERE id = $1 FOR UPDATE', [group]);
    const by = (await readSigners(tx, group))!;
    const statements = await draft(tx, signer, await uninformed(tx, group, keys), keys, now);
    const act = { group, name, keys: keys.map(idOf), reason };
    if (!needsPeople(by))
      return {
        act: await keysSigned(tx, { act, statements, now }),
        value: { group, name, told: statements.length, waiting: null },
      };
    const text = `tell ${statements.length} workstations of ${name} that the console's keys are ${act.keys.join(" and ")}`;
    const waiting = await propose(tx, {
      ...{ by, kind: "keys", statements, act, asker: HERE.id, now },
      ...{ text, message: reason, subject: `group/${group}` },
    });
    return {
      act: proposedAct(text, `group/${group}`, waiting, { keys: act.keys }),
      value: { group, name, told: 0, waiting: waiting.id },
    };
  });
}

/** The certificate authorities that a workstation was told of before are named again. */
async function draft(
  tx: PoolClient,
  signer: ConsoleKey,
  workstations: readonly Uninformed[],
  consoleKeys: readonly string[],
  now: Date,
): Promise<SignedStatement[]> {
  const ids = workstations.map(({ id }) => id);
  const orders = await nextOrders(tx, ids, "keys");
  return workstations.map(({ id, newest }, at) => {
    const carried: CarriedKeys = { consoleKeys: [...consoleKeys], cas: newest?.cas ?? [] };
    const head = { type: "keys" as const, audience: { workstation: id }, order: orders[at]! };
    return signStatement(hash, [signer], { ...head, issued: now.toISOString() }, carried);
  });
}

type Uninformed = { id: WorkstationId; newest: CarriedKeys | undefined };

/** Those of the group whose newest statement does not name just these keys. */
async function uninformed(
  db: Pick<PoolClient, "query">,
  group: string,
  keys: readonly string[],
): Promise<Uninformed[]> {
  const { rows } = await db.query<{ id: WorkstationId; carried: string | null }>(
    `SELECT w.id, (SELECT s.statement ->> 'carried' FROM workstation_statement s
                    WHERE s.workstation_id = w.id AND s.type = 'keys' ORDER BY s."order" DESC LIMIT 1) AS carried
       FROM workstation w WHERE w.group_id = $1 AND w.state = 'enrolled' ORDER BY w.id`,
    [group],
  );
  const same = canonicalText(keys);
  return rows
    .map(({ id, carried }) => ({ id, newest: carried === null ? undefined : CarriedKeys.parse(JSON.parse(carried)) }))
    .filter(({ newest }) => !newest || canonicalText(newest.consoleKeys) !== same);
}

async function waitingFor(pool: Pool, group: string, keys: readonly string[]): Promise<string | null> {
  const { rows } = await pool.query<{ id: string }>(
    `SELECT id FROM proposal WHERE group_id = $1 AND kind = 'keys' AND state = 'waiting' AND expires > now()
        AND act -> 'keys' = $2::jsonb LIMIT 1`,
    [group, JSON.stringify(keys.map(idOf))],
  );
  return rows[0]?.id ?? null;
}

export type Standing = { name: string; workstations: number; believe: number };

/** By group, how many workstations say that they believe this key. */
export async function standingOf(pool: Pool, key: string): Promise<Standing[]> {
  const { rows } = await pool.query<{ name: string; workstations: string; believe: string }>(
    `SELECT g.name, count(w.id) AS workstations,
            count(w.id) FILTER (WHERE r.document #> '{signers,keys}' ? $1) AS believe
       FROM "group" g JOIN workstation w ON w.group_id = g.id AND w.state = 'enrolled'
       LEFT JOIN reported r ON r.workstation_id = w.id GROUP BY g.name ORDER BY g.name`,
    [idOf(key)],
  );
  return rows.map(({ name, workstations, believe }) => ({
    ...{ name, workstations: Number(workstations), believe: Number(believe) },
  }));
}

/** The key that the rows name is lost, and nothing can be signed with it: they name this one, and a trail of its own begins
 *  under it. Workstations that were never told of it do not believe it, and are enrolled anew. */
export async function adoptKey({ pool, record, signer }: Parts): Promise<number> {
  const key = toBase64(signer.publicKey);
  return withRecord(pool, record, HERE, {}, async (tx) => {
    await openTrailOf(tx, signer);
    const { rowCount } = await tx.query(
      "UPDATE group_key SET public_key = $1, key_id = $2 WHERE role = 'console' AND public_key <> $1",
      [key, idOf(key)],
    );
    const act = {
      kind: "person.console-key-adopted" as const,
      severity: "critical" as const,
      text: `took ${idOf(key)} for the console's key in ${rowCount ?? 0} groups, without the one before: who was never told of it enrols anew`,
      subject: "console",
      after: { key: idOf(key) },
    };
    return { act, value: rowCount ?? 0 };
  });
}

/** From the commit on the rows name the next key, and the console's own trail goes on in a new one under it. The old key's
 *  last act is to say so. @throws Refusal where workstations would not believe the next key, unless `force` */
export async function switchKey(
  { pool, record, signer }: Parts,
  next: ConsoleKey,
  nextRecord: RecordConsole,
  force: boolean,
): Promise<Standing[]> {
  const [from, to] = [toBase64(signer.publicKey), toBase64(next.publicKey)];
  const standing = await standingOf(pool, to);
  const late = standing.filter(({ workstations, believe }) => believe < workstations);
  if (late.length > 0 && !force)
    throw new Refusal(
      "PRECONDITION_FAILED",
      `Not all workstations say that they believe the next key: ${late.map(({ name, workstations, believe }) => `${name} ${believe} of ${workstations}`).join(", ")}. Those that are away learn of it when they are back; --force goes on without them.`,
    );
  const detail = { from: idOf(from), to: idOf(to), late: late.map(({ name }) => name) };
  const said = (then: string) => ({
    kind: "person.console-key-switched" as const,
    severity: "warning" as const,
    text: `switched the console's key from ${detail.from} to ${detail.to}: ${then}`,
    subject: "console",
    before: { key: detail.from },
    after: { key: detail.to, late: detail.late },
  });
  await withRecord(pool, nextRecord, HERE, {}, async (tx) => {
    await record(tx, actRecord(HERE, {}, said("this trail ends, and the next one is under the new key")));
    await openTrailOf(tx, next);
    await tx.query("UPDATE group_key SET public_key = $2, key_id = $3 WHERE role = 'console' AND public_key = $1", [
      from,
      to,
      detail.to,
    ]);
    return { act: said("this trail goes on from the one under the old key"), value: undefined };
  });
  return standing;
}
