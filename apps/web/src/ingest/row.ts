/** One record of a batch, checked, beside its bytes, between reading and writing it. `body` only of a kind that is looked
 *  into, with its shape. */
export type Row = {
  index: number;
  timeMs: number;
  kind: string;
  severity: number;
  guest: string | undefined;
  text: string;
  /** 64 hex digits. */
  contentHash: string;
  marked: string | undefined;
  body: unknown;
};
