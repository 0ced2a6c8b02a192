/** Rows → the retained `desired` message of each workstation of our shards. Driven by rows, not by clicks: woken by a
 *  notification, a workstation that is back, or a timer; looks at everything; does nothing where topic and rows agree. */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type Desired, SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import type { Pool } from "pg";
import type { Logger } from "pino";

/** A change that nobody told us of waits no longer than this. */
const LOOK_MS = 30_000;
/** A fleet is not told all at once: so many messages, then a breath. */
const BURST = 50;
const BREATH_MS = 100;
/** Wakes that come together are one. */
const GATHER_MS = 50;
/** Rows asked for at once. */
const PAGE = 500;

export type DispatchDeps = {
  pool: Pool;
  log: Logger;
  publish(topic: string, text: string, retain: boolean): Promise<void>;
  /** The shards this worker holds. */
  shards(): readonly string[];
};

type Target = { id: WorkstationId; group_id: string; sent: string | null };

export class Dispatch {
  readonly #deps: DispatchDeps;
  /** The broker may have lost theirs: publish whatever the rows say they got. */
  readonly #back = new Set<WorkstationId>();
  #wake: () => void = () => undefined;
  #woken = false;

  constructor(deps: DispatchDeps) {
    this.#deps = deps;
  }

  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  back(workstations: readonly WorkstationId[]): void {
    for (const id of workstations) this.#back.add(id);
    this.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    while (!signal.aborted) {
      this.#woken = false;
      try {
        await this.#look(signal);
      } catch (error) {
        this.#deps.log.warn({ error: (error as Error).message }, "dispatch.failed");
        await delay(1_000, undefined, { signal }).catch(() => undefined);
      }
      if (!this.#woken) await this.#sleep(signal);
      await delay(GATHER_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const timer = setTimeout(() => this.#wake(), LOOK_MS);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    clearTimeout(timer);
  }

  async #look(signal: AbortSignal): Promise<void> {
    let after = "00000000-0000-0000-0000-000000000000";
    const groups = new Map<string, unknown[]>();
    let burst = 0;
    while (!signal.aborted) {
      const targets = await this.#page(after);
      for (const target of targets) {
        if (signal.aborted) return;
        if (!(await this.#tell(target, groups))) continue;
        if (++burst % BURST === 0) await delay(BREATH_MS, undefined, { signal }).catch(() => undefined);
      }
      if (targets.length < PAGE) return;
      after = targets.at(-1)!.id;
    }
  }

  async #page(after: string): Promise<Target[]> {
    const { rows } = await this.#deps.pool.query<Target>(
      `SELECT w.id, w.group_id, d.sent FROM workstation w LEFT JOIN dispatch d ON d.workstation_id = w.id
        WHERE w.state = 'enrolled' AND w.shard = ANY($1::text[]) AND w.id > $2::uuid ORDER BY w.id LIMIT $3`,
      [this.#deps.shards(), after, PAGE],
    );
    return rows;
  }

  /** Whether something was sent. */
  async #tell({ id, group_id, sent }: Target, groups: Map<string, unknown[]>): Promise<boolean> {
    const { pool, log, publish } = this.#deps;
    const ofGroup = groups.get(group_id) ?? (await this.#ofGroup(group_id));
    groups.set(group_id, ofGroup);
    const { rows } = await pool.query<{ statement: unknown }>(
      `SELECT DISTINCT ON (type) statement FROM workstation_statement WHERE workstation_id = $1 AND type <> 'command'
        ORDER BY type DESC, "order" DESC`,
      [id],
    );
    const desired: Desired = { statements: [] };
    for (const statement of [...rows.map((row) => row.statement), ...ofGroup]) {
      const read = SignedStatement.safeParse(statement);
      if (read.success) desired.statements.push(read.data);
      else log.error({ workstation: id }, "statement.unreadable");
    }
    const text = JSON.stringify(desired);
    const digest = createHash("sha256").update(text).digest("hex");
    const isBack = this.#back.delete(id);
    if (desired.statements.length === 0 || (digest === sent && !isBack)) return false;
    try {
      await publish(topic(id, "desired"), text, true);
    } catch (error) {
      if (isBack) this.#back.add(id);
      throw error;
    }
    await pool.query(
      `INSERT INTO dispatch (workstation_id, sent, sent_at) VALUES ($1, $2, now())
       ON CONFLICT (workstation_id) DO UPDATE SET sent = excluded.sent, sent_at = excluded.sent_at`,
      [id, digest],
    );
    log.info({ workstation: id, statements: desired.statements.length, again: digest === sent }, "desired.sent");
    return true;
  }

  /** A group's newest policy, and what overlays it. */
  async #ofGroup(group: string): Promise<unknown[]> {
    const { rows } = await this.#deps.pool.query<{ statement: unknown }>(
      'SELECT statement FROM publication WHERE group_id = $1 ORDER BY "order" DESC LIMIT 1',
      [group],
    );
    return rows.map(({ statement }) => statement);
  }
}
