/** Changes → one line for the head of a page. Pure. */
import type { Change } from "./change.ts";
import { LISTS } from "./lists.ts";

/** What is lost, what is loosened, and how much else. */
export function summariseDiff(changes: readonly Change[]): string {
  if (changes.length === 0) return "Nothing changes.";
  const parts: string[] = [];
  for (const { one, many } of Object.values(LISTS)) {
    const count = changes.filter(
      ({ effect, words }) => effect === "removed" && words.startsWith(`${one} removed`),
    ).length;
    if (count > 0) parts.push(`${count} ${count === 1 ? one : many} removed`);
  }
  const definitions = changes.filter(({ words }) => words.startsWith("definitions removed")).length;
  if (definitions > 0) parts.push(`${definitions} of the scanner's databases removed`);
  const looser = changes.filter(({ effect }) => effect === "looser");
  const [first, ...more] = looser;
  if (first) {
    const words = first.words.startsWith("mode: ") ? `${first.section} ${first.words}` : first.words;
    parts.push(`${looser.length} loosened: ${words}${more.length > 0 ? ` and ${more.length} more` : ""}`);
  }
  const tighter = changes.filter(({ effect }) => effect === "tighter").length;
  if (tighter > 0) parts.push(`${tighter} tightened`);
  const rest = changes.length - looser.length - tighter - changes.filter(({ effect }) => effect === "removed").length;
  if (rest > 0) parts.push(`${rest} other ${rest === 1 ? "change" : "changes"}`);
  return `${parts.join("; ")}.`;
}
