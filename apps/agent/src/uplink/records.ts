/** What the uplink records of receipts that make no sense. Times are the agent's clock, in milliseconds. */
import type { Observation } from "@sallyport/shared/record/record.ts";

const WORDS_MAX = 512;
const KEPT_BYTES_MAX = 4_096;

/** Nothing is sent until a receipt makes sense again. */
export const sendingStopped = (why: string, time: number): Observation => ({
  kind: "agent.malformed",
  severity: "critical",
  time,
  text: `Sending stopped: ${why}`.slice(0, WORDS_MAX),
  body: { source: "receipt", reason: why.slice(0, WORDS_MAX), bytes: 0, rawBase64: "", truncated: false },
});

/** A receipt that the console's key did not sign releases nothing. */
export const receiptForged = (why: string, untrusted: Uint8Array, time: number): Observation => ({
  kind: "agent.malformed",
  severity: "error",
  time,
  text: "A receipt came that the console did not sign; nothing was released",
  body: {
    source: "receipt",
    reason: why.slice(0, WORDS_MAX),
    bytes: untrusted.length,
    rawBase64: Buffer.from(untrusted.subarray(0, KEPT_BYTES_MAX)).toString("base64"),
    truncated: untrusted.length > KEPT_BYTES_MAX,
  },
});
