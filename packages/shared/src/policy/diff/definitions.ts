/** The scanner's definitions before and after → changes in words, file by file. Pure. */
import type { Change } from "./change.ts";

export type Definitions = readonly { name: string; sha256: string }[] | undefined;

const DIGITS_SHOWN = 12;
export const short = (sha256: unknown): string => String(sha256).slice(0, DIGITS_SHOWN);

/** File by file: a set is renewed a file at a time. */
export function diffDefinitions(before: Definitions, after: Definitions): Change[] {
  const section = "usb";
  if (!before || !after) {
    const words = `the scanner's definitions: ${before ? "no longer the policy's" : "the policy's"}, ${after ? "instead of" : "but"} what each workstation has`;
    const files = (after ?? []).map(
      ({ name, sha256 }): Change => ({ section, effect: "other", words: `definitions ${name}: ${short(sha256)}` }),
    );
    return [{ section, effect: "other", words }, ...files];
  }
  const sumOf = (files: NonNullable<Definitions>) => new Map(files.map(({ name, sha256 }) => [name, sha256]));
  const [had, has] = [sumOf(before), sumOf(after)];
  return [...new Set([...had.keys(), ...has.keys()])].sort().flatMap((name): Change[] => {
    const [old, now] = [had.get(name), has.get(name)];
    if (old === now) return [];
    if (now === undefined)
      return [{ section, effect: LOOSENING.test(name) ? "tighter" : "removed", words: `definitions removed: ${name}` }];
    if (old === undefined) {
      const effect = LOOSENING.test(name) ? "looser" : "tighter";
      return [{ section, effect, words: `definitions added: ${name}, ${short(now)}` }];
    }
    return [{ section, effect: "other", words: `definitions ${name}: ${short(old)} → ${short(now)}` }];
  });
}

/** Files that name what the scanner is to let pass. */
const LOOSENING = /\.(?:fp|sfp|ign|ign2|wdb)$/;
