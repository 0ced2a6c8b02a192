/** Records on dom0's disk → uplink. An index is given, hashed into the tree and synced in one transaction; nothing is
 *  signed or sent before that. What is not released by a receipt stays. */

import { randomUUID } from "node:crypto";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import type { Index, SessionId, Time, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { TrailOpened } from "@sallyport/shared/record/agent.ts";
import { origin, signCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { Receipt } from "@sallyport/shared/trail/receipt.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { appendAll, type Edge, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import type { BatchRecord } from "@sallyport/shared/wire/batch.ts";
import { sha256 } from "../dom0/crypto.ts";
import type { Position } from "../sources/source.ts";
import { type Edges, edgesOf } from "./edges.ts";
import { gap } from "./gap.ts";
import { giveUp } from "./give-up.ts";
import { freshSalt, indexed, leafOf, type Prepared, prepare } from "./prepare.ts";
import { reindex } from "./reindex.ts";
import { hasRoom, mustGiveWay, sum, wayOfAlert } from "./room.ts";
import { copyHeld, count, type Held, type Store, type TrailRow, type Way } from "./store.ts";

export type Identity = {
  workstation: WorkstationId;
  signer: Signer;
  session: SessionId;
  agentVersion: string;
  hostname: string;
};
export type Previous = NonNullable<TrailOpened["previous"]>;
export type SpoolStanding = { records: number; bytes: number; bytesMax: number; oldestTime?: Time };

export class Spool {
  readonly #store: Store;
  readonly #identity: Identity;
  readonly #now: () => number;
  #trail!: TrailRow;
  #edges!: Edges;
  #held: Held;
  #receipt: Receipt | undefined;
  #bytesMax: number;
  /** Where the search for contents of a way begins; only ever moves forward within a trail. */
  #oldest: [number, number] = [0, 0];
  #urgentThrough = 0;
  #dirtyCheckpoint = false;
  readonly #listeners = new Set<() => void>();

  constructor(store: Store, identity: Identity, now: () => number, bytesMax: number) {
    this.#store = store;
    this.#identity = identity;
    this.#now = now;
    this.#bytesMax = bytesMax;
    this.#held = store.held();
    const kept = store.state("receipt");
    this.#receipt = kept ? Receipt.parse(JSON.parse(kept)) : undefined;
    const trail = store.openTrail();
    if (trail && trail.workstation === identity.workstation) this.#use(trail);
    else if (trail) this.openTrail(this.#reEnrolled(trail), this.#committedOf(trail));
    else this.openTrail(undefined, 0);
    this.#urgentThrough = this.#trail.size;
  }

  get trail(): TrailId {
    return this.#trail.id;
  }
  get size(): number {
    return this.#trail.size;
  }
  /** First index still held. */
  get base(): number {
    return this.#trail.base;
  }
  get receipt(): Receipt | undefined {
    return this.#receipt?.trail === this.#trail.id ? this.#receipt : undefined;
  }
  /** The newest receipt of any trail of ours: what tells a console's epoch. */
  get lastReceipt(): Receipt | undefined {
    return this.#receipt;
  }
  /** Every record below is committed on the console. */
  get committed(): number {
    return this.#committedOf(this.#trail);
  }
  /** Records below this that have not gone out yet wait for nobody. */
  get urgentThrough(): number {
    return this.#urgentThrough;
  }
  get root(): Uint8Array {
    return root(sha256, this.#trail.edge);
  }
  get bytesMax(): number {
    return this.#bytesMax;
  }
  knowsTrail(id: TrailId): boolean {
    return this.#store.knowsTrail(id);
  }

  standing(): SpoolStanding {
    const first = this.#store.first(this.committed);
    const { bytes } = this.#held;
    return {
      records: this.size - this.committed,
      bytes: bytes[0] + bytes[1] + bytes[2],
      bytesMax: this.#bytesMax,
      ...(first ? { oldestTime: (JSON.parse(first.entry) as { time: Time }).time } : {}),
    };
  }

  /** Called when the trail has grown; a message only wakes. */
  onGrown(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setBytesMax(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    if (mustGiveWay(this.#held, bytesMax).some((bytes) => bytes > 0)) this.append([], []);
  }

  /** What a guest can cause without end is firm only up to a share. */
  wayOf({ kind, way, content }: Pick<Prepared, "kind" | "way" | "content">, waiting: Held): Way {
    return kind === "ids.alert" ? wayOfAlert(sum(this.#held, waiting), this.#bytesMax, content.length) : way;
  }

  /** Whether one more record of `way` may have an index, beside `waiting` that were let in before it. */
  hasRoom(way: Way, bytes: number, waiting: Held): boolean {
    if (hasRoom(sum(this.#held, waiting), this.#bytesMax, way, bytes)) return true;
    // what the console has committed already is no loss: it goes before anything else does
    if (this.committed <= this.base) return false;
    try {
      this.#change(() => this.#releaseTo(this.committed));
    } catch {
      // a disk that refuses even that has no room; the commit that follows says so
      return false;
    }
    this.#recount();
    return hasRoom(sum(this.#held, waiting), this.#bytesMax, way, bytes);
  }

  /** Gives each record its index and stores it with the positions, synced when it returns; returns the new size.
   *  @throws where the disk refuses; then nothing of it happened */
  append(records: readonly Prepared[], positions: readonly Position[]): number {
    const before = copyHeld(this.#held);
    const oldest: [number, number] = [...this.#oldest];
    let edge = this.#trail.edge;
    try {
      this.#change(() => {
        edge = this.#insert(edge, records);
        const gaps = this.#giveWay(edge.size);
        if (gaps.length > 0) edge = this.#insert(edge, gaps);
        for (const { name, value } of positions) this.#store.setPosition(name, canonicalText(value));
        if (edge.size !== this.#trail.size) this.#store.grown(this.#trail.id, edge);
      });
    } catch (error) {
      this.#held = before;
      this.#oldest = oldest;
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
  read(from: number, countMax: number, bytesMax: number): { records: BatchRecord[]; end: number; edge: Edge } {
    const records: BatchRecord[] = [];
    const leaves: Uint8Array[] = [];
    let bytes = 0;
    for (const row of this.#store.rows(from, countMax)) {
      bytes += row.entry.length + 48 + (row.content?.length ?? 0);
      if (bytes > bytesMax && records.length > 0) break;
      leaves.push(leafOf(row.entry));
      records.push(
        row.salt && row.content
          ? { entry: row.entry, salt: row.salt, content: Buffer.from(row.content).toString("utf8") }
          : { entry: row.entry },
      );
    }
    const edge = appendAll(sha256, this.#edges.at(from), leaves);
    this.#edges.know(edge);
    return { records, end: edge.size, edge };
  }

  /** First index at or after `from` whose content is still here. */
  oldestContent(from: number): number {
    return this.#store.firstHeld(from) ?? this.size;
  }

  /** Only ever of what is synced: the edges come from rows that were committed. */
  checkpoint(edge: Edge): string {
    const { workstation, signer } = this.#identity;
    const name = origin(workstation, this.#trail.id);
    return signCheckpoint(sha256, signer.sign, signer.publicKey, {
      origin: name,
      size: edge.size,
      root: root(sha256, edge),
    });
  }

  rootAt(size: number): Uint8Array {
    return root(sha256, this.#edges.at(size));
  }

  /** Keeps a receipt that was judged to fit, and lets go of what it calls safe.
   *  @throws where the disk refuses; the receipt counts all the same until the agent ends, and nothing was let go */
  settle(receipt: Receipt): void {
    const base = Math.min(receipt.safe, receipt.size);
    this.#receipt = receipt;
    this.#change(() => {
      this.#store.setState("receipt", canonicalText(receipt));
      if (base > this.base) this.#releaseTo(base);
    });
    this.#recount();
  }

  /** After a trail was opened because of it: the epoch counts from here on, though the old trail does not. */
  hearEpoch(receipt: Receipt): void {
    this.#store.setState("receipt", canonicalText(receipt));
    this.#receipt = receipt;
  }

  /** Opens a new trail that names the one it goes on from, and indexes what is held from `keepFrom` on anew. */
  openTrail(previous: Previous | undefined, keepFrom: number): void {
    const { workstation, session, agentVersion, hostname } = this.#identity;
    const id = randomUUID() as TrailId;
    const old = this.#store.newestTrail();
    const opened = prepare({
      kind: "trail.opened",
      severity: previous ? "warning" : "notice",
      time: this.#now(),
      text: previous ? `Trail opened; it goes on from another one (${previous.reason})` : "Trail opened",
      body: { trail: id, agentVersion, hostname, session, ...(previous ? { previous } : {}) },
    });
    this.#store.transaction(() => {
      this.#store.release(Math.max(keepFrom, old && old.base === 0 ? 1 : 0));
      const moved = reindex(this.#store, old?.id, old?.size ?? 0, 1);
      this.#store.addTrail(id, workstation, new Date(this.#now()).toISOString());
      const salt = freshSalt();
      const { entry, leaf } = indexed(opened, 0, salt);
      this.#store.insert({
        idx: 0,
        way: opened.way,
        bytes: opened.content.length,
        entry,
        salt,
        content: opened.content,
      });
      this.#store.grown(id, appendAll(sha256, EMPTY_EDGE, [leaf, ...moved]));
    });
    this.#held = this.#store.held();
    this.#use(this.#store.openTrail()!);
    this.#urgentThrough = this.size;
    this.saveCheckpoint();
    this.#tell();
  }

  /** The newest checkpoint, beside the trail, for whoever asks on this machine. Signed after the sync, so it is one
   *  commit behind at a power loss, never ahead. */
  saveCheckpoint(): void {
    this.#dirtyCheckpoint = false;
    this.#store.checkpoint(this.#trail.id, this.checkpoint(this.#trail.edge));
  }
  get checkpointIsOld(): boolean {
    return this.#dirtyCheckpoint;
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
      if (this.#dirtyCheckpoint) this.saveCheckpoint();
    } finally {
      this.#store.close();
    }
  }

  #use(trail: TrailRow): void {
    this.#trail = trail;
    this.#oldest = [trail.base, trail.base];
    this.#edges = edgesOf(trail.baseEdge, (from, to) => this.#store.entries(from, to));
    this.#edges.know(trail.edge);
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
      count(this.#held, record);
    }
    return appendAll(sha256, edge, leaves);
  }

  /** Gives up contents until all is within bounds; the gap records it returns go into the same transaction. */
  #giveWay(size: number): Prepared[] {
    if (mustGiveWay(this.#held, this.#bytesMax).every((bytes) => bytes === 0)) return [];
    if (this.committed > this.base) {
      this.#releaseTo(this.committed);
      this.#held = this.#store.held();
    }
    const [logs, seen] = mustGiveWay(this.#held, this.#bytesMax);
    const from = this.#trail.base;
    return [
      ...this.#giveUp(0, logs, Math.max(from, this.#oldest[0]), size),
      ...this.#giveUp(1, seen, Math.max(from, this.#oldest[1]), size),
    ];
  }

  #giveUp(way: 0 | 1, bytesWanted: number, start: number, size: number): Prepared[] {
    const given = giveUp(this.#store, way, bytesWanted, start, size);
    if (!given) return [];
    this.#oldest[way] = given.to;
    this.#held.bytes[way] -= given.bytes;
    this.#held.contents[way] -= given.contents;
    return [gap(this.#now(), given)];
  }

  /** A transaction after which memory says what the disk says, however it ended. */
  #change(act: () => void): void {
    const before = this.#trail;
    try {
      this.#store.transaction(act);
    } catch (error) {
      this.#trail = before;
      this.#edges.reset(before.baseEdge);
      throw error;
    }
  }

  /** Inside a transaction. */
  #releaseTo(base: number): void {
    const edge = this.#edges.at(base);
    this.#store.release(base);
    this.#store.based(this.#trail.id, edge);
    this.#trail = { ...this.#trail, base, baseEdge: edge };
    this.#edges.reset(edge);
  }

  #recount(): void {
    this.#held = this.#store.held();
  }

  #grownTo(edge: Edge, records: readonly Prepared[]): void {
    if (edge.size === this.#trail.size) return;
    const gaps = edge.size - this.#trail.size > records.length;
    if (gaps || records.some((record) => record.way === 2)) this.#urgentThrough = edge.size;
    this.#trail = { ...this.#trail, edge, size: edge.size };
    this.#edges.know(edge);
    this.#dirtyCheckpoint = true;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #committedOf(trail: TrailRow): number {
    return this.#receipt?.trail === trail.id ? Math.max(this.#receipt.size, trail.base) : trail.base;
  }

  #reEnrolled(trail: TrailRow): Previous {
    const size = Math.max(trail.base, Math.min(this.#committedOf(trail), trail.size));
    const edges = edgesOf(trail.baseEdge, (from, to) => this.#store.entries(from, to));
    return {
      trail: trail.id,
      size: size as Index,
      root: Buffer.from(root(sha256, edges.at(size))).toString("hex") as Previous["root"],
      reason: "re-enrolled",
    };
  }
}
