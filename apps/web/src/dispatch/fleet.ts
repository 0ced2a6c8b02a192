/** What the dispatches of retained messages share: a look at all workstations of our shards that are due, page by page,
 *  when woken, when some are back, or when the timer says so. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { Rounds } from "./rounds.ts";

/** Workstations that are due, asked for at once. */
export const PAGE = 500;
const NOBODY = "00000000-0000-0000-0000-000000000000";

export type DispatchDeps = {
  pool: Pool;
  log: Logger;
  publish(topic: string, text: string, retain: boolean): Promise<void>;
  /** The shards this worker holds. */
  shards(): readonly string[];
};

/** One look. `due`: the next of them by id, at most `PAGE`; those that are `back` whatever they got. `tell`: one page. */
export type Look<T> = {
  due(back: readonly WorkstationId[], after: string): Promise<T[]>;
  tell(targets: readonly T[], signal: AbortSignal): Promise<void>;
  done?(): void;
};

export type FleetDispatchParts<T> = {
  /** As the log names what failed: `dispatch`. */
  name: string;
  lookMs: number;
  gatherMs?: number;
  look: () => Look<T>;
};

export class FleetDispatch<T extends { id: WorkstationId }> {
  readonly #log: Logger;
  readonly #parts: FleetDispatchParts<T>;
  /** The broker may have lost theirs: publish whatever the rows say they got. */
  readonly #back = new Set<WorkstationId>();
  readonly #rounds: Rounds;

  constructor({ log }: Pick<DispatchDeps, "log">, parts: FleetDispatchParts<T>) {
    this.#log = log;
    this.#parts = parts;
    this.#rounds = new Rounds(parts.lookMs, parts.gatherMs);
  }

  wake(): void {
    this.#rounds.wake();
  }

  back(workstations: readonly WorkstationId[]): void {
    for (const id of workstations) this.#back.add(id);
    this.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const failed = ({ message }: Error) => this.#log.warn({ error: message }, `${this.#parts.name}.failed`);
    await this.#rounds.run(signal, () => this.#lookOnce(signal), failed);
  }

  async #lookOnce(signal: AbortSignal): Promise<void> {
    const back = [...this.#back];
    this.#back.clear();
    const look = this.#parts.look();
    try {
      for (let after = NOBODY; !signal.aborted; ) {
        const targets = await look.due(back, after);
        if (targets.length > 0) await look.tell(targets, signal);
        if (targets.length < PAGE) break;
        after = targets.at(-1)!.id;
      }
      look.done?.();
    } catch (error) {
      for (const id of back) this.#back.add(id); // perhaps once too often, never once too few
      throw error;
    }
  }
}
