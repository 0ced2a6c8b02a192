import { describe, expect, it } from "vitest";
import { DEFAULT_WAVES, Plan, planFaults } from "./plan.ts";

const ALL = { all: true } as const;
const group = { name: "floor", workstations: 4, labels: { canary: 1, empty: 0 }, reportSeconds: 60 };

describe("a plan", () => {
  it("has guards and a pace though it names only waves", () => {
    expect(Plan.parse({ waves: DEFAULT_WAVES })).toMatchObject({
      guards: { applied: { share: 0.95, withinSeconds: 900, outcome: "pause" }, failures: { share: 0 } },
      perSecond: 20,
    });
  });
  const refused: [string, unknown, RegExp][] = [
    ["with no wave", { waves: [] }, /at least one wave/],
    ["whose last wave is not all", { waves: [{ percent: 10 }, { percent: 50 }] }, /last wave must be all.*never ends/],
    ["that goes back", { waves: [{ percent: 50 }, { percent: 10 }, ALL] }, /10 %, but 50 % were taken.*must rise/],
    ["that stands still", { waves: [{ percent: 10 }, { percent: 10 }, ALL] }, /must rise/],
    ["that is all before its end", { waves: [ALL, ALL] }, /nobody is left/],
    ["with a label twice", { waves: [{ label: "a" }, { label: "a" }, ALL] }, /takes the label a already/],
    ["with a wave of two kinds", { waves: [{ label: "a", percent: 3 }, ALL] }, /one of label, percent or all/],
    ["with a wave of no kind", { waves: [{}, ALL] }, /one of label, percent or all/],
    ["with a wave of everybody by number", { waves: [{ percent: 100 }, ALL] }, /write all: true/],
    ["with an unknown setting", { waves: [ALL], speed: 1 }, /speed/],
    ["that soaks for a year", { waves: [{ ...ALL, soakSeconds: 31_536_000 }] }, /at most .* \(30 days\)/],
    ["that wants more than everybody", { waves: [ALL], guards: { applied: { share: 1.2 } } }, /can never be met/],
    ["that wants nobody", { waves: [ALL], guards: { applied: { share: 0 } } }, /guards nothing/],
    ["whose failures guard never trips", { waves: [ALL], guards: { failures: { share: 1 } } }, /could never trip/],
    ["whose alerts guard always trips", { waves: [ALL], guards: { alerts: { times: 0.5 } } }, /always trip/],
  ];
  it.each(refused)("%s is refused in words", (_, plan, words) => {
    const read = Plan.safeParse(plan);
    expect(read.error?.issues.map(({ message }) => message).join("\n")).toMatch(words);
  });
});

describe("a plan held against its group", () => {
  const faults = (plan: unknown, more: object = {}) => planFaults(Plan.parse(plan), { ...group, ...more });
  it("fits where there is somebody in each wave that goes by label", () => {
    expect(faults({ waves: [{ label: "canary" }, { percent: 10 }, ALL] })).toEqual([]);
  });
  it("is refused for an empty group", () => {
    expect(faults({ waves: [ALL] }, { workstations: 0 })).toEqual([
      expect.stringMatching(/^No workstation is in floor/),
    ]);
  });
  it.each(["nobody", "empty", "constructor"])("is refused for the label %s that matches nobody", (label) => {
    expect(faults({ waves: [{ label }, ALL] })).toEqual([
      `Wave 1: no workstation of floor has the label ${label}. Label some on their pages first.`,
    ]);
  });
  it("is refused where the time is over before anybody reports", () => {
    const plan = { waves: [ALL], guards: { applied: { withinSeconds: 30 } } };
    expect(faults(plan)).toEqual([expect.stringMatching(/waits 30 s.*every 60 s.*never be met/)]);
    expect(faults(plan, { reportSeconds: 5 })).toEqual([]);
  });
});
