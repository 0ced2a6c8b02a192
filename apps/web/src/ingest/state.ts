/** Presence and reported state → rows. Both are states, not events: only the newest of each workstation waits. */
import { setTimeout as delay } from "node:timers/promises";
import { fromUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { readJson } from "@sallyport/shared/base/json.ts";
import { REPORTED_CHARS_MAX, Reported } from "@sallyport/shared/state/reported.ts";
import { isSignedBy, readSigned } from "@sallyport/shared/trail/signed.ts";
import { PRESENCE_BYTES_MAX, Presence } from "@sallyport/shared/wire/presence.ts";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { verify } from "../trail/crypto.ts";
import { isRowsFault } from "./fault.ts";
import type { Refused } from "./judge.ts";

/** A fleet that comes back at once is answered in slices. */
const PACE_MS = 50;
const SLICE_MAX = 200;
const SKEW_MS_MAX = 2 ** 31 - 1;
/** What a machine says of its own time, where the database and the pages can follow. */
const TIME_MIN = "1970-01-01T00:00:00Z";
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

  async #tryReports(): Promise<boolean> {
    const some = slice(this.#reports);
    for (const [at, [workstation, report]] of some.entries()) {
      try {
        await this.#storeReport(workstation, report);
      } catch (error) {
        this.#deps.log.warn({ workstation, error: (error as Error).message }, "report.failed");
        if (isRowsFault(error)) {
          await this.#refuseRow(workstation, report, error as Error);
          continue;
        }
        for (const [id, left] of some.slice(at)) if (!this.#reports.has(id)) this.#reports.set(id, left);
        return false;
      }
    }
    return true;
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

  async #storeReport(workstation: WorkstationId, { bytes, topic, receivedMs, retained }: Report): Promise<void> {
    const { pool, refuse } = this.#deps;
    const { rows } = await pool.query<{ trail_key: Buffer; document: unknown }>(
      `SELECT w.trail_key, r.document FROM workstation w LEFT JOIN reported r ON r.workstation_id = w.id
        WHERE w.id = $1 AND w.state <> 'revoked'`,
      [workstation],
    );
    const known = rows[0];
    if (!known)
      return refuse({ code: "unknown", workstation, topic, reason: "no such workstation is enrolled", bytes });
    const read = readReported(workstation, known.trail_key, bytes);
    if (!read.ok) return refuse({ code: "malformed", workstation, topic, reason: read.error, bytes });
    const report = read.value;
    const before = Reported.safeParse(known.document);
    if (before.success && (await this.#isOlder(report, before.data))) return; // played again: shown as what is so now, it would hide drift
    await pool.query(
      `INSERT INTO reported (workstation_id, at, received_at, document) VALUES ($1, $2, $3, $4::jsonb)
       ON CONFLICT (workstation_id) DO UPDATE SET at = excluded.at, received_at = excluded.received_at, document = excluded.document`,
      [workstation, report.at, new Date(receivedMs), jsonbText(report)],
    );
    if (!retained) {
      const skew = Math.round(receivedMs - Date.parse(report.at));
      await pool.query("UPDATE workstation SET skew_ms = $2, hostname = $3, agent_version = $4 WHERE id = $1", [
        workstation,
        Math.max(-SKEW_MS_MAX, Math.min(SKEW_MS_MAX, skew)),
        report.hostname.replaceAll("\u0000", "\u2400"),
        report.agentVersion.replaceAll("\u0000", "\u2400"),
      ]);
    }
    await pool.query("SELECT pg_notify('reported', $1)", [workstation]);
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

type Read<T> = { ok: true; value: T } | { ok: false; error: string };

export function readPresence(untrusted: Uint8Array): Read<Presence> {
  if (untrusted.length > PRESENCE_BYTES_MAX)
    return { ok: false, error: `a presence of ${untrusted.length} bytes; at most ${PRESENCE_BYTES_MAX}` };
  const json = readText(untrusted, PRESENCE_BYTES_MAX);
  if (!json.ok) return { ok: false, error: `the presence: ${json.error}` };
  const presence = Presence.safeParse(json.value);
  if (!presence.success)
    return { ok: false, error: `the presence: ${presence.error.issues[0]?.message ?? "not as it should be"}` };
  const fault = timeFault(presence.data.at);
  return fault ? { ok: false, error: `the presence: ${fault}` } : { ok: true, value: presence.data };
}

export function readReported(workstation: WorkstationId, trailKey: Uint8Array, untrusted: Uint8Array): Read<Reported> {
  const json = readText(untrusted, REPORTED_CHARS_MAX * 2);
  if (!json.ok) return { ok: false, error: `the report: ${json.error}` };
  const read = readSigned(Reported, json.value);
  if (!read.ok) return { ok: false, error: `the report: ${read.error}` };
  const { signed, value } = read.value;
  if (!isSignedBy(verify, trailKey, "sallyport/reported/1", signed))
    return { ok: false, error: "the report is not signed by the workstation's key" };
  if (value.workstation !== workstation) return { ok: false, error: `the report is of ${value.workstation}` };
  const fault = timeFault(value.at);
  if (fault) return { ok: false, error: `the report: ${fault}` };
  return { ok: true, value };
}

/** A time is written with four digits of year: none is after 9999. */
const timeFault = (at: string): string | undefined =>
  Date.parse(at) >= Date.parse(TIME_MIN) ? undefined : `it says it is of ${at}, before 1970`;

function readText(untrusted: Uint8Array, charactersMax: number): Read<unknown> {
  try {
    return readJson(fromUtf8(untrusted), charactersMax);
  } catch {
    return { ok: false, error: "not UTF-8" };
  }
}
