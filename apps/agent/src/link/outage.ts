/** How long the broker has been out of reach. Attempts that fail say "disconnected" again: they do not begin it anew. */
export class Outage {
  readonly #monotonic: () => number;
  #since: number | undefined;

  /** Begins out of reach. */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
    this.#since = monotonic();
  }

  connected(): void {
    this.#since = undefined;
  }

  /** Whether it begins here. */
  disconnected(): boolean {
    if (this.#since !== undefined) return false;
    this.#since = this.#monotonic();
    return true;
  }

  /** 0 while connected. */
  get ms(): number {
    return this.#since === undefined ? 0 : this.#monotonic() - this.#since;
  }
}
