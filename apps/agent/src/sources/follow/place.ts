/** Where a followed file was read to: stored with the records it gave, so that each line is read exactly once. */
import { z } from "zod";

export const Place = z.object({
  device: z.string().max(64),
  inode: z.string().max(64),
  /** Bytes from the file's begin to behind the last line that became a record. */
  offset: z.int().min(0),
  /** Up to BEFORE_BYTES bytes that stand before `offset`, base64: a file that was cut and grew again is another one. */
  before: z.string().max(64),
  /** A long line is being read in parts: its id, and how many of them there were. */
  long: z.object({ of: z.string().max(64), parts: z.int().min(1) }).nullable(),
});
export type Place = z.infer<typeof Place>;

export const BEFORE_BYTES = 24;

/** The last BEFORE_BYTES bytes of what was read, `seen` before `chunk` up to `length` of it. */
export function bytesBefore(seen: Buffer, chunk: Buffer, length: number): Buffer {
  if (length >= BEFORE_BYTES) return chunk.subarray(length - BEFORE_BYTES, length);
  const joined = Buffer.concat([seen, chunk.subarray(0, length)]);
  return joined.subarray(Math.max(0, joined.length - BEFORE_BYTES));
}
