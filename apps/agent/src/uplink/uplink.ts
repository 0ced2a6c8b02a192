/** Spool → link, at our own pace: a bounded window, go-back-N from the newest receipt, nothing released without one. */

import { zstdCompressSync } from "node:zlib";
import type { Index, SessionId } from "@sallyport/shared/base/ids.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { openReceipt, type Receipt } from "@sallyport/shared/trail/receipt.ts";
import { BATCH_RECORDS_MAX, batchLine, encodeBatch } from "@sallyport/shared/wire/batch.ts";
import { ed25519Verify } from "../dom0/crypto.ts";
import type { Log } from "../dom0/log.ts";
import {
  BATCH_FULL_RECORDS,
  BATCH_TARGET_BYTES,
  RECEIPT_WAIT_MS,
  RECEIPT_WAIT_MS_MAX,
  RECONNECT_DELAY_MS,
  STAND_WAIT_MS,
  TRAILS_PER_HOUR_MAX,
} from "../limits.ts";
import type { Published } from "../link/link.ts";
import { Bell, jittered } from "../pace.ts";
import type { Previous, Spool } from "../spool/spool.ts";
import { judge } from "./judge.ts";

export type UplinkParts = {
  spool: Spool;
  session: SessionId;
  publish: (batch: Uint8Array) => Promise<Published>;
  /** Says online again: the console answers with where it stands. */
  askStand: () => void;
  consoleKeys: () => Uint8Array[];
  workstation: string;
  windowBatches: () => number;
  lingerMs: () => number;
  /** Takes the console's signed clock. */
  heard: (receipt: Receipt) => void;
  tell: (observation: Observation) => void;
  now: () => number;
  log: Log;
};

export type UplinkState = { state: "sending" } | { state: "offline" } | { state: "alarm"; why: string };

const FORGED_TOLD_EVERY_MS = 60_000;

export class Uplink {
  readonly #parts: UplinkParts;
  readonly #bell = new Bell();
  #connected = false;
  /** Until then the console may still say where it stands. */
  #standUntil = 0;
  #alarm: string | undefined;
  /** Since when a receipt is in doubt, and when the console is to be asked about it. */
  #doubtSince: number | undefined;
  #askAt: number | undefined;
  #next = 0;
  #sizeAtStart: number;
  /** Ends of the batches in flight. */
  #inFlight: number[] = [];
  #resendAt = 0;
  #waitMs = RECEIPT_WAIT_MS;
  #lingerSince: number | undefined;
  #opened: number[] = [];
  #forgedToldAt = Number.NEGATIVE_INFINITY;

