/** What is believed ↔ the disk. What only takes away is believed though there is no room for it, and written once there is;
 *  until then a place that is no disk has it over the agent's end. */
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { Log } from "../dom0/log.ts";
import type { Spare } from "../dom0/spare.ts";
import { Kept, writeKept } from "./kept.ts";

export type KeepingParts = {
  state: string;
  /** Keeps the marks apart from the file. */
  keepMarks: (kept: Kept) => void;
  spare: Spare;
  log: Log;
};

export class Keeping {
  readonly #parts: KeepingParts;
  #kept: Kept;
  #unkept: { kept: Kept; why: string } | undefined;

  constructor(parts: KeepingParts, kept: Kept) {
    this.#parts = parts;
    this.#kept = kept;
    const left = readKept(parts.spare.beyond(textOf(kept)));
    if (left) this.#unkept = { kept: left, why: "it has waited for room since before the agent was started" };
  }

  /** As the disk has it. */
  get kept(): Kept {
    return this.#kept;
  }

  /** With what waits for room. */
  get believed(): Kept {
    return this.#unkept?.kept ?? this.#kept;
  }

  /** Why what is believed is not all on disk; nothing where it is. */
  get unkept(): string | undefined {
    return this.#unkept?.why;
  }

  /** @throws where the disk does not take it: then it is not believed */
  keep(kept: Kept): void {
    writeKept(this.#parts.state, kept);
    this.#kept = kept;
    try {
      this.#parts.keepMarks(kept);
      if (this.#unkept) this.#parts.spare.drop();
      this.#unkept = undefined;
    } catch (error) {
      // it is on disk, and its marks rise later: as after a kill between the two
      this.#wait(kept, error as Error);
    }
  }

  keepOnceThereIsRoom(kept: Kept): void {
    try {
      this.keep(kept);
    } catch (error) {
      this.#wait(kept, error as Error);
    }
  }

  #wait(kept: Kept, { message }: Error): void {
    if (!this.#unkept) this.#parts.log.error({ error: message }, "statement.not-kept");
    this.#unkept = { kept, why: message };
    if (kept !== this.#kept) this.#parts.spare.keep(textOf(this.#kept), JSON.stringify(kept));
  }
}

const textOf = (kept: Kept): string => canonicalText(JSON.parse(JSON.stringify(kept)) as Json);

function readKept(text: string | undefined): Kept | undefined {
  return text === undefined ? undefined : Kept.safeParse(JSON.parse(text)).data;
}
