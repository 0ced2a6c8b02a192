/** What came and did not verify → kept (bounded), counted as an alert, shown. */
import type { ClientBase } from "pg";
import { codeWords } from "../quarantine/words.ts";
import { hash } from "../trail/crypto.ts";
import type { Refused } from "./judge.ts";
import { projectedText } from "./prepare.ts";
import type { Alert } from "./project.ts";

/** Of what was refused, so much is kept. */
const BYTES_KEPT_MAX = 64 * 1024;
/** Of a flood the first and the newest rows. */
const ROWS_KEPT_EACH = 100;
/** Of one sender within a minute, so many messages and so much of them are kept; the others are counted. Fewer than
 *  ROWS_KEPT_EACH, so that a minute's are all there to be counted. */
const ROWS_MINUTE_MAX = 60;
const BYTES_MINUTE_MAX = 1024 * 1024;
/** Of one statement: four megabytes at most. */
const INSERT_ROWS_MAX = 64;
const SIZE_MAX = 2 ** 31 - 1;
/** The same message again is counted at the first one for as long: a sender, a broker, or a worker that did not hear that its
 *  commit was done brings it twice, and two workers may read one shard while it goes from one to the other. */
const SAME_MINUTES = 10;

type Sender = string | null;
const senderOf = ({ workstation }: Refused): Sender => workstation ?? null;

export async function keepRefused(
  tx: ClientBase,
  refused: readonly Refused[],
  clones: readonly string[],
): Promise<Alert[]> {
  if (refused.length === 0) return [];
  const bySender = Map.groupBy(refused, senderOf);
  const { kept, more } = share(once(refused), await keptLately(tx, [...bySender.keys()]));
  await forget(tx, kept);
  for (let at = 0; at < kept.length; at += INSERT_ROWS_MAX) await insert(tx, kept.slice(at, at + INSERT_ROWS_MAX));
  for (const each of more) await count(tx, each);
  for (const sender of bySender.keys()) await prune(tx, sender);
  for (const workstation of clones)
    await tx.query(
      `UPDATE workstation SET state = 'quarantined', state_reason = 'two machines use its key: re-enrol the true one'
        WHERE id = $1 AND state = 'enrolled'`,
      [workstation],
    );
  return refused.map(alertOf);
}

/** `again`: how many more there were of the same; by `digest` it is known. */
type Came = Refused & { again: number; digest: Buffer };

/** What differs by more than when it came. Pure. */
export function once(refused: readonly Refused[]): Came[] {
  const found = new Map<string, Came>();
  for (const each of refused) {
    const { workstation, topic, code, bytes } = each;
    const said = Buffer.from(`${JSON.stringify([workstation ?? null, topic, code])}\n`);
    const digest = Buffer.from(hash(Buffer.concat([said, hash(bytes)])));
    const key = digest.toString("hex");
    found.set(key, { ...each, digest, again: (found.get(key)?.again ?? -1) + 1 });
  }
  return [...found.values()];
}

export type Room = { rows: number; bytes: number };
export type More = { last: Refused; count: number; size: number };

/** Which of these are kept whole, and how many more there were of each sender and reason. Pure. `lately`: what each
 *  sender has had kept within the minute. */
export function share<T extends Refused & { again?: number }>(
  refused: readonly T[],
  lately: ReadonlyMap<Sender, Room>,
): { kept: T[]; more: More[] } {
  const used = new Map<Sender, Room>();
  const kept: T[] = [];
  const more = new Map<string, More>();
  for (const each of refused) {
    const sender = senderOf(each);
    const { rows, bytes } = used.get(sender) ?? lately.get(sender) ?? { rows: 0, bytes: 0 };
    const size = Math.min(each.bytes.length, BYTES_KEPT_MAX);
    if (rows < ROWS_MINUTE_MAX && bytes + size <= BYTES_MINUTE_MAX) {
      used.set(sender, { rows: rows + 1, bytes: bytes + size });
      kept.push(each);
      continue;
    }
    const key = `${sender}/${each.code}`;
    const before = more.get(key) ?? { count: 0, size: 0 };
    const times = 1 + (each.again ?? 0);
    more.set(key, { last: each, count: before.count + times, size: before.size + times * each.bytes.length });
  }
  return { kept, more: [...more.values()] };
}

