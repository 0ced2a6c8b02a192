import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { advance, BACK_MS_MAX, LOOK_MS_MAX, type Rollout, type RolloutAct } from "./advance.ts";
import { COMMANDS, command } from "./command.ts";
import type { Facts } from "./guard.ts";
import { Plan } from "./plan.ts";
import { type Counts, NOBODY } from "./standing.ts";
import { isEnded, type RolloutState, waveAt } from "./state.ts";

const plan = Plan.parse({
  waves: [
    { label: "canary", soakSeconds: 10 },
    { percent: 50, soakSeconds: 0 },
    { all: true, soakSeconds: 10 },
  ],
  guards: { applied: { withinSeconds: 60 } },
});
const counts = (done: number, failed = 0, waiting = 0, unreachable = 0): Counts => ({
  done,
  failed,
  waiting,
  unreachable,
});
const facts = (more: Partial<Facts> = {}): Facts => ({
  waves: [counts(0, 0, 4), counts(0, 0, 4), counts(0, 0, 4)],
  told: counts(0, 0, 4),
  refused: 0,
  heard: 4,
  silent: 0,
  alerts: { since: 0, before: 0 },
  back: NOBODY,
  ...more,
});
const T = 1_800_000_000_000;
const at = (state: RolloutState, more: Partial<Rollout> = {}): Rollout => ({
  plan,
  hasFallback: true,
  state,
  lookedAt: T,
  ...more,
});
const running = (wave = 0, elapsedMs = 5_000) => ({ name: "running", wave, elapsedMs, waived: {} }) as const;
const soaking = (wave = 0, elapsedMs = 5_000) => ({ name: "soaking", wave, elapsedMs, waived: {} }) as const;
const paused = { ...running(), name: "paused", was: "running", guard: null, measured: 0, reason: "by hand" } as const;
const aborting = { name: "aborting", wave: 1, elapsedMs: 5_000, reason: "why" } as const;
const applied = facts({ waves: [counts(4), counts(4), counts(4)], told: counts(4) });
const alarmed = facts({ alerts: { since: 30, before: 2 } });
const aborts = Plan.parse({ ...plan, guards: { ...plan.guards, failures: { share: 0, outcome: "abort" } } });

