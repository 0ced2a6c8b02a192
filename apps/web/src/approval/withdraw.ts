/** What waits is taken back by a person, or ends by itself; either is a record. */
import { setTimeout as delay } from "node:timers/promises";
import type { Pool, PoolClient } from "pg";
import type { Logger } from "pino";
import type { Act } from "../person/act.ts";
import type { RecordAct } from "../trail/recorder.ts";
import { inTransaction } from "../transaction.ts";
import { endProposal } from "./propose.ts";
import { lockWaiting } from "./sign.ts";

/** @throws Refusal where it waits no more */
export async function withdraw(
  tx: PoolClient,
  asked: { id: string; reason: string; by: string; now: Date },
): Promise<Act> {
  const { text, subject } = await lockWaiting(tx, asked.id, asked.now);
  await endProposal(tx, asked.id, { state: "withdrawn", reason: asked.reason, by: asked.by });
  return {
    kind: "person.proposal-withdrawn",
    text: `withdrew what waited for signatures: ${text}: ${asked.reason}`.slice(0, 900),
    subject,
    before: { state: "waiting" },
    after: { state: "withdrawn", proposal: asked.id, reason: asked.reason },
  };
}

/** Those whose time is over are ended, one transaction each; answers how many. Several workers may look at once. */
export async function endExpired(pool: Pool, recordConsole: RecordAct): Promise<number> {
  const { rows } = await pool.query<{ id: string }>(
    "SELECT id FROM proposal WHERE state = 'waiting' AND expires <= now() ORDER BY expires LIMIT 100",
  );
  let ended = 0;
  for (const { id } of rows) if (await endOne(pool, recordConsole, id)) ended++;
  return ended;
}

async function endOne(pool: Pool, recordConsole: RecordAct, id: string): Promise<boolean> {
  return inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ text: string; subject: string; expires: Date; signed: string }>(
      `SELECT text, subject, expires, (SELECT count(*) FROM proposal_signature s WHERE s.proposal_id = id) AS signed
         FROM proposal WHERE id = $1 AND state = 'waiting' AND expires <= now() FOR UPDATE SKIP LOCKED`,
      [id],
    );
    const [row] = rows;
    if (row) {
      await endProposal(tx, id, { state: "expired", reason: "not enough had signed in time", by: null });
      await recordConsole(tx, {
        kind: "console.proposal-expired",
        severity: "notice",
        text: `Not enough signed in time: ${row.text}`.slice(0, 900),
        body: {
          subject: row.subject,
          detail: { proposal: id, expires: row.expires.toISOString(), signed: Number(row.signed) },
        },
      });
    }
    return row !== undefined;
  });
}

const LOOK_MS = 30_000;

export async function keepExpired(
  pool: Pool,
  recordConsole: RecordAct,
  log: Pick<Logger, "info" | "warn">,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const ended = await endExpired(pool, recordConsole);
      if (ended > 0) log.info({ ended }, "proposals.expired");
    } catch (error) {
      log.warn({ error: (error as Error).message }, "proposals.failed");
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
