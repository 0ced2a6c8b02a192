/** What clamd says OK of without a look, whatever follows: a few types that it knows by their first bytes (libclamav's
 *  own table of types, those that it ignores). Behind zeros it takes the same bytes for data, and looks at them. */

/** As many as clamd looks at for a type and more. */
export const NEUTRAL = Buffer.alloc(4096);

const HEADS = [
  ...["ID3", "OggS", ".RMF", "SIP-HIT (SIP/H", "SQLite format 3\0", "SYMC\x01\0"].map((text) => Buffer.from(text)),
  // MP3 without a tag; SQLite's log, in both orders of bytes, and its journal
  ...["fffb90", "377f0682002de218", "377f0683002de218", "d9d505f920a163d7"].map((hex) => Buffer.from(hex, "hex")),
];
/** An image's own header within a PDF, near the beginning. */
const NEAR = Buffer.concat([Buffer.from("/RGB\nID\n"), Buffer.alloc(24, 0xff)]);
const NEAR_FROM_MAX = 128;

/** So many bytes tell, or all that there are. */
export const START_BYTES = NEAR_FROM_MAX + NEAR.length;

export const isPassedOver = (head: Buffer): boolean =>
  HEADS.some((mark) => head.subarray(0, mark.length).equals(mark)) || head.subarray(0, START_BYTES).includes(NEAR);