type Row = [string, Rollout, Facts, RolloutState["name"], RolloutAct | undefined, RegExp | undefined];
const rows: Row[] = [
  [
    "pending begins with its first wave",
    at({ name: "pending" }, { lookedAt: null }),
    facts(),
    "running",
    "start",
    /wave 1 of 3.*label canary/,
  ],
  ["running stays while too few have it", at(running()), facts(), "running", undefined, undefined],
  [
    "running soaks once enough have it",
    at(running()),
    applied,
    "soaking",
    "soak",
    /in force on 4 of 4; watched for 10 s/,
  ],
  [
    "running soaks though some are away",
    at(running()),
    facts({ waves: [counts(3, 0, 0, 2)] }),
    "soaking",
    "soak",
    /3 of 5/,
  ],
  [
    "running waits for all that can be reached",
    at(running()),
    facts({ waves: [counts(3, 0, 1)] }),
    "running",
    undefined,
    undefined,
  ],
  [
    "running pauses when its time is over",
    at(running(0, 64_000)),
    facts(),
    "paused",
    "pause",
    /after 60 s only 0 of 4 reachable/,
  ],
  [
    "running pauses when nobody can be reached",
    at(running(0, 64_000)),
    facts({ waves: [counts(0, 0, 0, 2)] }),
    "paused",
    "pause",
    /none of the 2/,
  ],
  [
    "running pauses for a canary that lost its label",
    at(running()),
    facts({ waves: [NOBODY] }),
    "paused",
    "pause",
    /label canary any more/,
  ],
  [
    "running passes a percentage that nobody is in",
    at(running(1)),
    facts({ waves: [counts(1), NOBODY] }),
    "running",
    "next-wave",
    /nobody is in wave 2; wave 3 of 3/,
  ],
  [
    "running pauses at a failure",
    at(running()),
    facts({ told: counts(3, 1) }),
    "paused",
    "pause",
    /1 of 4 .*could not make it true \(25 %/,
  ],
  [
    "running aborts at a failure where the plan says so",
    at(running(), { plan: aborts }),
    facts({ told: counts(3, 1) }),
    "aborting",
    "fall-back",
    /could not/,
  ],
  [
    "running with no fallback aborts where it stands",
    at(running(), { plan: aborts, hasFallback: false }),
    facts({ told: counts(3, 1) }),
    "aborted",
    "end",
    /no policy before/,
  ],
  [
    "running pauses at a refusal",
    at(running()),
    facts({ told: counts(3, 1), refused: 1 }),
    "paused",
    "pause",
    /1 of 4 .*refused the statement/,
  ],
  [
    "running pauses at silence",
    at(running()),
    facts({ silent: 1 }),
    "paused",
    "pause",
    /1 of 4 workstations fell silent/,
  ],
  ["running pauses at alerts above the usual", at(running()), alarmed, "paused", "pause", /30 alerts.*raised 2/],
  [
    "running takes the usual alerts",
    at(running()),
    facts({ alerts: { since: 30, before: 20 } }),
    "running",
    undefined,
    undefined,
  ],
  ["soaking stays until the time is over", at(soaking()), applied, "soaking", undefined, undefined],
  [
    "soaking goes on to the next wave",
    at(soaking(0, 9_500)),
    applied,
    "running",
    "next-wave",
    /held for 10 s; wave 2 of 3 begins: 50 %/,
  ],
  ["soaking pauses at alerts", at(soaking(0, 9_500)), alarmed, "paused", "pause", /30 alerts/],
  ["soaking the last wave is done", at(soaking(2, 9_500)), applied, "done", "finish", /whole group has it/],
  ["paused stays though all is well", at(paused), applied, "paused", undefined, undefined],
  ["paused stays though all is lost", at(paused), alarmed, "paused", undefined, undefined],
  [
    "aborting waits for those on their way",
    at(aborting),
    facts({ back: counts(1, 0, 1) }),
    "aborting",
    undefined,
    undefined,
  ],
  [
    "aborting ends when all are back",
    at(aborting),
    facts({ back: counts(2, 0, 0, 1) }),
    "aborted",
    "end",
    /all that can be reached.*1 that cannot/,
  ],
  [
    "aborting ends after an hour all the same",
    at({ ...aborting, elapsedMs: BACK_MS_MAX }),
    facts({ back: counts(1, 1) }),
    "aborted",
    "end",
    /1 are not back/,
  ],
  ["aborted stays", at({ name: "aborted", wave: 1, reason: "" }), applied, "aborted", undefined, undefined],
  ["superseded stays", at({ name: "superseded", wave: 1, reason: "" }), alarmed, "superseded", undefined, undefined],
  ["done stays", at({ name: "done", wave: 2 }), alarmed, "done", undefined, undefined],
];
describe("a rollout that is", () => {
  it.each(rows)("%s", (_, rollout, seen, name, act, words) => {
    const next = advance(rollout, seen, T + 1_000);
    expect([next.state.name, ...next.acts]).toEqual(act ? [name, act] : [name]);
    if (words) expect(next.reasons.join()).toMatch(words);
    else expect(next.reasons).toEqual([]);
  });
});

describe("a clock that jumps", () => {
  it("a day ahead skips no soak", () => {
    expect(advance(at(soaking(0, 0), { plan: slow() }), applied, T + 86_400_000).state).toMatchObject({
      name: "soaking",
      elapsedMs: LOOK_MS_MAX,
    });
  });
  it("a day ahead is not too late for a wave", () => {
    expect(advance(at(running(0, 0)), facts(), T + 86_400_000).state.name).toBe("running");
  });
  it("back takes nothing away, runs nothing twice, and goes on from there", () => {
    const back = advance(at(soaking(0, 9_500)), applied, T - 86_400_000);
    expect(back).toMatchObject({ state: soaking(0, 9_500), acts: [] });
    const next = advance(at(back.state, { lookedAt: back.lookedAt }), applied, T - 86_400_000 + 1_000);
    expect(next.acts).toEqual(["next-wave"]);
  });
  const slow = () => Plan.parse({ ...plan, waves: [{ label: "canary", soakSeconds: 3600 }, { all: true }] });
});

describe("by hand", () => {
  const by = (state: RolloutState, asked: (typeof COMMANDS)[number], more: Partial<Rollout> = {}) =>
    command(at(state, more), asked, "because");
  it("a soak is paused and goes on from where it was", () => {
    const held = by(soaking(1, 7_000), "pause");
    expect(held).toMatchObject({
      ok: true,
      value: { state: { name: "paused", was: "soaking", elapsedMs: 7_000 }, acts: ["pause"] },
    });
    expect(held.ok && by(held.value.state, "resume")).toMatchObject({ ok: true, value: { state: soaking(1, 7_000) } });
  });
  it("a resumed rollout is stopped again by its guard only when it gets worse", () => {
    const trip = advance(at(soaking()), facts({ told: counts(3, 1) }), T + 1_000);
    const on = by(trip.state, "resume");
    if (!on.ok) throw new Error(on.error);
    expect(advance(at(on.value.state), facts({ told: counts(3, 1) }), T + 1_000).state.name).toBe("soaking");
    expect(advance(at(on.value.state), facts({ told: counts(2, 2) }), T + 1_000).state.name).toBe("paused");
  });
  it("what a person has gone on in spite of stops no later wave, and one failure more does", () => {
    const [one, two] = [facts({ told: counts(3, 1) }), facts({ told: counts(6, 2) })];
    const trip = advance(at(running()), one, T + 1_000);
    expect(trip.state).toMatchObject({ name: "paused", guard: "failures", measured: 1 });
    const on = by(trip.state, "promote");
    if (!on.ok) throw new Error(on.error);
    const next = advance(at(on.value.state), one, T + 1_000);
    expect(next.state).toMatchObject({ name: "running", wave: 1 });
    expect(advance(at(next.state), two, T + 1_000).state).toMatchObject({ name: "paused", wave: 1 });

    const soak = { ...soaking(0, 9_500), waived: { failures: 1 } };
    const held = advance(at(soak), one, T + 1_000);
    expect(held.acts).toEqual(["next-wave"]);
    expect(advance(at(held.state), one, T + 1_000).state.name).toBe("running");
    expect(advance(at(held.state), two, T + 1_000).state.name).toBe("paused");
  });
  it("a resumed wave that was late has its whole time again", () => {
    const late = advance(at(running(0, 64_000)), facts(), T + 1_000);
    const on = by(late.state, "resume");
    expect(on).toMatchObject({ ok: true, value: { state: { name: "running", elapsedMs: 0 } } });
  });
  it("promoting goes to the next wave and after the last to done", () => {
    expect(by(paused, "promote")).toMatchObject({
      ok: true,
      value: { state: { name: "running", wave: 1 }, acts: ["next-wave"] },
    });
    expect(by(running(2), "promote")).toMatchObject({ ok: true, value: { state: { name: "done" }, acts: ["finish"] } });
  });
  it("aborting goes back to the fallback", () => {
    for (const state of [running(), soaking(), paused])
      expect(by(state, "abort")).toMatchObject({
        ok: true,
        value: { state: { name: "aborting" }, acts: ["fall-back"] },
      });
  });
  it("aborting before anybody was told publishes nothing", () => {
    expect(by({ name: "pending" }, "abort")).toMatchObject({
      ok: true,
      value: { state: { name: "aborted" }, acts: ["end"] },
    });
  });
  const noes: [(typeof COMMANDS)[number], RolloutState, RegExp][] = [
    ["pause", paused, /paused already/],
    ["pause", aborting, /cannot be paused/],
    ["resume", running(), /not paused/],
    ["promote", aborting, /no wave to go on from/],
    ["abort", aborting, /going back already/],
    ...COMMANDS.map((each): [typeof each, RolloutState, RegExp] => [each, { name: "done", wave: 2 }, /done already/]),
  ];
  it.each(noes)("%s is refused in words", (asked, state, words) => {
    const said = by(state, asked);
    expect(said.ok ? "" : said.error).toMatch(words);
  });
});

describe("whatever happens, a rollout", () => {
  const few = fc.nat({ max: 3 });
  const someCounts = fc.record({ done: few, failed: few, waiting: few, unreachable: few });
  const someFacts: fc.Arbitrary<Facts> = fc.record({
    waves: fc.array(someCounts, { minLength: 3, maxLength: 3 }),
    told: someCounts,
    refused: few,
    heard: few,
    silent: few,
    alerts: fc.record({ since: fc.nat({ max: 20 }), before: few }),
    back: someCounts,
  });
  const clock = fc.oneof(fc.constant(0), fc.nat({ max: 40_000 }), fc.integer({ min: -1e9, max: 1e9 }));
  const event = fc.oneof(
    { weight: 4, arbitrary: fc.record({ facts: someFacts, step: clock }) },
    { weight: 1, arbitrary: fc.record({ command: fc.constantFrom(...COMMANDS) }) },
  );

  it("never leaves an end, never takes back a wave, lets one wave go at a time, and moves once for the same facts", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), fc.boolean(), (events, hasFallback) => {
        let rollout = at({ name: "pending" }, { lookedAt: null, hasFallback });
        let now = T;
        for (const each of events) {
          const before = rollout.state;
          if ("command" in each) {
            const said = command(rollout, each.command, "because");
            if (said.ok) rollout = { ...rollout, state: said.value.state };
            else expect(said.error).not.toBe("");
          } else {
            now += each.step;
            const next = advance(rollout, each.facts, now);
            expect(next.acts.length).toBeLessThanOrEqual(1);
            expect(next.reasons.length).toBe(next.acts.length);
            rollout = { ...rollout, state: next.state, lookedAt: next.lookedAt };
            const again = advance(rollout, each.facts, now);
            expect([again.state, again.acts]).toEqual([next.state, []]);
          }
          if (isEnded(before)) expect(rollout.state).toEqual(before);
          expect(waveAt(rollout.state)).toBeGreaterThanOrEqual(waveAt(before));
          expect(waveAt(rollout.state) - waveAt(before)).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 500 },
    );
  });
});
