/** A disk's image that the scanner does not take whole → its bytes in pieces that it takes, one beside the next and a little
 *  over it. What a scanner makes of a disk beyond its bytes, the files on it, is asked apart (examine.ts). */
import type { Answer } from "./clamd.ts";
import type { Ask } from "./content.ts";
import { NEUTRAL } from "./passed-over.ts";
import { CHUNK_BYTES, type Source } from "./source.ts";

const MIB = 1024 * 1024;
const PIECE_BYTES_MAX = 8 * MIB;
/** Pieces that the scanner ends at a limit are halved as far as this. */
const PIECE_BYTES_MIN = MIB;
/** Each reaches so far into the next: no signature of bytes is as long. */
const OVERLAP_BYTES = 128 * 1024;

type InTurn = (work: () => Promise<Answer>) => Promise<Answer>;

/** Whether a scanner with that limit can be asked so. */
export const fitsInPieces = (scannerBytes: number): boolean => scannerBytes >= PIECE_BYTES_MIN + NEUTRAL.length;

/** Zeros stand before each piece: by its first bytes clamd would take one for a sound, which it passes over, or a page, of
 *  which it does not look at the bytes as they lie. Clean only where each piece is. @throws Damaged where it cannot be read */
export async function askInPieces(source: Source, ask: Ask, scannerBytes: number, inTurn: InTurn): Promise<Answer> {
  const most = Math.min(PIECE_BYTES_MAX, scannerBytes - NEUTRAL.length);
  const piece = async (from: number, bytes: number, before = NEUTRAL): Promise<Answer> => {
    const answer = await inTurn(() => askPiece(source, ask, from, bytes, before));
    if (answer.answer !== "limit" || bytes < 2 * PIECE_BYTES_MIN) return answer;
    const half = Math.ceil((bytes + OVERLAP_BYTES) / 2);
    const first = await piece(from, half, before);
    return first.answer === "clean" ? await piece(from + bytes - half, half) : first;
  };
  // signatures of boot sectors are tied to the first byte
  const start = await piece(0, Math.min(most, source.size), Buffer.alloc(0));
  if (start.answer !== "clean") return start;
  for (let from = 0; ; from += most - OVERLAP_BYTES) {
    const bytes = Math.min(most, source.size - from);
    const answer = await piece(from, bytes);
    if (answer.answer !== "clean" || from + bytes >= source.size) return answer;
  }
}

async function askPiece(source: Source, ask: Ask, from: number, bytes: number, before: Buffer): Promise<Answer> {
  let question: ReturnType<Ask["begin"]> | null = null;
  try {
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      const chunk = source.read(from + at, Math.min(CHUNK_BYTES, bytes - at));
      // nothing but zeros holds no signature, and most of a virtual machine's disk is that
      if (question === null && before.length > 0 && isZeros(chunk)) continue;
      if (question === null) {
        question = ask.begin(before.length + bytes - at);
        await question.write(before);
      }
      await question.write(chunk);
    }
    return question === null ? { answer: "clean" } : await question.finish();
  } catch (error) {
    question?.abandon();
    throw error;
  }
}

const ZEROS = Buffer.alloc(CHUNK_BYTES);
const isZeros = (chunk: Buffer): boolean => chunk.equals(ZEROS.subarray(0, chunk.length));
