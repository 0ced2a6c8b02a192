/** Presence and reported state → rows. Both are states, not events: only the newest of each workstation waits. */
import { setTimeout as delay } from "node:timers/promises";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Reported } from "@sallyport/shared/state/reported.ts";
import type { Presence } from "@sallyport/shared/wire/presence.ts";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { isRowsFault } from "./fault.ts";
import type { Refused } from "./judge.ts";
import { readPresence, readReported } from "./state-read.ts";

/** A fleet that comes back at once is answered in slices. */
const PACE_MS = 50;
const SLICE_MAX = 200;
const SKEW_MS_MAX = 2 ** 31 - 1;
/** After the database failed. */
const RETRY_MS = 1_000;

export type StateDeps = {
  pool: Pool;
  log: Logger;
  now: () => number;
  /** These are online: answer where they stand and give them what they should have. */
  back(workstations: WorkstationId[]): Promise<void>;
  /** Resolves when there is room for more. */
  refuse(refused: Refused): Promise<void>;
};

type Said = { presence: Presence; topic: string; bytes: Uint8Array };
type Report = { bytes: Uint8Array; topic: string; receivedMs: number; retained: boolean };

export class States {
  readonly #deps: StateDeps;
  readonly #presences = new Map<WorkstationId, Said>();
  readonly #reports = new Map<WorkstationId, Report>();
  #wake: () => void = () => undefined;

  constructor(deps: StateDeps) {
    this.#deps = deps;
  }

  async presence(workstation: WorkstationId, topic: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return; // a retained message that was cleared
    const read = readPresence(bytes);
    if (!read.ok) {
      await this.#deps.refuse({ code: "malformed", workstation, topic, reason: read.error, bytes });
      return;
    }
    const waiting = this.#presences.get(workstation)?.presence;
    if (!waiting || !isLate(read.value, waiting))
      this.#presences.set(workstation, { presence: read.value, topic, bytes });
    this.#wake();
  }

  reported(workstation: WorkstationId, topic: string, bytes: Uint8Array, retained: boolean): void {
    if (bytes.length === 0) return;
    this.#reports.set(workstation, { bytes, topic, receivedMs: this.#deps.now(), retained });
    this.#wake();
  }

  #something(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    while (!signal.aborted) {
      if (this.#presences.size + this.#reports.size === 0) await this.#something();
      const stored = [await this.#tryPresences(), await this.#tryReports()];
      await delay(stored.every(Boolean) ? PACE_MS : RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** What was not stored waits again, unless something newer does. */
  async #tryPresences(): Promise<boolean> {
    const some = new Map(slice(this.#presences));
    try {
      await this.#storePresences(some);
      return true;
    } catch (error) {
      for (const [workstation, said] of some) {
        const newer = this.#presences.get(workstation)?.presence;
        if (!newer || isLate(newer, said.presence)) this.#presences.set(workstation, said);
      }
      this.#deps.log.warn({ error: (error as Error).message }, "state.failed");
      return false;
    }
  }

  /** One row that the database refuses takes none with it. */
  async #tryReports(): Promise<boolean> {
    const some = slice(this.#reports).sort(([a], [b]) => (a < b ? -1 : 1));
    try {
      await this.#storeReports(some);
      return true;
    } catch (error) {
      if (!isRowsFault(error)) return this.#again(some, error as Error);
      for (const [at, each] of some.entries()) {
        try {
          await this.#storeReports([each]);
        } catch (fault) {
          if (!isRowsFault(fault)) return this.#again(some.slice(at), fault as Error);
          this.#deps.log.warn({ workstation: each[0], error: (fault as Error).message }, "report.failed");
          await this.#refuseRow(each[0], each[1], fault as Error);
        }
      }
      return true;
    }
  }

  #again(some: readonly [WorkstationId, Report][], { message }: Error): false {
    this.#deps.log.warn({ reports: some.length, error: message }, "report.failed");
    for (const [id, left] of some) if (!this.#reports.has(id)) this.#reports.set(id, left);
    return false;
  }

  async #refuseRow(
    workstation: WorkstationId,
    { topic, bytes }: { topic: string; bytes: Uint8Array },
    error: Error,
  ): Promise<void> {
    await this.#deps.refuse({
      code: "store",
      workstation,
      topic,
      reason: `the database refused it: ${error.message}`,
      bytes,
    });
  }

  /** One row that the database refuses takes none with it, and is left out of `said`. */
  async #storePresences(said: Map<WorkstationId, Said>): Promise<void> {
    if (said.size === 0) return;
    const sorted = [...said].sort(([a], [b]) => (a < b ? -1 : 1));
    const update = async (some: readonly [WorkstationId, Said][]) => {
      const known = await this.#updatePresences(some);
      for (const [id, { topic, bytes }] of some.filter(([id]) => !known.has(id))) {
        said.delete(id);
        const reason = "no such workstation is enrolled";
        await this.#deps.refuse({ code: "unknown", workstation: id, topic, reason, bytes });
      }
    };
    try {
      await update(sorted);
    } catch (error) {
      if (!isRowsFault(error)) throw error;
      for (const each of sorted) {
        try {
          await update([each]);
        } catch (fault) {
          if (!isRowsFault(fault)) throw fault;
          said.delete(each[0]);
          await this.#refuseRow(each[0], each[1], fault as Error);
        }
      }
    }
    const online = [...said].filter(([, { presence }]) => presence.state === "online").map(([id]) => id);
    if (online.length > 0) await this.#deps.back(online);
  }