  constructor(parts: UplinkParts) {
    this.#parts = parts;
    this.#next = parts.spool.committed;
    this.#sizeAtStart = parts.spool.size;
    parts.spool.onGrown(() => this.#bell.ring());
  }

  get state(): UplinkState {
    if (this.#alarm) return { state: "alarm", why: this.#alarm };
    return this.#connected ? { state: "sending" } : { state: "offline" };
  }

  connected(): void {
    this.#connected = true;
    this.#standUntil = performance.now() + STAND_WAIT_MS;
    this.#goBack();
    this.#bell.ring();
  }

  disconnected(): void {
    this.#connected = false;
    this.#inFlight = [];
  }

  /** A receipt off the wire. */
  receipt(untrusted: Uint8Array): void {
    const text = Buffer.from(untrusted).toString("utf8");
    let why = "there is no console key";
    for (const key of this.#parts.consoleKeys()) {
      const opened = openReceipt(ed25519Verify, key, text);
      if (opened.ok && opened.value.workstation === this.#parts.workstation) {
        this.#heard(opened.value);
        // last: it keeps the clock on a disk that may be full, and a receipt must count all the same
        this.#parts.heard(opened.value);
        return;
      }
      why = opened.ok ? "the receipt is for another workstation" : opened.error;
    }
    this.#forged(why, untrusted);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = this.#connected ? Math.min(await this.#step(), this.#askInDoubt()) : RECEIPT_WAIT_MS_MAX;
      if (waitMs > 0) await this.#bell.wait(waitMs, signal);
    }
  }

  /** Does one thing; returns how long nothing else need be done unless the bell rings. */
  async #step(): Promise<number> {
    const { spool } = this.#parts;
    const now = performance.now();
    if (this.#alarm) {
      if (now < this.#resendAt) return this.#resendAt - now;
      this.#later();
      this.#parts.askStand();
      return this.#resendAt - now;
    }
    if (now < this.#standUntil) return this.#standUntil - now;
    if (this.#inFlight.length > 0 && now >= this.#resendAt) {
      this.#parts.log.warn({ from: spool.committed, waitedMs: Math.round(this.#waitMs) }, "uplink.no-receipt");
      this.#later();
      this.#goBack();
      this.#parts.askStand();
    }
    const untilReceipt = this.#inFlight.length > 0 ? Math.max(1, this.#resendAt - now) : RECEIPT_WAIT_MS_MAX;
    const unsent = spool.size - this.#next;
    if (unsent <= 0 || this.#inFlight.length >= this.#parts.windowBatches()) return untilReceipt;
    const linger = this.#linger(unsent, now);
    if (linger > 0) return Math.min(linger, untilReceipt);
    return (await this.#send()) === "sent" ? 0 : jittered(RECONNECT_DELAY_MS);
  }

  /** How long what is there may still wait for others. */
  #linger(unsent: number, now: number): number {
    if (unsent >= BATCH_FULL_RECORDS || this.#parts.spool.urgentThrough > this.#next) return 0;
    this.#lingerSince ??= now;
    return this.#lingerSince + this.#parts.lingerMs() - now;
  }

  async #send(): Promise<Published> {
    const { spool, session, publish, log } = this.#parts;
    this.#lingerSince = undefined;
    const from = this.#next;
    const { records, end, edge } = spool.read(from, BATCH_RECORDS_MAX, BATCH_TARGET_BYTES);
    const header = {
      trail: spool.trail,
      session,
      from: from as Index,
      count: records.length,
      oldest: spool.oldestContent(spool.base) as Index,
      checkpoint: spool.checkpoint(edge),
    };
    const batch = encodeBatch(zstdCompressSync, header, records.map(batchLine).join(""));
    this.#next = end;
    if (this.#inFlight.length === 0) this.#resendAt = performance.now() + jittered(this.#waitMs);
    this.#inFlight.push(end);
    log.debug({ from, count: records.length, bytes: batch.length }, "batch.sent");
    const trail = spool.trail;
    const published = await publish(batch);
    if (published === "not-connected" && spool.trail === trail) this.#goBack();
    return published;
  }

  #heard(receipt: Receipt): void {
    const { spool, log } = this.#parts;
    const judgement = judge(
      {
        trail: spool.trail,
        size: spool.size,
        sizeAtStart: this.#sizeAtStart,
        base: spool.base,
        last: spool.lastReceipt,
        doubted: this.#doubtSince !== undefined && performance.now() - this.#doubtSince >= STAND_WAIT_MS,
        knowsTrail: (trail) => spool.knowsTrail(trail),
        rootAt: (size) => spool.rootAt(size),
      },
      receipt,
    );
    log.debug({ size: receipt.size, answer: receipt.answer, epoch: receipt.epoch, do: judgement.do }, "receipt.heard");
    switch (judgement.do) {
      case "take":
        this.#take(receipt, judgement.again);
        return;
      case "ignore":
        return;
      case "doubt":
        this.#doubt(judgement.why);
        return;
      case "alarm":
        this.#raise(judgement.why);
        return;
      case "reopen":
        this.#reopen(receipt, { ...judgement.previous, reason: judgement.reason } as Previous, judgement.keepFrom);
        return;
    }
  }

  /** The second receipt decides; what else was late has come by the time that it is asked for. */
  #doubt(why: string): void {
    if (this.#doubtSince !== undefined) return;
    this.#parts.log.warn({ why }, "receipt.doubted");
    this.#doubtSince = performance.now();
    this.#askAt = this.#doubtSince + STAND_WAIT_MS;
    this.#bell.ring();
  }

  /** Returns how long until it is to be asked. */
  #askInDoubt(): number {
    if (this.#askAt === undefined) return RECEIPT_WAIT_MS_MAX;
    const left = this.#askAt - performance.now();
    if (left > 0) return left;
    this.#askAt = undefined;
    this.#parts.askStand();
    return RECEIPT_WAIT_MS_MAX;
  }

  #doubtIsOver(): void {
    this.#doubtSince = undefined;
    this.#askAt = undefined;
  }

  #take(receipt: Receipt, again: boolean): void {
    const progress = receipt.size > this.#parts.spool.committed;
    try {
      this.#parts.spool.settle(receipt);
    } catch (error) {
      this.#parts.log.error({ size: receipt.size, error: (error as Error).message }, "receipt.not-kept");
    }
    this.#alarm = undefined;
    this.#doubtIsOver();
    this.#inFlight = this.#inFlight.filter((end) => end > receipt.size);
    if (progress || this.#inFlight.length === 0) {
      this.#waitMs = RECEIPT_WAIT_MS;
      this.#resendAt = performance.now() + jittered(this.#waitMs);
    }
    // a console that stands further than what was sent in this session, or one that is missing something
    if (this.#next < receipt.size || again || (receipt.answer === "stand" && this.#inFlight.length > 0)) this.#goBack();
    this.#standUntil = 0;
    this.#bell.ring();
  }

  #reopen(receipt: Receipt, previous: Previous, keepFrom: number): void {
    const { spool, now, log } = this.#parts;
    this.#opened = this.#opened.filter((at) => at > now() - 3_600_000);
    if (this.#opened.length >= TRAILS_PER_HOUR_MAX) {
      this.#raise(
        `the console contradicts each trail that is opened (${previous.reason}, ${this.#opened.length} within an hour)`,
      );
      return;
    }
    this.#opened.push(now());
    log.error({ reason: previous.reason, previous: previous.trail, size: previous.size, keepFrom }, "trail.reopened");
    spool.openTrail(previous, keepFrom);
    spool.hearEpoch(receipt);
    this.#sizeAtStart = spool.size;
    this.#alarm = undefined;
    this.#doubtIsOver();
    this.#standUntil = 0;
    this.#goBack();
    this.#bell.ring();
  }

