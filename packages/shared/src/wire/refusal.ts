/** What the embedded broker refused of one sender, on that sender's `refused` topic: the newest of `count` attempts. */
import { z } from "zod";

export const REFUSAL_TOPIC_CHARS_MAX = 256;
/** Of what was to be published, so much from its begin. */
export const REFUSAL_BYTES_MAX = 16 * 1024;

/** `topic`: where it was to go. `size`: bytes of the whole message, `bytes` (base64) the first of them. */
export const Refusal = z.object({
  topic: z.string().max(REFUSAL_TOPIC_CHARS_MAX),
  count: z.int().min(1),
  size: z.int().min(0),
  bytes: z.base64().max(Math.ceil(REFUSAL_BYTES_MAX / 3) * 4),
});
export type Refusal = z.infer<typeof Refusal>;

/** Characters of a whole one: each of its topic's may be spelt as six. */
export const REFUSAL_CHARS_MAX = Math.ceil(REFUSAL_BYTES_MAX / 3) * 4 + 6 * REFUSAL_TOPIC_CHARS_MAX + 256;
