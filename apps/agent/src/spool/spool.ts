/** Records on dom0's disk → uplink. An index is given, hashed into the tree and synced in one transaction; nothing is
 *  signed or sent before that. What is not released by a receipt stays. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { Time, TrailId } from "@sallyport/shared/base/ids.ts";
import { Receipt } from "@sallyport/shared/trail/receipt.ts";
import { appendAll, type Edge, root } from "@sallyport/shared/trail/tree.ts";
import { sha256 } from "../dom0/crypto.ts";
import { COMMIT_BYTES_MAX } from "../limits.ts";
import type { Position } from "../sources/source.ts";
import { Holding } from "./holding.ts";
import { OpenTrail } from "./open-trail.ts";
import { beginTrail, type Identity, type Previous, reEnrolled } from "./opening.ts";
import { type Outgoing, outgoing } from "./outgoing.ts";
import { freshSalt, indexed, type Prepared } from "./prepare.ts";
import type { Held, Store, TrailRow, Way } from "./store.ts";

export type SpoolStanding = { records: number; bytes: number; bytesMax: number; oldestTime?: Time };

export class Spool {
  readonly #store: Store;
  readonly #identity: Identity;
  readonly #now: () => number;
  readonly #holding: Holding;
  #trail!: OpenTrail;
  #receipt: Receipt | undefined;
  #urgentThrough = 0;
  readonly #listeners = new Set<() => void>();

  constructor(store: Store, identity: Identity, now: () => number, bytesMax: number) {
    this.#store = store;
    this.#identity = identity;
    this.#now = now;
    this.#holding = new Holding(store, now, bytesMax);
    const kept = store.state("receipt");
    this.#receipt = kept ? Receipt.parse(JSON.parse(kept)) : undefined;
    const trail = store.openTrail();
    if (trail && trail.workstation === identity.workstation) this.#use(trail);
    else if (trail) {
      const committed = this.#committedOf(trail);
      this.openTrail(reEnrolled(store, trail, committed), committed);
    } else this.openTrail(undefined, 0);
    this.#urgentThrough = this.size;
  }

  get trail(): TrailId {
    return this.#trail.row.id;
  }
  get size(): number {
    return this.#trail.row.size;
  }
  /** First index still held. */
  get base(): number {
    return this.#trail.row.base;
  }
  get receipt(): Receipt | undefined {
    return this.#receipt?.trail === this.trail ? this.#receipt : undefined;
  }
  /** The newest receipt of any trail of ours: what tells a console's epoch. */
  get lastReceipt(): Receipt | undefined {
    return this.#receipt;
  }
  /** Every record below is committed on the console. */
  get committed(): number {
    return this.#committedOf(this.#trail.row);
  }
  /** Records below this that have not gone out yet wait for nobody. */
  get urgentThrough(): number {
    return this.#urgentThrough;
  }
  get root(): Uint8Array {
    return root(sha256, this.#trail.row.edge);
  }
  get bytesMax(): number {
    return this.#holding.bytesMax;
  }
  knowsTrail(id: TrailId): boolean {
    return this.#store.knowsTrail(id);
  }

  standing(): SpoolStanding {
    const first = this.#store.first(this.committed);
    return {
      records: this.size - this.committed,
      bytes: this.#holding.bytes,
      bytesMax: this.bytesMax,
      ...(first ? { oldestTime: (JSON.parse(first.entry) as { time: Time }).time } : {}),
    };
  }

  /** Called when the trail has grown; a message only wakes. */
  onGrown(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setBytesMax(bytesMax: number): void {
    this.#holding.bytesMax = bytesMax;
    if (this.#holding.isOver) this.append([], []);
  }

  /** What a guest can cause without end is firm only up to a share. */
  wayOf(record: Pick<Prepared, "kind" | "way" | "content">, waiting: Held): Way {
    return this.#holding.wayOf(record, waiting);
  }

  /** Whether one more record of `way` may have an index, beside `waiting` that were let in before it. */
  hasRoom(way: Way, bytes: number, waiting: Held): boolean {
    if (this.#holding.hasRoom(way, bytes, waiting)) return true;
    // what the console has committed already is no loss: it goes before anything else does
    if (this.committed <= this.base) return false;
    try {
      this.#trail.change(() => this.#trail.releaseTo(this.committed));
    } catch {
      // a disk that refuses even that has no room; the commit that follows says so
      return false;
    }
    this.#holding.recount();
    return this.#holding.hasRoom(way, bytes, waiting);
  }

  /** Gives each record its index and stores it with the positions and what is to be remembered, synced when it returns;
   *  returns the new size. @throws where the disk refuses; then nothing of it happened */
  append(
    records: readonly Prepared[],
    positions: readonly Position[],
    remembered: Readonly<Record<string, Json>> = {},
  ): number {
    const takeBack = this.#holding.kept();
    let { edge } = this.#trail.row;
    const write = () =>
      this.#trail.change(() => {
        edge = this.#insert(edge, records);
        const gaps = this.#giveWay(edge.size);
        if (gaps.length > 0) edge = this.#insert(edge, gaps);
        for (const { name, value } of positions) this.#store.setPosition(name, canonicalText(value));
        for (const [key, value] of Object.entries(remembered)) this.remember(key, value);
        if (edge.size !== this.size) this.#store.grown(this.trail, edge);
      });
    try {
      if (records.reduce((sum, { content }) => sum + content.length, 0) > COMMIT_BYTES_MAX)
        this.#store.leaveInLog(write);
      else write();
    } catch (error) {
      takeBack();
      this.#store.emptyLog();
      throw error;
    }
    this.#grownTo(edge, records);
    return edge.size;
  }

  position(name: string): Json | undefined {
    const text = this.#store.position(name);
    return text === undefined ? undefined : (JSON.parse(text) as Json);
  }

  /** Records from `from` on, up to so many, and to so many bytes as they travel. The edge is the tree's at `end`. */
  read(from: number, countMax: number, bytesMax: number): Outgoing {
    return outgoing(this.#store, this.#trail.edges, from, countMax, bytesMax);
  }

  /** First index at or after `from` whose content is still here. */
  oldestContent(from: number): number {
    return this.#store.firstHeld(from) ?? this.size;
  }

  /** Of an edge that was committed. */
  checkpoint(edge: Edge): string {
    return this.#trail.checkpoint(edge);
  }

  rootAt(size: number): Uint8Array {
    return this.#trail.rootAt(size);
  }

  /** Keeps a receipt that was judged to fit, and lets go of what it calls safe.
   *  @throws where the disk refuses; the receipt counts all the same until the agent ends, and nothing was let go */
  settle(receipt: Receipt): void {
    const base = Math.min(receipt.safe, receipt.size);
    this.#receipt = receipt;
    this.#trail.change(() => {
      this.#store.setState("receipt", canonicalText(receipt));
      if (base > this.base) this.#trail.releaseTo(base);
    });
    this.#holding.recount();
  }

  /** After a trail was opened because of it: the epoch counts from here on, though the old trail does not. */
  hearEpoch(receipt: Receipt): void {
    this.#store.setState("receipt", canonicalText(receipt));
    this.#receipt = receipt;
  }

  /** Opens a new trail that names the one it goes on from, and indexes what is held from `keepFrom` on anew. */
  openTrail(previous: Previous | undefined, keepFrom: number): void {
    beginTrail(this.#store, this.#identity, this.#now(), previous, keepFrom);
    this.#holding.recount();
    this.#use(this.#store.openTrail()!);
    this.#urgentThrough = this.size;
    this.saveCheckpoint();
    this.#tell();
  }

  saveCheckpoint(): void {
    this.#trail.saveCheckpoint();
  }
  get checkpointIsOld(): boolean {
    return this.#trail.checkpointIsOld;
  }

  remember(key: string, value: Json): void {
    this.#store.setState(key, canonicalText(value));
  }
  remembered(key: string): Json | undefined {
    const text = this.#store.state(key);
    return text === undefined ? undefined : (JSON.parse(text) as Json);
  }

  close(): void {
    try {
      if (this.checkpointIsOld) this.saveCheckpoint();
    } finally {
      this.#store.close();
    }
  }

  #use(row: TrailRow): void {
    this.#trail = new OpenTrail(this.#store, this.#identity, row);
    this.#holding.begin(row.base);
  }

  #insert(edge: Edge, records: readonly Prepared[]): Edge {
    const leaves: Uint8Array[] = [];
    let idx = edge.size;
    for (const record of records) {
      const salt = freshSalt();
      const { entry, leaf } = indexed(record, idx, salt);
      const bytes = record.content.length;
      this.#store.insert({ idx: idx++, way: record.way, bytes, entry, salt, content: record.content });
      leaves.push(leaf);
      this.#holding.count(record);
    }
    return appendAll(sha256, edge, leaves);
  }

  /** Gives up contents until all is within bounds; the gap records it returns go into the same transaction. */
  #giveWay(size: number): Prepared[] {
    if (!this.#holding.isOver) return [];
    if (this.committed > this.base) {
      this.#trail.releaseTo(this.committed);
      this.#holding.recount();
    }
    return this.#holding.giveWay(this.base, size);
  }

  #grownTo(edge: Edge, records: readonly Prepared[]): void {
    if (edge.size === this.size) return;
    const gaps = edge.size - this.size > records.length;
    if (gaps || records.some((record) => record.way === 2)) this.#urgentThrough = edge.size;
    this.#trail.grownTo(edge);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #committedOf(trail: TrailRow): number {
    return this.#receipt?.trail === trail.id ? Math.max(this.#receipt.size, trail.base) : trail.base;
  }
}
