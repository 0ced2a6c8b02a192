/** Sources → spool. Limits come before the index; then many parcels share one transaction, one sync. */
import type { LogSection } from "@sallyport/shared/policy/log.ts";
import {
  COMMIT_BYTES_MAX,
  COMMIT_RECORDS_MAX,
  REFUSED_BYTES_MAX,
  REFUSED_RECORDS_MAX,
  SUPPRESSED_FLUSH_MS,
} from "../limits.ts";
import type { Admits, AdmitsLine, Emit, EmitAnswer, Parcel } from "../sources/source.ts";
import { KeptUntold } from "./kept-untold.ts";
import { LineLimits } from "./line-limits.ts";
import { PacketLimits } from "./packet-limits.ts";
import { type Prepared, prepare } from "./prepare.ts";
import type { Spool } from "./spool.ts";
import { copyHeld, count, nothingHeld } from "./store.ts";
import { type Counts, telling, Untold } from "./untold.ts";

export class SpoolClosed extends Error {
  override name = "SpoolClosed";
}

export type IntakeParts = {
  spool: Spool;
  log: () => LogSection;
  now: () => number;
  monotonic: () => number;
  /** The disk refused a commit: said once each time, the commit is tried again. */
  onTrouble: (error: Error) => void;
  /** It takes them again. */
  onMended?: () => void;
};

type Waiting = {
  parcel: Parcel;
  records: Prepared[];
  answer: EmitAnswer;
  bytes: number;
  /** Counted once its position has moved. */
  settled: Counts | undefined;
  /** What its records tell. */
  told: Counts | undefined;
  resolve(answer: EmitAnswer): void;
  reject(error: Error): void;
};

type Stalled = Pick<Waiting, "parcel" | "resolve" | "reject">;

const RETRY_MS = 1_000;
/** A parcel that may wait looks for room this often. */
const ROOM_MS = 500;
/** How far the checkpoint that `status` prints may lag behind, and the count of what was held back. */
const SAVE_MS = 250;

export class Intake {
  readonly #parts: IntakeParts;
  readonly #untold: KeptUntold;
  #refused: string | undefined;
  /** Smaller after each refusal: a little room takes a little, where the whole group would be refused for ever. */
  #groupMax = COMMIT_RECORDS_MAX;
  readonly #lines: LineLimits;
  readonly #packets: PacketLimits;
  #queue: Waiting[] = [];
  #waiting = nothingHeld();
  #timer: NodeJS.Immediate | NodeJS.Timeout | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  #saveTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #isEnding = false;
  #stalled: Stalled[] = [];
  /** Positions of which one was let go at the end: none behind it is taken. */
  readonly #letGo = new Set<string>();

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#untold = new KeptUntold(parts.spool, parts.now);
    this.#lines = new LineLimits(parts.log, parts.monotonic);
    this.#packets = new PacketLimits(parts.monotonic);
    // of a life before this one
    if (!this.#untold.isEmpty) this.#flushLater();
  }

  /** Why the disk takes nothing at present, if so. */
  get refused(): string | undefined {
    return this.#refused;
  }

