/** What lies in the spool ↔ its bounds: counted as it is written, and given up, oldest first, where it must be. */
import { gap } from "./gap.ts";
import { giveUp } from "./give-up.ts";
import type { Prepared } from "./prepare.ts";
import { hasRoom, mustGiveWay, sum, wayOfAlert } from "./room.ts";
import { copyHeld, count, type Held, type Store, type Way } from "./store.ts";

export class Holding {
  bytesMax: number;
  readonly #store: Store;
  readonly #now: () => number;
  #held: Held;
  /** Where the search for contents of a way begins; only ever moves forward within a trail. */
  #oldest: [number, number] = [0, 0];

  constructor(store: Store, now: () => number, bytesMax: number) {
    this.#store = store;
    this.#now = now;
    this.bytesMax = bytesMax;
    this.#held = store.held();
  }

  get bytes(): number {
    const { bytes } = this.#held;
    return bytes[0] + bytes[1] + bytes[2];
  }
  get isOver(): boolean {
    return mustGiveWay(this.#held, this.bytesMax).some((bytes) => bytes > 0);
  }

  /** What a guest can cause without end is firm only up to a share. */
  wayOf({ kind, way, content }: Pick<Prepared, "kind" | "way" | "content">, waiting: Held): Way {
    return kind === "ids.alert" ? wayOfAlert(sum(this.#held, waiting), this.bytesMax, content.length) : way;
  }

  /** Whether one more record of `way` may have an index, beside `waiting` that were let in before it. */
  hasRoom(way: Way, bytes: number, waiting: Held): boolean {
    return hasRoom(sum(this.#held, waiting), this.bytesMax, way, bytes);
  }

  count(record: Pick<Prepared, "way" | "content">): void {
    count(this.#held, record);
  }

  /** As the disk has it. */
  recount(): void {
    this.#held = this.#store.held();
  }

  /** A trail whose first index is `base` is another one than before. */
  begin(base: number): void {
    this.#oldest = [base, base];
  }

  /** Contents of records from `base` (inclusive) to `size` (exclusive) go until all is within bounds; the gaps that it
   *  returns belong into the same transaction. */
  giveWay(base: number, size: number): Prepared[] {
    const [logs, seen] = mustGiveWay(this.#held, this.bytesMax);
    return [
      ...this.#giveUp(0, logs, Math.max(base, this.#oldest[0]), size),
      ...this.#giveUp(1, seen, Math.max(base, this.#oldest[1]), size),
    ];
  }

  /** What takes it back to where it is now. */
  kept(): () => void {
    const held = copyHeld(this.#held);
    const oldest: [number, number] = [...this.#oldest];
    return () => {
      this.#held = held;
      this.#oldest = oldest;
    };
  }

  #giveUp(way: 0 | 1, bytesWanted: number, start: number, size: number): Prepared[] {
    const given = giveUp(this.#store, way, bytesWanted, start, size);
    if (!given) return [];
    this.#oldest[way] = given.to;
    this.#held.bytes[way] -= given.bytes;
    this.#held.contents[way] -= given.contents;
    return [gap(this.#now(), given)];
  }
}
