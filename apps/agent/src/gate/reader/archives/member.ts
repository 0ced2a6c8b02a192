/** Source → members of an archive. What each archive reader gives, and the bounds it unpacks within. */
import { LimitReached, type Source } from "../source.ts";
import type { EntryKind } from "../volume.ts";

/** Unpacked as it is read; `packed` bytes of the archive hold it. */
export type Stream = { chunks: () => AsyncGenerator<Buffer>; packed: number };

export type Member = {
  /** As written in the archive: a claim, `..` and all. */
  name: Buffer;
  kind: EntryKind;
  /** Bytes as the archive says, or null where it does not. */
  size: number | null;
  content: Source | Stream | null;
  problem?: string;
  detail?: string;
  /** Bytes of a disk that are no file of it: nobody opens them by a name. */
  region?: true;
  /** Whoever unpacks this archive at all comes upon these bytes: it has one reading, and a method that all know. */
  plain?: true;
};

export const isStream = (content: Source | Stream): content is Stream => "chunks" in content;

/** Bounds added up over one medium. */
export type ArchiveBounds = { bytes: number; ratio: number; count: number; depth: number };

export type Budget = {
  readonly depth: number;
  /** @throws LimitReached past the count */
  member(): void;
  /** @throws LimitReached past the bytes, or where `out` of `packed` is beyond the ratio */
  unpacked(bytes: number, out: number, packed: number): void;
};

/** Below this a high ratio harms nobody: a page of zeros is one. */
const RATIO_FROM_BYTES = 1024 * 1024;

export function budget(bounds: ArchiveBounds): Budget {
  let bytesLeft = bounds.bytes;
  let membersLeft = bounds.count;
  return {
    depth: bounds.depth,
    member() {
      membersLeft -= 1;
      if (membersLeft < 0) throw new LimitReached(`more than ${bounds.count} members in archives`);
    },
    unpacked(bytes, out, packed) {
      bytesLeft -= bytes;
      if (bytesLeft < 0) throw new LimitReached(`more than ${bounds.bytes} bytes unpacked from archives`);
      if (out > RATIO_FROM_BYTES && out > packed * bounds.ratio) {
        throw new LimitReached(`it unpacks to more than ${bounds.ratio} times its size`);
      }
    },
  };
}