  #raise(why: string): void {
    if (this.#alarm !== why) {
      this.#parts.log.error({ why }, "uplink.alarm");
      this.#parts.tell({
        kind: "agent.malformed",
        severity: "critical",
        time: this.#parts.now(),
        text: `Sending stopped: ${why}`.slice(0, 512),
        body: { source: "receipt", reason: why.slice(0, 512), bytes: 0, rawBase64: "", truncated: false },
      });
    }
    this.#alarm = why;
    this.#inFlight = [];
    this.#resendAt = performance.now() + jittered(this.#waitMs);
    this.#bell.ring();
  }

  /** A receipt that the console's key did not sign releases nothing; it is told, but not for each one of a flood. */
  #forged(why: string, untrusted: Uint8Array): void {
    this.#parts.log.error({ why }, "receipt.forged");
    if (performance.now() - this.#forgedToldAt < FORGED_TOLD_EVERY_MS) return;
    this.#forgedToldAt = performance.now();
    this.#parts.tell({
      kind: "agent.malformed",
      severity: "error",
      time: this.#parts.now(),
      text: "A receipt came that the console did not sign; nothing was released",
      body: {
        source: "receipt",
        reason: why.slice(0, 512),
        bytes: untrusted.length,
        rawBase64: Buffer.from(untrusted.subarray(0, 4_096)).toString("base64"),
        truncated: untrusted.length > 4_096,
      },
    });
  }

  #goBack(): void {
    this.#next = this.#parts.spool.committed;
    this.#inFlight = [];
    this.#lingerSince = undefined;
  }

  #later(): void {
    this.#waitMs = Math.min(this.#waitMs * 2, RECEIPT_WAIT_MS_MAX);
    this.#resendAt = performance.now() + jittered(this.#waitMs);
  }
}