  /** A will of another session than the newest online one is late and changes nothing. Answers who of them is known. */
  async #updatePresences(said: readonly [WorkstationId, Said][]): Promise<Set<WorkstationId>> {
    const { rows } = await this.#deps.pool.query<{ id: WorkstationId }>(
      `WITH updated AS (
       UPDATE workstation w SET presence_session = v.session, presence_state = v.state, presence_at = v.at
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) AS v (id, session, state, at)
        WHERE w.id = v.id AND (v.state = 'online' OR w.presence_session = v.session))
       SELECT id FROM workstation WHERE id = ANY($1::uuid[])`,
      [
        said.map(([id]) => id),
        said.map(([, { presence }]) => presence.session),
        said.map(([, { presence }]) => presence.state),
        said.map(([, { presence }]) => presence.at),
      ],
    );
    return new Set(rows.map(({ id }) => id));
  }

  /** In as many queries for one as for a slice: a fleet answers what is blocked everywhere at once. */
  async #storeReports(some: readonly [WorkstationId, Report][]): Promise<void> {
    if (some.length === 0) return;
    const { pool, refuse } = this.#deps;
    const { rows } = await pool.query<{ id: WorkstationId; trail_key: Buffer; document: unknown }>(
      `SELECT w.id, w.trail_key, r.document FROM workstation w LEFT JOIN reported r ON r.workstation_id = w.id
        WHERE w.id = ANY($1::uuid[]) AND w.state <> 'revoked'`,
      [some.map(([id]) => id)],
    );
    const known = new Map(rows.map((row) => [row.id, row]));
    const refused: Refused[] = [];
    const taken: { id: WorkstationId; report: Reported; receivedMs: number; retained: boolean }[] = [];
    for (const [workstation, { bytes, topic, receivedMs, retained }] of some) {
      const row = known.get(workstation);
      if (!row) {
        refused.push({ code: "unknown", workstation, topic, reason: "no such workstation is enrolled", bytes });
        continue;
      }
      const read = readReported(workstation, row.trail_key, bytes);
      if (!read.ok) {
        refused.push({ code: "malformed", workstation, topic, reason: read.error, bytes });
        continue;
      }
      const before = Reported.safeParse(row.document);
      // played again: shown as what is so now, it would hide drift
      if (before.success && (await this.#isOlder(read.value, before.data))) continue;
      taken.push({ id: workstation, report: read.value, receivedMs, retained });
    }
    if (taken.length > 0) await this.#write(taken);
    for (const each of refused) await refuse(each);
  }

  async #write(
    taken: readonly { id: WorkstationId; report: Reported; receivedMs: number; retained: boolean }[],
  ): Promise<void> {
    const { pool } = this.#deps;
    const ids = taken.map(({ id }) => id);
    await pool.query(
      `INSERT INTO reported (workstation_id, at, received_at, document)
       SELECT id, at, received, document::jsonb
         FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::text[]) AS v (id, at, received, document)
       ON CONFLICT (workstation_id) DO UPDATE SET at = excluded.at, received_at = excluded.received_at, document = excluded.document`,
      [
        ids,
        taken.map(({ report }) => report.at),
        taken.map(({ receivedMs }) => new Date(receivedMs)),
        taken.map(({ report }) => jsonbText(report)),
      ],
    );
    const fresh = taken.filter(({ retained }) => !retained);
    if (fresh.length > 0)
      await pool.query(
        `UPDATE workstation w SET skew_ms = v.skew, hostname = v.hostname, agent_version = v.version
           FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[]) AS v (id, skew, hostname, version) WHERE w.id = v.id`,
        [
          fresh.map(({ id }) => id),
          fresh.map(({ report, receivedMs }) => {
            const skew = Math.round(receivedMs - Date.parse(report.at));
            return Math.max(-SKEW_MS_MAX, Math.min(SKEW_MS_MAX, skew));
          }),
          fresh.map(({ report }) => report.hostname.replaceAll("\u0000", "\u2400")),
          fresh.map(({ report }) => report.agentVersion.replaceAll("\u0000", "\u2400")),
        ],
      );
    await pool.query("SELECT pg_notify('reported', id::text) FROM unnest($1::uuid[]) AS id", [ids]);
  }

  /** Both are signed by the workstation; a broker can still say an old one again. */
  async #isOlder(report: Reported, before: Reported): Promise<boolean> {
    if (report.trail.id === before.trail.id) {
      if (report.trail.size !== before.trail.size) return report.trail.size < before.trail.size;
      return Date.parse(report.at) <= Date.parse(before.at);
    }
    const { rows } = await this.#deps.pool.query("SELECT 1 FROM trail WHERE id = $1 AND state <> 'open'", [
      report.trail.id,
    ]);
    return rows.length > 0;
  }
}

/** The will of a session that a newer one has taken over from. */
const isLate = (said: Presence, waiting: Presence): boolean =>
  said.state === "offline" && waiting.session !== said.session;

/** jsonb refuses U+0000 and lone surrogates, which JSON.stringify spells as escapes. */
const jsonbText = (value: unknown): string =>
  JSON.stringify(value).replace(/\\u(?:0000|d[89a-f][0-9a-f]{2})/g, "\\ufffd");

function slice<V>(map: Map<WorkstationId, V>): [WorkstationId, V][] {
  const some = [...map].slice(0, SLICE_MAX);
  for (const [key] of some) map.delete(key);
  return some;
}
