/** Socket events → a loop at its own pace. What does not fit is refused, so that a flood costs bounded memory. */
import { setTimeout as delay } from "node:timers/promises";

export type Mailbox<T> = {
  /** False where there is no room. */
  put(item: T, bytes: number): boolean;
  take(itemsMax: number): T[];
  /** Resolves when something is there, after `ms`, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
};

/** A small item costs its place as well. */
const ITEM_BYTES = 256;

export function mailbox<T>(bytesMax: number): Mailbox<T> {
  let items: { item: T; cost: number }[] = [];
  let held = 0;
  let wake = () => {};
  return {
    put(item, bytes) {
      const cost = bytes + ITEM_BYTES;
      if (held + cost > bytesMax) return false;
      held += cost;
      items.push({ item, cost });
      wake();
      return true;
    },
    take(itemsMax) {
      const taken = items.slice(0, itemsMax);
      items = items.slice(itemsMax);
      for (const { cost } of taken) held -= cost;
      return taken.map(({ item }) => item);
    },
    async wait(ms, signal) {
      if (items.length > 0 || signal.aborted) return;
      const over = new AbortController();
      const something = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const timer = delay(ms, undefined, { signal: AbortSignal.any([signal, over.signal]) }).catch(() => {});
      await Promise.race([something, timer]);
      over.abort();
    },
  };
}
