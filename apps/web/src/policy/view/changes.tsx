import type { Change, Effect } from "@sallyport/shared/policy/diff.ts";
import { cx } from "../../ui/class.ts";

const SIGN: Record<Effect, string> = { removed: "–", looser: "–", other: "·", tighter: "+", added: "+" };
const COLOUR: Record<Effect, string> = {
  removed: "text-block",
  looser: "text-block",
  other: "text-ink-3",
  tighter: "text-allow",
  added: "text-allow",
};

/** A change in words, losses and loosenings first. */
export function Changes({ changes, against }: { changes: Change[]; against: string }) {
  if (changes.length === 0) return <p className="text-ink-2">The same as {against}.</p>;
  const loose = changes.filter(({ effect }) => effect === "removed" || effect === "looser").length;
  return (
    <div className="grid gap-2">
      <p className="text-ink-2">
        Against {against}:{" "}
        {loose > 0 ? <b className="text-block">{loose} removed or looser</b> : "nothing removed or looser"},{" "}
        {changes.length - loose} other.
      </p>
      <ul className="grid gap-1" aria-label="Changes">
        {changes.map(({ section, effect, words }) => (
          <li key={`${section}${words}`} className="grid grid-cols-[12px_1fr]">
            <span aria-hidden className={cx("font-mono", COLOUR[effect])}>
              {SIGN[effect]}
            </span>
            <span className="[overflow-wrap:anywhere]">
              <span className="text-ink-3">
                {section}, {effect}:
              </span>{" "}
              {words}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