  readonly emit: Emit = (parcel) =>
    new Promise((resolve, reject) => {
      if (this.#closed) reject(new SpoolClosed("the agent is stopping"));
      else this.#admit(parcel, resolve, reject);
    });

  readonly admits: Admits = (line, bytes) => {
    const { guest, via, from, position } = line;
    if (this.#isWithinLimit(line, bytes)) return true;
    this.#untold.before(position).line({ guest, via, from, reason: "rate", bytes });
    if (position === undefined) this.#flushLater();
    return false;
  };

  #isWithinLimit(line: AdmitsLine, bytes: number): boolean {
    if (line.via !== "detector" && line.via !== "firewall") return this.#lines.admits(line.guest, line.via, bytes);
    const { linesPerSecond, burstLines } = this.#parts.log();
    return this.#packets.hasToken(line, { perSecond: linesPerSecond, burst: burstLines });
  }

  #admit(parcel: Parcel, resolve: (answer: EmitAnswer) => void, reject: (error: Error) => void): void {
    if (this.#isBehind(parcel)) {
      this.#stall({ parcel, resolve, reject });
      return;
    }
    const answer: EmitAnswer = { kept: 0, suppressed: 0, refused: 0 };
    const records: Prepared[] = [];
    let bytes = 0;
    const before = copyHeld(this.#waiting);
    const { position } = parcel;
    const untold = position ? new Untold(this.#parts.now) : this.#untold.before(undefined);
    for (const observation of parcel.observations) {
      const held = this.#lines.holdsBack(observation);
      if (held) {
        answer.suppressed++;
        untold.heldBack(observation, held);
        if (!position) this.#flushLater();
        continue;
      }
      const prepared = prepare(observation);
      const record = { ...prepared, way: this.#parts.spool.wayOf(prepared, this.#waiting) };
      // its entry counts as one of what a guest can cause, however firm its content is
      const roomOf = record.kind === "ids.alert" ? 1 : record.way;
      if (this.#isOverfull || !this.#parts.spool.hasRoom(roomOf, record.content.length, this.#waiting)) {
        if (position) {
          // its input is durable and can wait: nothing of the parcel is taken
          this.#waiting = before;
          this.#stall({ parcel, resolve, reject });
          this.#schedule(ROOM_MS);
          return;
        }
        if (record.way === 2) answer.refused++;
        else answer.suppressed++;
        const reason = this.#refused === undefined ? "spool-full" : "disk-refused";
        untold.lost(observation, reason, record.content.length);
        this.#flushLater();
        continue;
      }
      records.push(record);
      bytes += record.content.length;
      count(this.#waiting, record);
    }
    answer.kept = records.length;
    if (records.length === 0 && !position) {
      resolve(answer);
      return;
    }
    const skipped = position && this.#untold.upTo(position.name);
    if (skipped) untold.add(skipped);
    const settled = position && !untold.isEmpty ? untold.counts() : undefined;
    this.#queue.push({ parcel, records, answer, bytes, settled, told: undefined, resolve, reject });
    this.#schedule(0);
  }

  /** One of its source waits for room before it: a position never goes back, and records stand in their order. */
  #isBehind({ position }: Parcel): boolean {
    if (position === undefined) return false;
    const { name } = position;
    return this.#letGo.has(name) || this.#stalled.some(({ parcel }) => parcel.position?.name === name);
  }

  /** What waits for a disk that refuses is bounded in memory. */
  get #isOverfull(): boolean {
    if (this.#refused === undefined) return false;
    const { records, bytes } = this.#waiting;
    return records >= REFUSED_RECORDS_MAX || bytes[0] + bytes[1] + bytes[2] >= REFUSED_BYTES_MAX;
  }

  #flushLater(): void {
    this.#saveSoon();
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = undefined;
      if (!this.#closed) this.#flush();
    }, SUPPRESSED_FLUSH_MS).unref();
  }

  /** Tells what was held back: past the bounds if need be, since a full spool must say so. */
  #flush(): void {
    if (this.#untold.isEmpty) return;
    // told when the disk takes something again; until then it is counted on
    if (this.#refused !== undefined) return;
    const told = this.#untold.leave();
    this.#queue.push({
      parcel: { observations: [] },
      records: telling(told, this.#parts.spool.size, this.#parts.now()),
      answer: { kept: 0, suppressed: 0, refused: 0 },
      ...{ bytes: 0, settled: undefined, told },
      resolve() {},
      reject() {},
    });
    this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    if (this.#timer || this.#closed) return;
    const act = () => {
      this.#timer = undefined;
      this.#commit();
    };
    this.#timer = delayMs === 0 ? setImmediate(act) : setTimeout(act, delayMs);
  }

  #commit(): void {
    const group = this.#nextGroup();
    if (group.length > 0) {
      const settled = group.flatMap((each) => each.settled ?? []);
      const told = group.flatMap((each) => each.told ?? []);
      try {
        this.#parts.spool.append(
          group.flatMap((each) => each.records),
          group.flatMap((each) => (each.parcel.position ? [each.parcel.position] : [])),
          this.#untold.after(settled, told),
        );
      } catch (error) {
        this.#parts.onTrouble(error as Error);
        this.#refused = (error as Error).message;
        this.#groupMax = Math.max(1, Math.floor(this.#groupMax / 2));
        if (this.#isEnding) this.close();
        else this.#schedule(RETRY_MS);
        return;
      }
      this.#untold.committed(settled, told);
      if (settled.length > 0) this.#flushLater();
      this.#queue.splice(0, group.length);
      this.#groupMax = Math.min(COMMIT_RECORDS_MAX, this.#groupMax * 2);
      if (this.#queue.length === 0) this.#waiting = nothingHeld();
      else for (const { records } of group) for (const record of records) count(this.#waiting, record, -1);
      for (const each of group) each.resolve(each.answer);
      if (this.#refused !== undefined && this.#queue.length === 0) this.#mended();
    }
    const stalled = this.#stalled;
    this.#stalled = [];
    for (const { parcel, resolve, reject } of stalled) this.#admit(parcel, resolve, reject);
    if (this.#queue.length > 0) this.#schedule(0);
    if (this.#parts.spool.checkpointIsOld) this.#saveSoon();
  }

  #mended(): void {
    this.#refused = undefined;
    this.#flush();
    this.#parts.onMended?.();
  }

  /** A sync of its own, so not for each commit. */
  #saveSoon(): void {
    this.#saveTimer ??= setTimeout(() => {
      this.#saveTimer = undefined;
      // while the disk refuses, the commit that is tried again says so
      if (this.#closed || this.#refused !== undefined) return;
      try {
        this.#untold.save();
        if (this.#parts.spool.checkpointIsOld) this.#parts.spool.saveCheckpoint();
      } catch (error) {
        this.#parts.onTrouble(error as Error);
      }
    }, SAVE_MS).unref();
  }

  #nextGroup(): Waiting[] {
    let records = 0;
    let bytes = 0;
    const end = this.#queue.findIndex((each, at) => {
      records += each.records.length;
      bytes += each.bytes;
      return at > 0 && (records > this.#groupMax || bytes > COMMIT_BYTES_MAX);
    });
    return end < 0 ? [...this.#queue] : this.#queue.slice(0, end);
  }

  /** The agent is about to end: sources bring what they still have, and none of them waits for room. */
  end(): void {
    this.#isEnding = true;
    for (const each of this.#stalled.splice(0)) this.#stall(each);
    if (this.#refused !== undefined) this.close();
  }

  /** Its input is durable: what has no room is read again, by this life or the next. */
  #stall(each: Stalled): void {
    if (!this.#isEnding) {
      this.#stalled.push(each);
      return;
    }
    if (each.parcel.position) this.#letGo.add(each.parcel.position.name);
    each.reject(new SpoolClosed("the agent is stopping"));
  }

  /** What is queued is committed, what was held back is told; then nothing more is taken. */
  close(): void {
    if (this.#closed) return;
    clearTimeout(this.#flushTimer);
    clearTimeout(this.#saveTimer);
    clearImmediate(this.#timer as NodeJS.Immediate);
    clearTimeout(this.#timer as NodeJS.Timeout);
    this.#timer = undefined;
    this.#closed = true;
    for (let rounds = 0; rounds < 1_000; rounds++) {
      // what a commit before this one counted as well
      this.#flush();
      if (this.#queue.length === 0) break;
      const before = this.#queue.length;
      this.#commit();
      if (this.#queue.length >= before) break;
    }
    const error = new SpoolClosed("the agent is stopping");
    for (const each of [...this.#queue, ...this.#stalled]) each.reject(error);
    this.#queue = [];
    this.#stalled = [];
  }
}
