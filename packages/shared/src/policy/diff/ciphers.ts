/** The ciphers that a guest's volume may have, before and after → the change in words. Pure. */
import type { Change } from "./change.ts";

export type Ciphers = readonly string[] | undefined;

/** Not set allows any. */
export function diffCiphers(before: Ciphers, after: Ciphers): Change[] {
  const section = "disk";
  const isIn = (all: NonNullable<Ciphers>, some: NonNullable<Ciphers>) => some.every((each) => all.includes(each));
  const isLooser = before !== undefined && (after === undefined || !isIn(before, after));
  const isSame = before !== undefined && after !== undefined && isIn(before, after) && isIn(after, before);
  const say = (all: Ciphers) => all?.join(", ") ?? "any";
  const words = `ciphers of the guest's volume: ${say(before)} → ${say(after)}`;
  return [{ section, effect: isSame ? "other" : isLooser ? "looser" : "tighter", words }];
}
