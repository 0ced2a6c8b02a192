/** Rows → the `command` topic of each workstation of our shards. Not retained: one that is away hears it when it is back,
 *  since what is not answered is sent again until it has run out. Woken by a notification or a timer. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { Rounds } from "./rounds.ts";

export type CommandDispatchDeps = {
  pool: Pool;
  log: Logger;
  publish(topic: string, text: string, retain: boolean): Promise<void>;
  shards(): readonly string[];
};

type Sent = { id: string; order: string; workstation: WorkstationId; statement: unknown };

/** What was not answered is sent again this often. */
const LOOK_MS = 10_000;
/** Read at once. In order, so that a later one never overtakes one before it; and all of them in each round, so that none waits
 *  behind those that go to workstations which are away. */
const AT_ONCE = 500;
const NIL = "00000000-0000-0000-0000-000000000000";
/** A workstation that took it in time may still be on its way to say so. */
const GRACE_SECONDS = 600;

export class CommandDispatch {
  readonly #deps: CommandDispatchDeps;
  readonly #rounds = new Rounds(LOOK_MS);

  constructor(deps: CommandDispatchDeps) {
    this.#deps = deps;
  }

  wake(): void {
    this.#rounds.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const failed = ({ message }: Error) => this.#deps.log.warn({ error: message }, "commands.failed");
    await this.#rounds.run(signal, () => this.#look(signal), failed);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { pool, publish, shards } = this.#deps;
    await pool.query(
      `UPDATE command SET standing = 'expired',
              state = jsonb_build_object('state', 'expired', 'by', 'console',
                                         'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
        WHERE standing = 'sent' AND not_after < now() - make_interval(secs => $1)`,
      [GRACE_SECONDS],
    );
    let [order, last] = ["-1", NIL];
    for (;;) {
      const { rows } = await pool.query<Sent>(
        `SELECT c.id, c."order", c.workstation_id AS workstation, c.statement
           FROM command c JOIN workstation w ON w.id = c.workstation_id
          WHERE c.standing = 'sent' AND c.not_after > now() AND w.state = 'enrolled' AND w.shard = ANY($1::text[])
            AND (c."order", c.id) > ($2, $3)
          ORDER BY c."order", c.id LIMIT ${AT_ONCE}`,
        [shards(), order, last],
      );
      for (const { id, workstation, statement } of rows) {
        if (signal.aborted) return;
        await publish(topic(workstation, "command"), JSON.stringify(statement), false);
        this.#deps.log.info({ workstation, command: id }, "command.sent");
      }
      if (rows.length < AT_ONCE) return;
      ({ order, id: last } = rows.at(-1)!);
    }
  }
}
