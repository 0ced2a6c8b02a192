/** The JSON that `cryptsetup luksDump --dump-json-metadata` prints: what is read of it, and its bounds. */
import { z } from "zod";

const SLOTS_MAX = 32;

/** Numbers beyond 2^53 are strings in it; all of ours are far below. */
const bytes = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const number = z.string().regex(/^\d{1,2}$/);
const few = <T extends z.ZodType>(schema: T) =>
  z.record(number, schema).refine((each) => Object.keys(each).length <= SLOTS_MAX, `more than ${SLOTS_MAX}`);
const words = z.array(z.string().max(128)).max(32);

export const Dumped = z.object({
  keyslots: few(
    z.object({
      type: z.string().max(64),
      key_size: z.int().min(1).max(512),
      kdf: z.object({ type: z.string().max(64) }).optional(),
      area: z.object({ encryption: z.string().max(128).optional() }).optional(),
      mode: z.string().max(64).optional(),
    }),
  ),
  tokens: few(
    z.object({
      type: z.string().max(128),
      keyslots: z.array(number).max(SLOTS_MAX),
      sealed: z.string().max(128).optional(),
      key: z.string().max(128).optional(),
      to: z.string().max(128).optional(),
      instead: z.array(z.int().min(0).max(31)).max(SLOTS_MAX).optional(),
      "tpm2-pcrs": z.array(z.int().min(0).max(31)).max(32).optional(),
      "tpm2-pin": z.boolean().optional(),
    }),
  ),
  segments: few(
    z.object({
      type: z.string().max(64),
      offset: bytes,
      encryption: z.string().max(128).optional(),
      sector_size: z.int().min(512).max(65_536).optional(),
      flags: words.optional(),
      integrity: z.object({ type: z.string().max(64) }).optional(),
    }),
  ),
  digests: few(z.object({ keyslots: z.array(number).max(SLOTS_MAX), segments: z.array(number).max(SLOTS_MAX) })),
  config: z.object({
    json_size: bytes,
    keyslots_size: bytes,
    flags: words.optional(),
    requirements: z.object({ mandatory: words.optional() }).optional(),
  }),
});
export type Dumped = z.infer<typeof Dumped>;
