/** MQTT → Postgres: batches wait in order, go in as groups, one transaction each, and are answered after its commit.
 *  `receive` does not resolve while too much waits: the broker then holds the rest, or drops it, and agents send again. */
import { setTimeout as delay } from "node:timers/promises";
import type { TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { EMPTY_EDGE } from "@sallyport/shared/trail/tree.ts";
import type { Pool } from "pg";
import type { Logger } from "pino";
import { commit, Stale } from "./commit.ts";
import { reuse } from "./copy.ts";
import { isRowsFault } from "./fault.ts";
import { type Answer, type Judged, judge, type Known, type Offer, type Refused } from "./judge.ts";
import { listPartitions, openPartitions, type Partition, place } from "./partitions.ts";
import { prepare, type Unreadable } from "./prepare.ts";
import { coalesce, type Publish, sendReceipts } from "./receipts.ts";
import { loadTrail, storedLeaves, type TrailMemory } from "./trails.ts";

/** What may wait: batches are read while the group before them is committed. */
const RECORDS_WAITING_MAX = 16_384;
const BYTES_WAITING_MAX = 32 * 1024 * 1024;
/** One transaction's worth; larger ones gain nothing and hold locks longer. */
const RECORDS_GROUP_MAX = 8_192;
/** What comes together is committed together; a lone record waits no longer than this. */
const LINGER_MS = 2;
/** Trails whose unfinished tiles stay in memory (at most some 85 kB each). */
const TRAILS_MAX = 1_000;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;
const STALE_MAX = 5;

export type Deps = {
  pool: Pool;
  signer: Signer;
  publish: Publish;
  log: Logger;
  now: () => number;
  /** Why the clock is not to be believed just now, in words; nothing while it is. */
  clockDoubt?: () => string | undefined;
};

type Waiting = { offer: Offer } | { unreadable: Refused; answer: Answer | undefined };

export class Ingest {
  readonly #deps: Deps;
  readonly #trails = new Map<TrailId, TrailMemory>();
  #partitions: Partition[] = [];
  #waiting: Waiting[] = [];
  #records = 0;
  #bytes = 0;
  #room: (() => void)[] = [];
  #wake: () => void = () => undefined;
  #busy = false;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** A message on a workstation's `batch` topic. */
  async receive(workstation: WorkstationId, topic: string, bytes: Uint8Array): Promise<void> {
    const prepared = prepare(workstation, bytes);
    this.#bytes += bytes.length;
    if (prepared.ok) {
      this.#records += prepared.value.header.count;
      this.#waiting.push({ offer: { ...prepared.value, topic } });
    } else {
      this.#records++;
      this.#waiting.push({
        unreadable: { ...prepared.error, workstation, topic, bytes },
        answer: answerTo(workstation, prepared.error),
      });
    }
    this.#wake();
    await this.#untilRoom();
  }

  /** What was refused before it could be a batch: waits for room as a batch does. */
  async refuse(refused: Refused): Promise<void> {
    this.#records++;
    this.#bytes += refused.bytes.length;
    this.#waiting.push({ unreadable: refused, answer: undefined });
    this.#wake();
    await this.#untilRoom();
  }

  async #untilRoom(): Promise<void> {
    while (this.#records > RECORDS_WAITING_MAX || this.#bytes > BYTES_WAITING_MAX)
      await new Promise<void>((resolve) => this.#room.push(resolve));
  }

  /** Nothing waits and nothing is under way. */
  isIdle(): boolean {
    return this.#waiting.length === 0 && !this.#busy;
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    while (!signal.aborted || this.#waiting.length > 0) {
      if (this.#waiting.length === 0) await this.#something();
      if (this.#records < RECORDS_GROUP_MAX && !signal.aborted) await delay(LINGER_MS);
      this.#busy = true;
      const group = this.#take();
      if (group.length > 0) await this.#insist(group, signal);
      for (const each of group) if ("offer" in each) reuse(each.offer.rows); // in, or given up: nobody asks for them again
      this.#busy = false;
    }
  }

  #something(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #take(): Waiting[] {
    let records = 0;
    let count = 0;
    while (count < this.#waiting.length && records < RECORDS_GROUP_MAX) {
      const next = this.#waiting[count++]!;
      records += "offer" in next ? next.offer.header.count : 1;
    }
    const group = this.#waiting.splice(0, count);
    this.#records -= records;
    for (const each of group) this.#bytes -= "offer" in each ? each.offer.bytes.length : each.unreadable.bytes.length;
    for (const resolve of this.#room.splice(0)) resolve();
    return group;
  }

  /** Until the group is in. A database that is away is waited for; rows that it refuses are found one by one. */
  async #insist(group: readonly Waiting[], signal: AbortSignal): Promise<void> {
    let wait = RETRY_MS_MIN;
    for (let stale = 0; ; ) {
      try {
        return await this.#settle(group);
      } catch (error) {
        this.#trails.clear();
        this.#partitions = [];
        if (error instanceof Stale && stale++ < STALE_MAX) continue;
        if (isRowsFault(error)) return await this.#apart(group, error as Error, signal);
        this.#deps.log.warn({ error: (error as Error).message, batches: group.length, wait }, "ingest.retry");
        if (signal.aborted) return; // nobody was told it is safe: agents send it again
        await delay(wait, undefined, { signal }).catch(() => undefined);
        wait = Math.min(wait * 2, RETRY_MS_MAX);
      }
    }
  }

  async #apart(group: readonly Waiting[], error: Error, signal: AbortSignal): Promise<void> {
    if (group.length > 1) {
      for (const each of group) await this.#insist([each], signal);
      return;
    }
    const [only] = group;
    if (!only || !("offer" in only)) {
      this.#deps.log.error({ error: error.message }, "quarantine.failed");
      return;
    }
    const { workstation, topic, bytes, header } = only.offer;
    const reason = `the database refused it: ${error.message}`;
    this.#deps.log.error({ workstation, from: header.from, error: error.message }, "batch.refused");
    const answer: Answer = { workstation, trail: header.trail, answer: "refused", reason };
    await this.#insist([{ unreadable: { code: "store", workstation, topic, reason, bytes }, answer }], signal);
  }

  async #settle(group: readonly Waiting[]): Promise<void> {
    const { pool, signer, log, now } = this.#deps;
    const offers = group.flatMap((each) => ("offer" in each ? [each.offer] : []));
    const known = await this.#known(offers);
    const judged = await judge(this.#ask(known), offers);
    for (const each of group) {
      if ("offer" in each) continue;
      judged.refused.push(each.unreadable);
      if (each.answer) judged.answers.push(each.answer);
    }
    const started = performance.now();
    const epoch = needsCommit(judged)
      ? (await commit(pool, signer, judged, await this.#place(now()))).epoch
      : await this.#epoch();
    for (const { trail } of judged.appends) this.#remember(trail);
    const records = judged.appends.reduce((sum, { count }) => sum + count, 0);
    const ms = Math.round(performance.now() - started);
    if (needsCommit(judged))
      log.debug({ records, trails: judged.appends.length, refused: judged.refused.length, ms }, "ingest.committed");
    for (const { code, workstation, reason } of judged.refused)
      log.warn({ code, workstation, reason }, "batch.quarantined");
    await this.#tell(epoch, judged.answers);
  }

  async #tell(epoch: number, answers: readonly Answer[]): Promise<void> {
    const stands = [];
    for (const answer of coalesce(answers)) {
      const trail = await this.#trail(answer.trail);
      if (trail && trail.workstation !== answer.workstation) continue;
      stands.push({ ...answer, edge: trail?.edge ?? EMPTY_EDGE });
    }
    void sendReceipts(this.#deps.publish, this.#deps.signer, epoch, stands);
  }

  async #known(offers: readonly Offer[]): Promise<Map<WorkstationId, Known>> {
    const ids = [...new Set(offers.map(({ workstation }) => workstation))];
    if (ids.length === 0) return new Map();
    const { rows } = await this.#deps.pool.query<{ id: WorkstationId; state: Known["state"]; trail_key: Buffer }>(
      "SELECT id, state, trail_key FROM workstation WHERE id = ANY($1::uuid[])",
      [ids],
    );
    return new Map(rows.map(({ id, state, trail_key }) => [id, { state, trailKey: trail_key }]));
  }

  #ask(known: Map<WorkstationId, Known>) {
    const { pool } = this.#deps;
    return {
      workstation: (id: WorkstationId) => known.get(id),
      trail: (id: TrailId) => this.#trail(id),
      leaves: (num: number, from: number, to: number) => storedLeaves(pool, num, from, to),
      newestSession: async (workstation: WorkstationId) => {
        const { rows } = await pool.query<{ session: string }>(
          "SELECT session FROM trail WHERE workstation_id = $1 ORDER BY num DESC LIMIT 1",
          [workstation],
        );
        return rows[0]?.session;
      },
      number: async () => {
        const { rows } = await pool.query<{ num: string }>("SELECT nextval('trail_num_seq') AS num");
        return Number(rows[0]!.num);
      },
    };
  }

  async #trail(id: TrailId): Promise<TrailMemory | undefined> {
    const remembered = this.#trails.get(id);
    if (remembered) return remembered;
    const loaded = await loadTrail(this.#deps.pool, id);
    if (loaded) this.#remember(loaded);
    return loaded;
  }

  #remember(trail: TrailMemory): void {
    this.#trails.delete(trail.id);
    this.#trails.set(trail.id, trail);
    if (this.#trails.size > TRAILS_MAX) this.#trails.delete(this.#trails.keys().next().value!);
  }

  async #place(nowMs: number): Promise<{ receivedMs: number; name: string }> {
    const doubt = this.#deps.clockDoubt?.();
    if (doubt) throw new Error(doubt); // tried again until it is believed
    for (const look of [listPartitions, openPartitions]) {
      const found = place(this.#partitions, nowMs);
      if (found) return found;
      this.#partitions = await look(this.#deps.pool);
    }
    const found = place(this.#partitions, nowMs);
    if (!found) throw new Error(`no partition holds ${new Date(nowMs).toISOString()}: is this machine's clock right?`);
    return found;
  }

  /** Partitions were opened, split or sealed. */
  partitionsChanged(): void {
    this.#partitions = [];
  }

  async #epoch(): Promise<number> {
    const { rows } = await this.#deps.pool.query<{ epoch: number }>("SELECT epoch FROM console_state");
    return rows[0]!.epoch;
  }
}

const needsCommit = ({ appends, refused }: Judged): boolean => appends.length > 0 || refused.length > 0;

function answerTo(workstation: WorkstationId, { header, reason }: Unreadable): Answer | undefined {
  return header && { workstation, trail: header.trail, answer: "refused", reason };
}
