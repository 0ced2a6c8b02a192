/** What the broker refused → the worker, by a topic of the sender that nobody else may write. A flood is counted. */
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { REFUSAL_BYTES_MAX, REFUSAL_TOPIC_CHARS_MAX, type Refusal } from "@sallyport/shared/wire/refusal.ts";
import { REFUSED, shardFilter, shardOf, topic } from "@sallyport/shared/wire/topics.ts";

/** Senders who wait to be heard of: four megabytes. What others do meanwhile stands in the log alone. */
const SENDERS_MAX = 256;

export class Refusals {
  readonly #waiting = new Map<WorkstationId, Refusal>();

  /** Who is no workstation has no place on the console: the log tells of it. */
  note(sender: string, to: string, bytes: Uint8Array | string): void {
    const workstation = WorkstationId.safeParse(sender).data;
    if (!workstation) return;
    const before = this.#waiting.get(workstation);
    if (!before && this.#waiting.size >= SENDERS_MAX) return;
    const all = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    this.#waiting.set(workstation, {
      topic: to.slice(0, REFUSAL_TOPIC_CHARS_MAX),
      count: (before?.count ?? 0) + 1,
      size: all.length,
      bytes: Buffer.from(all.subarray(0, REFUSAL_BYTES_MAX)).toString("base64"),
    });
  }

  /** What can be told now; of whom no worker reads, it waits on. */
  take(isRead: (filter: string) => boolean): { topic: string; text: string }[] {
    const told = [...this.#waiting].filter(([sender]) => isRead(shardFilter(shardOf(sender), REFUSED)));
    for (const [sender] of told) this.#waiting.delete(sender);
    return told.map(([sender, refusal]) => ({ topic: topic(sender, REFUSED), text: JSON.stringify(refusal) }));
  }
}
