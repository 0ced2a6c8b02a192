/** The trail that records go to ↔ its row on disk and the edges of its tree: a transaction after which memory says what
 *  the disk says, however it ended. */
import { origin, signCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { type Edge, root } from "@sallyport/shared/trail/tree.ts";
import { sha256 } from "../dom0/crypto.ts";
import { type Edges, edgesOf } from "./edges.ts";
import type { Identity } from "./opening.ts";
import type { Store, TrailRow } from "./store.ts";

export class OpenTrail {
  readonly #store: Store;
  readonly #identity: Pick<Identity, "workstation" | "signer">;
  readonly #edges: Edges;
  #row: TrailRow;
  #dirtyCheckpoint = false;

  constructor(store: Store, identity: Pick<Identity, "workstation" | "signer">, row: TrailRow) {
    this.#store = store;
    this.#identity = identity;
    this.#row = row;
    this.#edges = edgesOf(row.baseEdge, (from, to) => store.entries(from, to));
    this.#edges.know(row.edge);
  }

  get row(): TrailRow {
    return this.#row;
  }
  get edges(): Pick<Edges, "at" | "know"> {
    return this.#edges;
  }

  rootAt(size: number): Uint8Array {
    return root(sha256, this.#edges.at(size));
  }

  /** All or nothing, synced when it returns. @throws where the disk refuses */
  change(act: () => void): void {
    const before = this.#row;
    try {
      this.#store.transaction(act);
    } catch (error) {
      this.#row = before;
      this.#edges.reset(before.baseEdge);
      throw error;
    }
  }

  /** Inside `change`. */
  releaseTo(base: number): void {
    const edge = this.#edges.at(base);
    this.#store.release(base);
    this.#store.based(this.#row.id, edge);
    this.#row = { ...this.#row, base, baseEdge: edge };
    this.#edges.reset(edge);
  }

  /** After a commit. */
  grownTo(edge: Edge): void {
    this.#row = { ...this.#row, edge, size: edge.size };
    this.#edges.know(edge);
    this.#dirtyCheckpoint = true;
  }

  /** Only ever of what is synced: the edges come from rows that were committed. */
  checkpoint(edge: Edge): string {
    const { workstation, signer } = this.#identity;
    const name = origin(workstation, this.#row.id);
    return signCheckpoint(sha256, signer.sign, signer.publicKey, {
      origin: name,
      size: edge.size,
      root: root(sha256, edge),
    });
  }

  /** The newest checkpoint, beside the trail, for whoever asks on this machine. Signed after the sync, so it is one
   *  commit behind at a power loss, never ahead. */
  saveCheckpoint(): void {
    this.#dirtyCheckpoint = false;
    this.#store.checkpoint(this.#row.id, this.checkpoint(this.#row.edge));
  }
  get checkpointIsOld(): boolean {
    return this.#dirtyCheckpoint;
  }
}
