/** Content → seen once, and a source to look inside of it. What came as a stream is kept aside only where its first or last
 *  bytes, or a mark in the middle, say that something may lie inside; the last two are known at its end, so it is unpacked
 *  a second time then. */
import { search } from "./archives/embedded.ts";
import { headTells, TAIL_BYTES, tailTells } from "./archives/format.ts";
import { HEAD_BYTES } from "./archives/marks.ts";
import { isStream, type Stream } from "./archives/member.ts";
import { type Spool, spool } from "./archives/spool.ts";
import { type Ask, look, type Seen } from "./content.ts";
import { documentHead } from "./documents/locked.ts";
import { bytesSource, type Source } from "./source.ts";

export type Kept = { seen: Seen; source: Source | null; places: readonly number[]; drop(): void };

const mayHold = (head: Buffer): boolean => headTells(head) || documentHead(head);

/** `each` is told of every chunk, and may throw to end it.
 *  @throws Damaged, LimitReached */
export async function seeOnce(
  content: Source | Stream,
  size: number | null,
  ask: Ask,
  workDir: string | null,
  each: (chunk: Buffer) => void,
  vouched = false,
): Promise<Kept> {
  const marks = search();
  if (!isStream(content)) {
    const seen = await look(
      content,
      size,
      ask,
      HEAD_BYTES,
      async (chunk) => {
        each(chunk);
        marks.add(chunk);
      },
      vouched,
    );
    // a small one is whole in its head
    const source = seen.size <= HEAD_BYTES ? bytesSource(seen.head) : content;
    return { seen, source, places: marks.places(), drop() {} };
  }
  const keeping = keeper(workDir);
  const tail = lastBytes();
  try {
    const seen = await look(
      content,
      size,
      ask,
      HEAD_BYTES,
      async (chunk, head) => {
        each(chunk);
        marks.add(chunk);
        tail.add(chunk);
        keeping.add(chunk, head);
      },
      vouched,
    );
    const places = marks.places();
    const drop = () => keeping.drop();
    if (seen.size <= HEAD_BYTES) return { seen, source: bytesSource(seen.head), places, drop };
    if (!keeping.kept() && (places.length > 0 || tailTells(tail.bytes()))) await keeping.again(content);
    return { seen, source: keeping.kept()?.source() ?? null, places, drop };
  } catch (error) {
    keeping.drop();
    throw error;
  }
}

function keeper(workDir: string | null) {
  let kept: Spool | null = null;
  let waiting: Buffer[] | null = [];
  return {
    kept: () => kept,
    add(chunk: Buffer, head: Buffer) {
      if (waiting === null) {
        kept?.add(chunk);
        return;
      }
      waiting.push(chunk);
      if (head.length < HEAD_BYTES) return;
      if (mayHold(head)) {
        kept = spool(workDir);
        for (const each of waiting) kept.add(each);
      }
      waiting = null;
    },
    async again(content: Stream) {
      kept = spool(workDir);
      for await (const chunk of content.chunks()) kept.add(chunk);
    },
    drop() {
      kept?.drop();
      kept = null;
    },
  };
}

function lastBytes() {
  let chunks: Buffer[] = [];
  let held = 0;
  return {
    add(chunk: Buffer) {
      chunks.push(chunk);
      held += chunk.length;
      while (held - chunks[0]!.length >= TAIL_BYTES) held -= chunks.shift()!.length;
    },
    bytes(): Buffer {
      const all = Buffer.concat(chunks);
      chunks = [];
      return all.subarray(-TAIL_BYTES);
    },
  };
}
