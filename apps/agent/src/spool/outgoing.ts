/** Rows → records as they travel, with the tree's edge behind the last of them. */
import { appendAll, type Edge } from "@sallyport/shared/trail/tree.ts";
import type { BatchRecord } from "@sallyport/shared/wire/batch.ts";
import { sha256 } from "../dom0/crypto.ts";
import type { Edges } from "./edges.ts";
import { leafOf } from "./prepare.ts";
import type { Store } from "./store.ts";

/** A salt in base64, and the names around entry and content. */
const AROUND_BYTES = 48;

export type Outgoing = { records: BatchRecord[]; end: number; edge: Edge };

/** From index `from` on, up to so many, and to so many bytes; the edge is the tree's at `end`. */
export function outgoing(
  store: Pick<Store, "rows">,
  edges: Pick<Edges, "at" | "know">,
  from: number,
  countMax: number,
  bytesMax: number,
): Outgoing {
  const records: BatchRecord[] = [];
  const leaves: Uint8Array[] = [];
  let bytes = 0;
  for (const row of store.rows(from, countMax)) {
    bytes += row.entry.length + AROUND_BYTES + (row.content?.length ?? 0);
    if (bytes > bytesMax && records.length > 0) break;
    leaves.push(leafOf(row.entry));
    records.push(
      row.salt && row.content
        ? { entry: row.entry, salt: row.salt, content: Buffer.from(row.content).toString("utf8") }
        : { entry: row.entry },
    );
  }
  const edge = appendAll(sha256, edges.at(from), leaves);
  edges.know(edge);
  return { records, end: edge.size, edge };
}
