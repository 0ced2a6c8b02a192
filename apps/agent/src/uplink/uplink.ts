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
  RECEIPT_WAIT_MS_MAX,
  RECONNECT_DELAY_MS,
  STAND_WAIT_MS,
  TRAILS_PER_HOUR_MAX,
} from "../limits.ts";
import type { Published } from "../link/link.ts";
import { Bell, jittered } from "../pace.ts";
import type { Previous } from "../spool/opening.ts";
import type { Spool } from "../spool/spool.ts";
import { Doubt } from "./doubt.ts";
import { judge } from "./judge.ts";
import { receiptForged, sendingStopped } from "./records.ts";
import { SendWindow } from "./window.ts";

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
  readonly #doubt = new Doubt();
  readonly #window: SendWindow;
  #sizeAtStart: number;
  #lingerSince: number | undefined;
  /** What was there when a batch went out and found no place in it has waited as long as that. */
  #waitedThrough = 0;
  /** When trails were opened, within the last hour. */
  #opened: number[] = [];
  #forgedToldAt = Number.NEGATIVE_INFINITY;

  constructor(parts: UplinkParts) {
    this.#parts = parts;
    this.#window = new SendWindow(parts.spool.committed);
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
    this.#window.clear();
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
    const window = this.#window;
    const now = performance.now();
    if (this.#alarm) {
      if (window.untilDue(now) > 0) return window.untilDue(now);
      window.backOff(now);
      this.#parts.askStand();
      return window.untilDue(now);
    }
    if (now < this.#standUntil) return this.#standUntil - now;
    if (window.batches > 0 && window.untilDue(now) <= 0) {
      this.#parts.log.warn({ from: spool.committed, waitedMs: Math.round(window.waitMs) }, "uplink.no-receipt");
      window.backOff(now);
      this.#goBack();
      this.#parts.askStand();
    }
    const untilReceipt = window.batches > 0 ? Math.max(1, window.untilDue(now)) : RECEIPT_WAIT_MS_MAX;
    const unsent = spool.size - window.next;
    if (unsent <= 0 || window.batches >= this.#parts.windowBatches()) return untilReceipt;
    const linger = this.#linger(unsent, now);
    if (linger > 0) return Math.min(linger, untilReceipt);
    return (await this.#send()) === "sent" ? 0 : jittered(RECONNECT_DELAY_MS);
  }

  /** How long what is there may still wait for others. */
  #linger(unsent: number, now: number): number {
    if (unsent >= BATCH_FULL_RECORDS) return 0;
    if (Math.max(this.#parts.spool.urgentThrough, this.#waitedThrough) > this.#window.next) return 0;
    this.#lingerSince ??= now;
    return this.#lingerSince + this.#parts.lingerMs() - now;
  }

  async #send(): Promise<Published> {
    const { spool, session, publish, log } = this.#parts;
    this.#lingerSince = undefined;
    const from = this.#window.next;
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
    this.#window.sent(end, performance.now());
    this.#waitedThrough = spool.size;
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
        doubted: this.#doubt.decides(performance.now()),
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
        this.#inDoubt(judgement.why);
        return;
      case "alarm":
        this.#raise(judgement.why);
        return;
      case "reopen":
        this.#reopen(receipt, { ...judgement.previous, reason: judgement.reason } as Previous, judgement.keepFrom);
        return;
    }
  }

  #inDoubt(why: string): void {
    if (!this.#doubt.begin(performance.now())) return;
    this.#parts.log.warn({ why }, "receipt.doubted");
    this.#bell.ring();
  }

  /** Asks the console where a receipt is in doubt for long enough; returns how long until then. */
  #askInDoubt(): number {
    const left = this.#doubt.untilAsked(performance.now());
    if (left === undefined) return RECEIPT_WAIT_MS_MAX;
    if (left > 0) return left;
    this.#doubt.asked();
    this.#parts.askStand();
    return RECEIPT_WAIT_MS_MAX;
  }

  #take(receipt: Receipt, again: boolean): void {
    const progress = receipt.size > this.#parts.spool.committed;
    try {
      this.#parts.spool.settle(receipt);
    } catch (error) {
      this.#parts.log.error({ size: receipt.size, error: (error as Error).message }, "receipt.not-kept");
    }
    this.#alarm = undefined;
    this.#doubt.end();
    this.#window.settled(receipt.size, progress, performance.now());
    // a console that stands further than what was sent in this session, or one that is missing something
    if (this.#window.next < receipt.size || again || (receipt.answer === "stand" && this.#window.batches > 0))
      this.#goBack();
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
    this.#doubt.end();
    this.#standUntil = 0;
    this.#goBack();
    this.#bell.ring();
  }

  #raise(why: string): void {
    if (this.#alarm !== why) {
      this.#parts.log.error({ why }, "uplink.alarm");
      this.#parts.tell(sendingStopped(why, this.#parts.now()));
    }
    this.#alarm = why;
    this.#window.clear();
    this.#window.wait(performance.now());
    this.#bell.ring();
  }

  /** Told, but not for each one of a flood. */
  #forged(why: string, untrusted: Uint8Array): void {
    this.#parts.log.error({ why }, "receipt.forged");
    if (performance.now() - this.#forgedToldAt < FORGED_TOLD_EVERY_MS) return;
    this.#forgedToldAt = performance.now();
    this.#parts.tell(receiptForged(why, untrusted, this.#parts.now()));
  }

  #goBack(): void {
    this.#window.goBack(this.#parts.spool.committed);
    this.#lingerSince = undefined;
  }
}
