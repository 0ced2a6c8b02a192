/** Rows of `delivery` → destinations, at least once and in order for each. A look claims what is due; each destination is
 *  then drained by itself, so that a slow one holds up no other, and no connection of the database waits for a receiver.
 *  A claim runs out: what a worker that died had begun, another goes on with, under the same ids. */
import { randomUUID } from "node:crypto";
import { Agent } from "node:https";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { Rounds } from "../dispatch/rounds.ts";
import type { RecordAct } from "../trail/recorder.ts";
import type { Target } from "./destination.ts";
import { messageOf, testMessage } from "./message.ts";
import { waitMs } from "./pace.ts";
import {
  type Asked,
  type Claimed,
  claimDue,
  claimTests,
  giveUpOld,
  keepTest,
  nextWaiting,
  release,
  settleFailed,
  settleSent,
  tellFailing,
} from "./queue.ts";
import type { Seal } from "./seal.ts";
import { AT_ONCE, type Outcome, type SendDeps, send } from "./send.ts";

export type DeliverDeps = SendDeps & {
  pool: Pool;
  log: Pick<Logger, "info" | "warn">;
  seal: Seal;
  recordConsole: RecordAct;
  /** Where people reach the console. */
  consoleUrl: string | undefined;
  /** The first wait after a failure, and how often the rows are looked at. */
  firstMs?: number;
  lookMs?: number;
};

const LOOK_MS = 5_000;
/** What is raised in a burst wakes once. */
const GATHER_MS = 50;
/** What waits may grow faster than it goes: it is looked through again after so many. */
const GIVE_UP_BATCHES = 100;

export class Deliveries {
  readonly #deps: DeliverDeps;
  readonly #rounds: Rounds;
  readonly #running = new Set<Promise<void>>();

  constructor(deps: DeliverDeps) {
    this.#deps = deps;
    this.#rounds = new Rounds(deps.lookMs ?? LOOK_MS, GATHER_MS);
  }

  wake(): void {
    this.#rounds.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pool, log } = this.#deps;
    const failed = ({ message }: Error) => log.warn({ error: message }, "deliveries.failed");
    const look = async () => {
      for (const asked of await claimTests(pool)) this.#start(this.#test(asked, signal));
      for (const due of await claimDue(pool)) this.#start(this.#drain(due, signal));
      await tellFailing(pool);
    };
    await this.#rounds.run(signal, look, failed);
    await Promise.all(this.#running);
  }

  #start(work: Promise<void>): void {
    const done = work.catch(({ message }: Error) => this.#deps.log.warn({ error: message }, "delivery.failed"));
    const kept = done.finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  async #drain(claimed: Claimed, signal: AbortSignal): Promise<void> {
    const { pool, recordConsole, log, seal, consoleUrl } = this.#deps;
    const { id, name } = claimed;
    const agent = oneConnection();
    try {
      for (let batch = 0; !signal.aborted; batch++) {
        if (batch % GIVE_UP_BATCHES === 0) await giveUpOld(pool, recordConsole, claimed);
        const rows = await nextWaiting(pool, id, AT_ONCE[claimed.kind]);
        if (rows.length === 0) break;
        const messages = rows.map((row) => messageOf(row.message, row.alert, consoleUrl));
        const outcome = await this.#attempt(() => seal.open(id, claimed.sealed), messages, signal, agent);
        if (signal.aborted && !outcome.ok) return;
        const ids = rows.map((row) => row.id);
        if (!outcome.ok) {
          const failures = await settleFailed(pool, claimed, ids, outcome, (count) =>
            waitMs(count, Math.random(), outcome.askedMs, this.#deps.firstMs),
          );
          log.warn({ destination: name, failures, reason: outcome.reason }, "delivery.refused");
          break;
        }
        if (!(await settleSent(pool, claimed, ids))) break;
      }
    } finally {
      agent.destroy();
      await release(pool, claimed);
    }
    this.wake(); // for what was queued between the last look and here; whoever failed waits for the next one
  }

  async #test(asked: Asked, signal: AbortSignal): Promise<void> {
    const { pool, seal, consoleUrl, log } = this.#deps;
    const { id, name, sealed } = asked;
    const message = testMessage(randomUUID(), name, new Date(), consoleUrl);
    const agent = oneConnection();
    const outcome = await this.#attempt(() => seal.open(id, sealed), [message], signal, agent);
    agent.destroy();
    await keepTest(pool, asked, outcome.ok ? null : outcome.reason);
    log.info({ destination: name, ok: outcome.ok }, "destination.tested");
  }

  async #attempt(
    open: () => Target,
    messages: Parameters<typeof send>[2],
    signal: AbortSignal,
    agent: Agent,
  ): Promise<Outcome> {
    let target: Target;
    try {
      target = open();
    } catch (error) {
      return { ok: false, reason: (error as Error).message };
    }
    return send(this.#deps, target, messages, signal, agent);
  }
}

const oneConnection = () => new Agent({ keepAlive: true, maxSockets: 1 });
