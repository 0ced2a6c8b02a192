/** The batches in flight, as go-back-N keeps them: sent in order, taken off at the front by receipts, and all sent again
 *  from the newest receipt where none came in time. Sizes and ends are indexes of the trail; times are milliseconds of
 *  a monotonic clock that the caller reads. */
import { RECEIPT_WAIT_MS, RECEIPT_WAIT_MS_MAX } from "../limits.ts";
import { jittered } from "../pace.ts";

export class SendWindow {
  readonly #jitter: (delayMs: number) => number;
  #next: number;
  /** Where each batch in flight ends, in order. */
  #ends: number[] = [];
  #dueMs = 0;
  #waitMs = RECEIPT_WAIT_MS;

  constructor(committed: number, jitter: (delayMs: number) => number = jittered) {
    this.#next = committed;
    this.#jitter = jitter;
  }

  /** The first index that is to be sent next. */
  get next(): number {
    return this.#next;
  }

  get batches(): number {
    return this.#ends.length;
  }

  /** How long a receipt is waited for now; doubled by each `backOff`, to a bound. */
  get waitMs(): number {
    return this.#waitMs;
  }

  /** How long until a receipt is overdue; 0 or less when it is. */
  untilDue(nowMs: number): number {
    return this.#dueMs - nowMs;
  }

  /** A batch up to `end` goes out. The wait is for the oldest in flight. */
  sent(end: number, nowMs: number): void {
    this.#next = end;
    if (this.#ends.length === 0) this.wait(nowMs);
    this.#ends.push(end);
  }

  /** A receipt says that all before `size` is committed; `isMore` than was known before. */
  settled(size: number, isMore: boolean, nowMs: number): void {
    this.#ends = this.#ends.filter((end) => end > size);
    if (!isMore && this.#ends.length > 0) return;
    this.#waitMs = RECEIPT_WAIT_MS;
    this.wait(nowMs);
  }

  /** What is in flight is given up: the connection is lost, or nothing more is to be sent. */
  clear(): void {
    this.#ends = [];
  }

  /** Sends again from what is committed. */
  goBack(committed: number): void {
    this.#next = committed;
    this.clear();
  }

  /** A receipt is waited for from now on, as long as before. */
  wait(nowMs: number): void {
    this.#dueMs = nowMs + this.#jitter(this.#waitMs);
  }

  /** No receipt came in time: the next is waited for twice as long. */
  backOff(nowMs: number): void {
    this.#waitMs = Math.min(this.#waitMs * 2, RECEIPT_WAIT_MS_MAX);
    this.wait(nowMs);
  }
}
