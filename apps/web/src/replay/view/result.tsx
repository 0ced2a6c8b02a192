"use client";
import { count } from "@sallyport/shared/base/count.ts";
/** What a replay found: in a sentence, by section and by whom, with the records, and what it cannot know. */
import { FLIP_WORDS, FLIPS, type Flip, type Flips } from "@sallyport/shared/replay/flip.ts";
import type { Example, ReplayResult, Subject, Top } from "@sallyport/shared/replay/result.ts";
import { headline } from "@sallyport/shared/replay/words.ts";
import Link from "next/link";
import type { ReactNode } from "react";
import { Button } from "../../ui/button.tsx";
import { Dot, type Tone } from "../../ui/mark.tsx";
import { Ago } from "../../ui/time.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { Against } from "./use-replay.ts";

const TONES: Record<Flip, Tone> = {
  "new-blocks": "block",
  "new-holds": "hold",
  "new-allows": "allow",
  "new-unread": "block",
  "new-suppressed": "hold",
  "new-alerts": "info",
  "new-lost-lines": "hold",
  "new-kept-lines": "info",
};
const SUBJECT_WORDS: Record<Subject, string> = {
  rule: "By the rule that decides now",
  workstation: "By workstation",
  stick: "By stick",
  guest: "By guest",
};
const KINDS: Record<Example["section"], string> = {
  usb: "kind=usb.*",
  network: "kind=net.drop&kind=ids.event",
  ids: "kind=ids.alert",
  log: "kind=guest.log&kind=guest.suppressed",
};
const TOPS_SHOWN = 10;

export function Result({ against, result }: { against: Against; result: ReplayResult }) {
  const { sections, examples, unknown, notes, by } = result;
  return (
    <div className="grid gap-3.5" data-testid="replay-result">
      <div className="flex flex-wrap items-baseline justify-between gap-2.5">
        <p role="status" className="min-w-0 flex-1 font-medium">
          {headline(result)}
        </p>
        <Button onClick={() => save(against, result)}>Download JSON</Button>
      </div>
      <p className="text-ink-2">
        Against {against.order === null ? "the strict defaults" : `r${against.order}`}, since{" "}
        <Ago time={against.since} />.
      </p>
      <ul className="grid gap-1" aria-label="By section">
        {sections.map(({ section, changed, decisions, flips }) => (
          <li key={section} className="grid grid-cols-[80px_140px_minmax(0,1fr)] items-baseline gap-2.5">
            <span className="mono">{section}</span>
            <span className="text-right text-ink-3">{count(decisions)} decisions</span>
            {changed ? <Ways flips={flips} none="none comes out otherwise" /> : <span>the same in both</span>}
          </li>
        ))}
      </ul>
      <div className="grid items-start gap-3.5 lg:grid-cols-2">
        {(Object.keys(SUBJECT_WORDS) as Subject[]).map((subject) => (
          <Tops key={subject} subject={subject} {...by[subject]} />
        ))}
      </div>
      <Examples examples={examples} />
      {unknown.length > 0 && (
        <Part title="Not known">
          {unknown.map(({ why, decisions }) => (
            <li key={why}>
              {count(decisions)}: {why}
            </li>
          ))}
        </Part>
      )}
      {notes.length > 0 && (
        <Part title="What a replay cannot know">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </Part>
      )}
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="min-w-0">
      <h3 className="mb-1 text-ink-3">{title}</h3>
      <ul className="grid gap-1 text-ink-2">{children}</ul>
    </section>
  );
}

function Ways({ flips, none }: { flips: Flips; none: string }) {
  const found = FLIPS.filter((flip) => flips[flip] > 0);
  if (found.length === 0) return <span className="text-ink-3">{none}</span>;
  return (
    <span className="flex flex-wrap gap-x-3">
      {found.map((flip) => (
        <span key={flip} title={FLIP_WORDS[flip]}>
          <Dot tone={TONES[flip]}>
            {count(flips[flip])} {flip}
          </Dot>
        </span>
      ))}
    </span>
  );
}

function Tops({ subject, rows, others }: { subject: Subject; rows: Top[]; others: Flips }) {
  if (rows.length === 0) return null;
  const hidden = rows.slice(TOPS_SHOWN).map(({ flips }) => flips);
  const rest = FLIPS.reduce((all, flip) => [others, ...hidden].reduce((sum, flips) => sum + flips[flip], all), 0);
  return (
    <Part title={SUBJECT_WORDS[subject]}>
      {rows.slice(0, TOPS_SHOWN).map((row) => (
        <li key={row.key} className="grid grid-cols-[minmax(0,1fr)_auto] items-baseline gap-2.5">
          <span className="mono truncate text-ink">
            <Named subject={subject} row={row} />
          </span>
          <Ways flips={row.flips} none="" />
        </li>
      ))}
      {rest > 0 && <li>and others: {count(rest)}</li>}
    </Part>
  );
}

function Named({ subject, row: { key, name } }: { subject: Subject; row: Top }) {
  const href =
    subject === "workstation"
      ? `/workstations/${key}`
      : subject === "guest"
        ? `/explore?guest=${encodeURIComponent(key)}`
        : undefined;
  return href ? (
    <Link href={href} className="hover:underline">
      <Untrusted text={name} />
    </Link>
  ) : (
    <Untrusted text={name} />
  );
}

function Examples({ examples }: { examples: Example[] }) {
  if (examples.length === 0) return null;
  return (
    <Part title="Records">
      {examples.map((each) => (
        <li
          key={`${each.trail}.${each.index}.${each.flip}.${each.words}`}
          className="grid grid-cols-[130px_minmax(0,1fr)_auto] items-baseline gap-2.5"
        >
          <Dot tone={TONES[each.flip]}>{each.flip}</Dot>
          <Link
            href={`/explore?workstation=${each.workstation.id}&${KINDS[each.section]}&open=${each.trail}.${each.index}`}
            className="mono min-w-0 [overflow-wrap:anywhere] text-ink hover:underline"
          >
            <Untrusted text={each.words} />
          </Link>
          <span className="text-ink-3">
            {each.count > 1 && `${count(each.count)} times, first `}
            <Ago time={each.at} />
          </span>
          <span />
          <span className="col-span-2 [overflow-wrap:anywhere]">
            <Untrusted text={`${each.workstation.name}: ${each.before}; now ${each.after}`} />
          </span>
        </li>
      ))}
    </Part>
  );
}

function save(against: Against, result: ReplayResult): void {
  const blob = new Blob([JSON.stringify({ against, ...result }, null, 2)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `replay-${against.group.name}-${against.at.slice(0, 10)}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}
