/** A LUKS2 header as `cryptsetup luksDump --dump-json-metadata` prints it → what is reported of a volume. Bounded; what
 *  is not ours to know is left out. */
import { z } from "zod";
import { fail, ok, type Result } from "../base/result.ts";

/** LUKS2's JSON area is at most 4 MiB less its binary header (LUKS2 On-Disk Format Specification 1.1, 2.2). */
export const HEADER_CHARS_MAX = 4 * 1024 * 1024;
const SLOTS_MAX = 32;

/** Numbers beyond 2^53 are strings in it; all of ours are far below. */
const bytes = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const number = z.string().regex(/^\d{1,2}$/);
const few = <T extends z.ZodType>(schema: T) =>
  z.record(number, schema).refine((each) => Object.keys(each).length <= SLOTS_MAX, `more than ${SLOTS_MAX}`);

const Dumped = z.object({
  keyslots: few(
    z.object({
      type: z.string().max(64),
      key_size: z.int().min(1).max(512),
      kdf: z.object({ type: z.string().max(64) }).optional(),
    }),
  ),
  tokens: few(z.object({ type: z.string().max(128), keyslots: z.array(number).max(SLOTS_MAX) })),
  segments: few(
    z.object({
      type: z.string().max(64),
      offset: bytes,
      encryption: z.string().max(128).optional(),
      sector_size: z.int().min(512).max(65_536).optional(),
    }),
  ),
  config: z.object({ json_size: bytes, keyslots_size: bytes }),
});

/** `headerBytes`: both copies of the metadata; `areaBytes`: those and all keys, up to where the data begins. */
export type Header = {
  cipher: string;
  sectorBytes: number;
  slots: { slot: number; kdf: string; keyBits: number }[];
  tokens: { type: string; slots: number[] }[];
  headerBytes: number;
  areaBytes: number;
};

/** The binary header before the JSON area; `json_size` counts the JSON area alone. */
const BINARY_HEADER_BYTES = 4_096;

/** Bounded by HEADER_CHARS_MAX and 32 slots; never throws. */
export function readHeader(untrusted: string): Result<Header> {
  if (untrusted.length > HEADER_CHARS_MAX) return fail(`the header has ${untrusted.length} characters`);
  let json: unknown;
  try {
    json = JSON.parse(untrusted);
  } catch (error) {
    return fail(`the header is no JSON: ${(error as Error).message}`);
  }
  const read = Dumped.safeParse(json);
  if (!read.success) return fail(z.prettifyError(read.error));
  const { keyslots, tokens, segments, config } = read.data;
  const segment = Object.values(segments).find(({ type }) => type === "crypt");
  if (!segment) return fail("the header names no encrypted segment");
  const headerBytes = 2 * (BINARY_HEADER_BYTES + config.json_size);
  return ok({
    cipher: segment.encryption ?? "unknown",
    sectorBytes: segment.sector_size ?? 512,
    slots: Object.entries(keyslots).map(([slot, { kdf, key_size }]) => ({
      slot: Number(slot),
      kdf: kdf?.type ?? "unknown",
      keyBits: key_size * 8,
    })),
    tokens: Object.values(tokens).map(({ type, keyslots: slots }) => ({ type, slots: slots.map(Number) })),
    headerBytes,
    // a detached header's data begins at 0: then its own sizes say how long it is
    areaBytes: Math.max(segment.offset, headerBytes + config.keyslots_size),
  });
}
