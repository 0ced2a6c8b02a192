/** What is held moves to a new trail: same salt and content, so that its commitment stays what it was; a new index. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Index, Sha256, TrailId } from "@sallyport/shared/base/ids.ts";
import { commitment, contentBytes } from "@sallyport/shared/record/content.ts";
import { type Entry, entryText, leafHash } from "@sallyport/shared/trail/entry.ts";
import { sha256 } from "../dom0/crypto.ts";
import type { Row, Store } from "./store.ts";

const ROWS = 64;

/** Gives the rows that are there the indices from `first` on and returns their leaves. Inside a transaction. Rows move
 *  down in rising order, or up by one in falling order, so that no two ever share an index. */
export function reindex(store: Store, old: TrailId | undefined, oldSize: number, first: number): Uint8Array[] {
  const lowest = store.first(0)?.idx;
  if (lowest === undefined) return [];
  if (lowest < first) throw new RangeError(`row ${lowest} would move up`);
  const shift = lowest - first;
  const leaves: Uint8Array[] = [];
  for (let from = lowest; from < oldSize; ) {
    const rows = [...store.rows(from, ROWS)].filter((row) => row.idx < oldSize);
    if (rows.length === 0) break;
    for (const row of rows) {
      const moved = move(row, shift, lowest, old);
      store.rewrite(row.idx, moved);
      leaves.push(leafHash(sha256, moved.entry));
    }
    from = rows.at(-1)!.idx + 1;
  }
  return leaves;
}

function move(row: Row, shift: number, lowest: number, old: TrailId | undefined): Omit<Row, "way" | "salt"> {
  const entry = JSON.parse(row.entry) as Entry;
  const moved = { ...entry, index: (entry.index - shift) as Index };
  if (entry.kind === "agent.gap" && row.content && row.salt) {
    const content = moveGap(row.content, shift, lowest, old);
    moved.content = toHex(commitment(sha256, row.salt, content)) as Sha256;
    return { idx: moved.index, entry: entryText(moved), bytes: content.length, content };
  }
  return { idx: moved.index, entry: entryText(moved), bytes: row.bytes, content: row.content };
}

/** A gap names indices of the trail it is on. One that lies wholly on the old trail says so. */
function moveGap(untouched: Uint8Array, shift: number, lowest: number, old: TrailId | undefined): Uint8Array {
  const { text, body } = JSON.parse(Buffer.from(untouched).toString("utf8")) as {
    text: string;
    body: { from: number; to: number; contents: number; trail?: string };
  };
  if (body.trail) return untouched;
  if (body.to <= lowest) return contentBytes({ text, body: { ...body, ...(old ? { trail: old } : {}) } });
  const from = Math.max(body.from, lowest) - shift;
  const to = body.to - shift;
  const words = `The spool was full: the contents of records from ${from} to ${to - 1} were given up`;
  return contentBytes({ text: words, body: { ...body, from, to, contents: Math.min(body.contents, to - from) } });
}
