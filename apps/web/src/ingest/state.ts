/** Presence and reported state → rows. Both are states, not events: only the newest of each workstation waits. */
import { setTimeout as delay } from "node:timers/promises";
import { fromUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { REPORTED_CHARS_MAX, Reported } from "@sallyport/shared/state/reported.ts";
import { isSignedBy, readJson, readSigned } from "@sallyport/shared/trail/signed.ts";
import { PRESENCE_BYTES_MAX, Presence } from "@sallyport/shared/wire/presence.ts";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { verify } from "../trail/crypto.ts";
import type { Refused } from "./judge.ts";

/** A fleet that comes back at once is answered in slices. */
const PACE_MS = 50;
const SLICE_MAX = 200;
const SKEW_MS_MAX = 2 ** 31 - 1;

export type StateDeps = {
  pool: Pool;
  log: Logger;
  now: () => number;
  /** These are online: answer where they stand and give them what they should have. */
  back(workstations: WorkstationId[]): Promise<void>;
  refuse(refused: Refused): void;
};

type Report = { bytes: Uint8Array; topic: string; receivedMs: number; retained: boolean };

export class States {
  readonly #deps: StateDeps;
  readonly #presences = new Map<WorkstationId, Presence>();
  readonly #reports = new Map<WorkstationId, Report>();
  #wake: () => void = () => undefined;

  constructor(deps: StateDeps) {
    this.#deps = deps;
  }

  presence(workstation: WorkstationId, topic: string, bytes: Uint8Array): void {
    if (bytes.length === 0) return; // a retained message that was cleared
    const read = readPresence(bytes);
    if (!read.ok) {
      this.#deps.refuse({ code: "malformed", workstation, topic, reason: read.error, bytes });
      return;
    }
    const waiting = this.#presences.get(workstation);
    const isLate = waiting && read.value.state === "offline" && waiting.session !== read.value.session;
    if (!isLate) this.#presences.set(workstation, read.value);
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
      try {
        await this.#storePresences(slice(this.#presences));
        for (const [workstation, report] of slice(this.#reports)) await this.#tryReport(workstation, report);
      } catch (error) {
        // retained on the broker: it comes again with the next connection, and agents repeat it
        this.#deps.log.warn({ error: (error as Error).message }, "state.failed");
      }
      await delay(PACE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** A will of another session than the newest online one is late and changes nothing. */
  async #storePresences(presences: [WorkstationId, Presence][]): Promise<void> {
    if (presences.length === 0) return;
    const sorted = presences.sort(([a], [b]) => (a < b ? -1 : 1));
    await this.#deps.pool.query(
      `UPDATE workstation w SET presence_session = v.session, presence_state = v.state, presence_at = v.at,
              agent_version = v.version
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[]) AS v (id, session, state, at, version)
        WHERE w.id = v.id AND (v.state = 'online' OR w.presence_session = v.session)`,
      [
        sorted.map(([id]) => id),
        sorted.map(([, { session }]) => session),
        sorted.map(([, { state }]) => state),
        sorted.map(([, { at }]) => at),
        sorted.map(([, { agentVersion }]) => agentVersion.replaceAll("\u0000", "\u2400")),
      ],
    );
    const online = sorted.filter(([, { state }]) => state === "online").map(([id]) => id);
    if (online.length > 0) await this.#deps.back(online);
  }

  async #tryReport(workstation: WorkstationId, report: Report): Promise<void> {
    try {
      await this.#storeReport(workstation, report);
    } catch (error) {
      this.#deps.log.warn({ workstation, error: (error as Error).message }, "report.failed");
    }
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
    if (before.success && before.data.trail.id === report.trail.id && before.data.trail.size > report.trail.size)
      return; // an older one, played again
    await pool.query(
      `INSERT INTO reported (workstation_id, at, received_at, document) VALUES ($1, $2, $3, $4::jsonb)
       ON CONFLICT (workstation_id) DO UPDATE SET at = excluded.at, received_at = excluded.received_at, document = excluded.document`,
      [workstation, report.at, new Date(receivedMs), jsonbText(report)],
    );
    if (!retained) {
      const skew = Math.round(receivedMs - Date.parse(report.at));
      await pool.query("UPDATE workstation SET skew_ms = $2, hostname = $3 WHERE id = $1", [
        workstation,
        Math.max(-SKEW_MS_MAX, Math.min(SKEW_MS_MAX, skew)),
        report.hostname.replaceAll("\u0000", "\u2400"),
      ]);
    }
    await pool.query("SELECT pg_notify('reported', $1)", [workstation]);
  }
}

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
  return presence.success
    ? { ok: true, value: presence.data }
    : { ok: false, error: `the presence: ${presence.error.issues[0]?.message ?? "not as it should be"}` };
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
  return { ok: true, value };
}

function readText(untrusted: Uint8Array, charactersMax: number): Read<unknown> {
  try {
    return readJson(fromUtf8(untrusted), charactersMax);
  } catch {
    return { ok: false, error: "not UTF-8" };
  }
}
