/** A moment as a field of `datetime-local` gives it: the browser's own time, with no zone. Such a field takes years of six
 *  digits; a store and an address have four. Pure. */
export type Typed = { ok: true; at: string | undefined } | { ok: false; fault: string };

const FAULT = "this is no moment of the years 1 to 9999";

export function readTyped(typed: string): Typed {
  if (typed === "") return { ok: true, at: undefined };
  const date = new Date(typed);
  if (Number.isNaN(date.getTime())) return { ok: false, fault: FAULT };
  const at = date.toISOString();
  // beyond four digits it is written with a sign
  return /^(?!0000)\d{4}-/.test(at) ? { ok: true, at } : { ok: false, fault: FAULT };
}
