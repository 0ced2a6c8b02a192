import type { Change, Effect } from "@sallyport/shared/policy/diff/change.ts";
import { summariseDiff } from "@sallyport/shared/policy/diff/summary.ts";
import { cx } from "../../ui/class.ts";

const SIGN: Record<Effect, string> = { removed: "–", looser: "–", other: "·", tighter: "+", added: "+" };
const COLOUR: Record<Effect, string> = {
  removed: "text-block",
  looser: "text-block",
  other: "text-ink-3",
  tighter: "text-allow",
  added: "text-allow",
};

type Props = {
  changes: Change[];
  against: string;
  /** What it would cut every workstation off from. */
  cutOff?: readonly string[];
};

/** Changes in words and counted, losses and loosenings first. */
export function Changes({ changes, against, cutOff = [] }: Props) {
  if (changes.length === 0) return <p className="text-ink-2">The same as {against}.</p>;
  const removed = changes.filter(({ effect }) => effect === "removed").length;
  const looser = changes.filter(({ effect }) => effect === "looser").length;
  const rest = changes.length - removed - looser;
  return (
    <div className="grid gap-2">
      {cutOff.map((words) => (
        <p key={words} role="alert" className="font-medium text-block">
          ■ {words}
        </p>
      ))}
      <p className="text-ink-2" title={summariseDiff(changes)}>
        Against {against}:{" "}
        {removed + looser > 0 ? (
          <b className="text-block">
            {removed} removed, {looser} looser
          </b>
        ) : (
          "nothing removed or looser"
        )}
        , {rest} other.
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