/** Whose it is, the sender being the first value: none is one too. The index finds both. */
const ofSender = (sender: Sender): string =>
  sender === null ? "workstation_id IS NULL AND $1::uuid IS NULL" : "workstation_id = $1::uuid";

async function keptLately(tx: ClientBase, senders: Sender[]): Promise<Map<Sender, Room>> {
  const { rows } = await tx.query<{ sender: Sender; rows: string; bytes: string }>(
    `SELECT workstation_id AS sender, count(*) AS rows, sum(octet_length(bytes)) AS bytes FROM quarantine
      WHERE received > now() - interval '1 minute' AND more = 0
        AND (workstation_id = ANY($1::uuid[]) OR workstation_id IS NULL)
      GROUP BY workstation_id`,
    [senders.filter((sender) => sender !== null)],
  );
  return new Map(rows.map(({ sender, rows, bytes }) => [sender, { rows: Number(rows), bytes: Number(bytes) }]));
}

/** What is the same as one of long ago is a new one. */
async function forget(tx: ClientBase, kept: readonly Came[]): Promise<void> {
  await tx.query(
    `UPDATE quarantine SET digest = NULL
      WHERE digest = ANY($1::bytea[]) AND received < now() - interval '${SAME_MINUTES} minutes'`,
    [kept.map(({ digest }) => digest)],
  );
}

async function insert(tx: ClientBase, kept: readonly Came[]): Promise<void> {
  await tx.query(
    `INSERT INTO quarantine (workstation_id, topic, code, reason, size, bytes, again, digest)
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bytea[], $7::int[], $8::bytea[])
     ON CONFLICT (digest) DO UPDATE SET again = quarantine.again + excluded.again + 1`,
    [
      kept.map(senderOf),
      kept.map(({ topic }) => projectedText(topic)),
      kept.map(({ code }) => code),
      kept.map(({ reason }) => projectedText(reason)),
      kept.map(({ bytes }) => bytes.length),
      kept.map(({ bytes }) => Buffer.from(bytes.subarray(0, BYTES_KEPT_MAX))),
      kept.map(({ again }) => again),
      kept.map(({ digest }) => digest),
    ],
  );
}

/** One row a minute stands for all that were not kept, and says how many. */
async function count(tx: ClientBase, { last, count, size }: More): Promise<void> {
  const { code, topic, reason } = last;
  const sender = senderOf(last);
  await tx.query(
    `WITH counted AS (
       UPDATE quarantine SET more = more + $3::int, size = least(size::bigint + $4::bigint, ${SIZE_MAX}), topic = $5::text,
              reason = 'and ' || (more + $3::int) || ' more within a minute, refused and not kept; the last: ' || $6::text
        WHERE id = (SELECT max(id) FROM quarantine WHERE ${ofSender(sender)} AND code = $2::text AND more > 0
                       AND received > now() - interval '1 minute')
       RETURNING 1)
     INSERT INTO quarantine (workstation_id, code, more, size, topic, reason, bytes)
     SELECT $1::uuid, $2::text, $3::int, least($4::bigint, ${SIZE_MAX}), $5::text,
            'and ' || $3::int || ' more within a minute, refused and not kept; the last: ' || $6::text, ''
      WHERE NOT EXISTS (SELECT 1 FROM counted)`,
    [sender, code, count, size, projectedText(topic), projectedText(reason)],
  );
}

async function prune(tx: ClientBase, sender: Sender): Promise<void> {
  await tx.query(
    `DELETE FROM quarantine WHERE id IN (
       SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS first, row_number() OVER (ORDER BY id DESC) AS last
                         FROM quarantine WHERE ${ofSender(sender)}) ranked
        WHERE first > $2 AND last > $2)`,
    [sender, ROWS_KEPT_EACH],
  );
}

function alertOf({ code, workstation, topic, reason }: Refused): Alert {
  const day = new Date().toISOString().slice(0, 10);
  const key = `refused/${workstation ?? "unknown"}/${code}/${day}`;
  const severity = code === "clone" || code === "fork" ? "critical" : "error";
  const kind = code === "fork" || code === "clone" ? "trail.fork" : "ingest.refused";
  return {
    key,
    kind,
    severity,
    title: codeWords(code),
    reason: `${reason} (${topic})`,
    workstation: workstation ?? null,
    trail: null,
    index: null,
  };
}
