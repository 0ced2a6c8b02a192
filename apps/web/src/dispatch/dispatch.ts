/** Rows → the retained `desired` message of each workstation of our shards. Driven by rows, not by clicks: woken by a
 *  notification, a workstation that is back, or a timer; looks at everything, in as many queries for
 *  one workstation as for thousands; does nothing where topic and rows agree. */
import { setTimeout as delay } from "node:timers/promises";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type Desired, SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { addPolicies, due, noteSent, policyKey, type Target } from "./due.ts";
import { Rounds } from "./rounds.ts";

/** A change that nobody told us of waits no longer than this. */
const LOOK_MS = 30_000;
/** A fleet is not told all at once: so many messages, then a breath. */
const BURST = 50;
const BREATH_MS = 100;
/** Wakes that come together are one. */
const GATHER_MS = 50;
/** Workstations that are due, asked for at once. */
const PAGE = 500;
const NOBODY = "00000000-0000-0000-0000-000000000000";

export type DispatchDeps = {
  pool: Pool;
  log: Logger;
  publish(topic: string, text: string, retain: boolean): Promise<void>;
  /** The shards this worker holds. */
  shards(): readonly string[];
};

export class Dispatch {
  readonly #deps: DispatchDeps;
  /** The broker may have lost theirs: publish whatever the rows say they got. */
  readonly #back = new Set<WorkstationId>();
  readonly #rounds = new Rounds(LOOK_MS, GATHER_MS);

  constructor(deps: DispatchDeps) {
    this.#deps = deps;
  }

  wake(): void {
    this.#rounds.wake();
  }

  back(workstations: readonly WorkstationId[]): void {
    for (const id of workstations) this.#back.add(id);
    this.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const failed = ({ message }: Error) => this.#deps.log.warn({ error: message }, "dispatch.failed");
    await this.#rounds.run(signal, () => this.#look(signal), failed);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const back = [...this.#back];
    this.#back.clear();
    const policies = new Map<string, unknown>();
    try {
      for (let after = NOBODY; !signal.aborted; ) {
        const targets = await due(this.#deps.pool, { shards: this.#deps.shards(), back, after, limit: PAGE });
        await addPolicies(this.#deps.pool, targets, policies);
        for (let at = 0; at < targets.length && !signal.aborted; at += BURST) {
          await this.#tellAll(targets.slice(at, at + BURST), policies);
          await delay(BREATH_MS, undefined, { signal }).catch(() => undefined);
        }
        if (targets.length < PAGE) return;
        after = targets.at(-1)!.id;
      }
    } catch (error) {
      for (const id of back) this.#back.add(id); // perhaps once too often, never once too few
      throw error;
    }
  }

  /** What was sent is noted in one go, also where the broker stopped taking in the middle. */
  async #tellAll(targets: readonly Target[], policies: ReadonlyMap<string, unknown>): Promise<void> {
    const sent: Target[] = [];
    try {
      for (const target of targets) {
        const desired = this.#desired(target, policies);
        if (desired.statements.length === 0) continue;
        await this.#deps.publish(topic(target.id, "desired"), JSON.stringify(desired), true);
        sent.push(target);
      }
    } finally {
      if (sent.length > 0) await noteSent(this.#deps.pool, sent);
      for (const { id, basis, sent: before } of sent)
        this.#deps.log.info({ workstation: id, again: basis === before }, "desired.sent");
    }
  }

  #desired(target: Target, policies: ReadonlyMap<string, unknown>): Desired {
    const policy = target.policy === null ? [] : [policies.get(policyKey(target.group_id, target.policy))];
    const desired: Desired = { statements: [] };
    for (const statement of [...target.own, ...policy]) {
      const read = SignedStatement.safeParse(statement);
      if (read.success) desired.statements.push(read.data);
      else this.#deps.log.error({ workstation: target.id }, "statement.unreadable");
    }
    return desired;
  }
}
