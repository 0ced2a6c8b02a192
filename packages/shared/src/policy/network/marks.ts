/** Which marks a ruleset puts on the connections that it lets begin. Each section has marks of its own, counted on from those
 *  in force, so that no connection of an earlier section has one of a later one; they begin again at 1 only where every
 *  mark that a connection has is forgotten first. Pure. */
import type { NetworkSection } from "../network.ts";

/** `first` for whatever the section lets begin, those behind it for rules with times, by their numbers. */
export type MarkRange = {
  first: number;
  last: number;
  /** Its digest, in hex. */
  section: string;
};

/** A direction has half of the kernel's 32 bits. 0 is a connection without a mark. */
export const MARK_MAX = 0xffff;

/** `inForce`: those of the table that is loaded; nothing where there is none, or none that says so. `again`: marks must be
 *  forgotten before it is loaded. */
export function marksOf(
  { rules }: NetworkSection,
  section: string,
  inForce: MarkRange | undefined,
): MarkRange & { again: boolean } {
  const more = rules.some(({ during }) => during !== undefined) ? rules.length : 0;
  const next = inForce === undefined ? MARK_MAX + 1 : inForce.section === section ? inForce.first : inForce.last + 1;
  const again = next + more > MARK_MAX;
  const first = again ? 1 : next;
  return { first, last: first + more, section, again };
}

/** As the table says it of itself. */
export const marksText = ({ first, last, section }: MarkRange): string => `marks ${first}-${last} of ${section}`;

export function readMarks(text: string): MarkRange | undefined {
  const [, first, last, section] = /^marks (\d{1,5})-(\d{1,5}) of ([0-9a-f]{64})$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last), section: section! };
  return range.first >= 1 && range.last >= range.first && range.last <= MARK_MAX ? range : undefined;
}
