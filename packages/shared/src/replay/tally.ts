/** Flips, counted by what a person asks for; bounded, whatever the history holds. Pure. */
import { countFlips, FLIPS, type Flip, type Flips, noFlips } from "./flip.ts";
import {
  type Example,
  REPLAYED,
  type Replayed,
  type ReplayResult,
  SUBJECTS,
  type Subject,
  type Top,
} from "./result.ts";

/** Kept while counting; what comes after so many is counted as others. */
const KEYS_MAX = 5_000;
export const TOPS_MAX = 50;
const EXAMPLES_MAX = 25;
/** So that one busy rule leaves room for the others. */
const EXAMPLES_OF_RULE_MAX = 5;

export type Named = { key: string; name: string };
export type Flipped = {
  flip: Flip;
  section: Replayed;
  count: number;
  subjects: Partial<Record<Subject, Named>>;
  example: () => Omit<Example, "flip" | "section" | "count">;
};

type Counted = { name: string; flips: Flips };

export class Tally {
  readonly #sections = Object.fromEntries(REPLAYED.map((each) => [each, { decisions: 0, flips: noFlips() }])) as Record<
    Replayed,
    { decisions: number; flips: Flips }
  >;
  readonly #by = Object.fromEntries(SUBJECTS.map((each) => [each, new Map()])) as Record<Subject, Map<string, Counted>>;
  readonly #others = Object.fromEntries(SUBJECTS.map((each) => [each, noFlips()])) as Record<Subject, Flips>;
  readonly #examples = new Map<Flip, Example[]>();
  readonly #unknown = new Map<string, number>();
  otherwiseThen = 0;

  decided(section: Replayed, count: number): void {
    this.#sections[section].decisions += count;
  }

  unknown(why: string, count: number): void {
    if (count > 0) this.#unknown.set(why, (this.#unknown.get(why) ?? 0) + count);
  }

  flipped({ flip, section, count, subjects, example }: Flipped): void {
    this.#sections[section].flips[flip] += count;
    for (const subject of SUBJECTS) {
      const named = subjects[subject];
      if (named) this.#count(subject, named, flip, count);
    }
    const examples = this.#examples.get(flip) ?? [];
    if (examples.length >= EXAMPLES_MAX) return;
    const made = example();
    if (examples.filter(({ rule }) => rule === made.rule).length >= EXAMPLES_OF_RULE_MAX) return;
    this.#examples.set(flip, [...examples, { flip, section, count, ...made }]);
  }

  #count(subject: Subject, { key, name }: Named, flip: Flip, count: number): void {
    const all = this.#by[subject];
    let counted = all.get(key);
    if (!counted && all.size >= KEYS_MAX) {
      this.#others[subject][flip] += count;
      return;
    }
    if (!counted) {
      counted = { name, flips: noFlips() };
      all.set(key, counted);
    }
    counted.flips[flip] += count;
  }

  get decisions(): number {
    return REPLAYED.reduce((sum, each) => sum + this.#sections[each].decisions, 0);
  }

  get flips(): Flips {
    return sum(REPLAYED.map((each) => this.#sections[each].flips));
  }

  result(changed: (section: Replayed) => boolean): Omit<ReplayResult, "notes"> {
    return {
      decisions: this.decisions,
      flips: this.flips,
      sections: REPLAYED.map((section) => ({ section, changed: changed(section), ...this.#sections[section] })),
      by: Object.fromEntries(SUBJECTS.map((each) => [each, this.#tops(each)])) as ReplayResult["by"],
      examples: FLIPS.flatMap((flip) => this.#examples.get(flip) ?? []),
      unknown: [...this.#unknown]
        .map(([why, decisions]) => ({ why, decisions }))
        .sort((a, b) => b.decisions - a.decisions),
      otherwiseThen: this.otherwiseThen,
    };
  }

  #tops(subject: Subject): ReplayResult["by"][Subject] {
    const rows: Top[] = [...this.#by[subject]]
      .map(([key, counted]) => ({ key, ...counted }))
      .sort((a, b) => countFlips(b.flips) - countFlips(a.flips) || (a.key < b.key ? -1 : 1));
    const rest = rows.slice(TOPS_MAX).map(({ flips }) => flips);
    return { rows: rows.slice(0, TOPS_MAX), others: sum([this.#others[subject], ...rest]) };
  }
}

function sum(all: readonly Flips[]): Flips {
  const total = noFlips();
  for (const flips of all) for (const flip of FLIPS) total[flip] += flips[flip];
  return total;
}
