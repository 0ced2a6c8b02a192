import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NetworkSection } from "../network.ts";
import { MARK_MAX, type MarkRange, marksOf, marksText, readMarks } from "./marks.ts";

const section = (rules: number, during = false) =>
  NetworkSection.parse({
    rules: Array.from({ length: rules }, (_, at) => ({
      name: `${at}`,
      verdict: "allow",
      ...(during && at === 0 && { during: [{ from: "08:00", until: "18:00" }] }),
    })),
  });
const digest = (number: number) => number.toString(16).padStart(64, "0");

describe("marks", () => {
  it.each<[string, NetworkSection, string, MarkRange | undefined, [number, number, boolean]]>([
    ["that nobody knows begin anew", section(3), digest(1), undefined, [1, 1, true]],
    [
      "are one for all rules without times",
      section(3),
      digest(2),
      { first: 1, last: 4, section: digest(1) },
      [5, 5, false],
    ],
    [
      "are one more a rule where one has times",
      section(3, true),
      digest(2),
      { first: 1, last: 4, section: digest(1) },
      [5, 8, false],
    ],
    [
      "stay with their section",
      section(3, true),
      digest(1),
      { first: 7, last: 10, section: digest(1) },
      [7, 10, false],
    ],
    [
      "go to the last",
      section(1, true),
      digest(2),
      { first: 9, last: MARK_MAX - 2, section: digest(1) },
      [MARK_MAX - 1, MARK_MAX, false],
    ],
    [
      "begin anew where there are not as many",
      section(1, true),
      digest(2),
      { first: 9, last: MARK_MAX - 1, section: digest(1) },
      [1, 2, true],
    ],
  ])("%s", (_, wanted, of, inForce, [first, last, again]) => {
    expect(marksOf(wanted, of, inForce)).toEqual({ first, last, again, section: of });
  });
  it("of sections one after another are never the same until all are forgotten, and then not those in force", () => {
    const drafts = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 1_000 }), fc.boolean(), fc.integer({ min: 0, max: 5 })),
      {
        minLength: 50,
        maxLength: 300,
      },
    );
    fc.assert(
      fc.property(drafts, (all) => {
        let inForce: MarkRange | undefined;
        let given = new Map<number, string>();
        for (const [rules, during, of] of all) {
          const { again, ...next } = marksOf(
            section(rules, during),
            digest((of * 1_001 + rules) * 2 + Number(during)),
            inForce,
          );
          if (again) given = new Map();
          for (let mark = next.first; mark <= next.last; mark++) {
            const isOther = given.has(mark) && given.get(mark) !== next.section;
            const isInForce = again && inForce && inForce.first <= mark && mark <= inForce.last;
            if (isOther || isInForce || mark < 1 || mark > MARK_MAX) return false;
            given.set(mark, next.section);
          }
          inForce = next;
        }
        return true;
      }),
      { numRuns: 5 },
    );
  });
  it("are read as they are said, and nothing else is", () => {
    const range = { first: 17, last: 20, section: digest(7) };
    expect(readMarks(marksText(range))).toEqual(range);
    for (const text of [
      "",
      "closed",
      `marks 0-4 of ${digest(1)}`,
      `marks 4-3 of ${digest(1)}`,
      `marks 1-65536 of ${digest(1)}`,
      "marks 1-2 of abc",
    ])
      expect(readMarks(text)).toBeUndefined();
  });
});
