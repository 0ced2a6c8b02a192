/** A trail that goes on from none, or from another → its row and first record on disk, with what is held indexed anew. */
import { randomUUID } from "node:crypto";
import type { Index, SessionId, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { TrailOpened } from "@sallyport/shared/record/agent.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { appendAll, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import { sha256 } from "../dom0/crypto.ts";
import { edgesOf } from "./edges.ts";
import { freshSalt, indexed, prepare } from "./prepare.ts";
import { reindex } from "./reindex.ts";
import type { Store, TrailRow } from "./store.ts";

export type Identity = {
  workstation: WorkstationId;
  signer: Signer;
  session: SessionId;
  agentVersion: string;
  hostname: string;
};
export type Previous = NonNullable<TrailOpened["previous"]>;

/** What is held from `keepFrom` on moves behind the first record. */
export function beginTrail(
  store: Store,
  identity: Identity,
  now: number,
  previous: Previous | undefined,
  keepFrom: number,
): void {
  const { workstation, session, agentVersion, hostname } = identity;
  const id = randomUUID() as TrailId;
  const old = store.newestTrail();
  const opened = prepare({
    kind: "trail.opened",
    severity: previous ? "warning" : "notice",
    time: now,
    text: previous ? `Trail opened; it goes on from another one (${previous.reason})` : "Trail opened",
    body: { trail: id, agentVersion, hostname, session, ...(previous ? { previous } : {}) },
  });
  store.transaction(() => {
    store.release(Math.max(keepFrom, old && old.base === 0 ? 1 : 0));
    const moved = reindex(store, old?.id, old?.size ?? 0, 1);
    store.addTrail(id, workstation, new Date(now).toISOString());
    const salt = freshSalt();
    const { entry, leaf } = indexed(opened, 0, salt);
    store.insert({ idx: 0, way: opened.way, bytes: opened.content.length, entry, salt, content: opened.content });
    store.grown(id, appendAll(sha256, EMPTY_EDGE, [leaf, ...moved]));
  });
}

/** How a trail that another workstation's identity left is named by the next; `committed` is where the console has it. */
export function reEnrolled(store: Store, trail: TrailRow, committed: number): Previous {
  const size = Math.max(trail.base, Math.min(committed, trail.size));
  const edges = edgesOf(trail.baseEdge, (from, to) => store.entries(from, to));
  return {
    trail: trail.id,
    size: size as Index,
    root: Buffer.from(root(sha256, edges.at(size))).toString("hex") as Previous["root"],
    reason: "re-enrolled",
  };
}
