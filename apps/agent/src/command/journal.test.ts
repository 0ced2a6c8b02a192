import type { CommandId, Sha256 } from "@sallyport/shared/base/ids.ts";
import type { Command } from "@sallyport/shared/command/command.ts";
import { expect, it } from "vitest";
import {
  begin,
  EMPTY_JOURNAL,
  end,
  faultOfRoom,
  faultOfTurn,
  type Journal,
  nextOf,
  take,
  told,
  WAITING_ALONE_MAX,
} from "./journal.ts";

const AT = "2026-11-24T10:00:00.000Z";
const id = (at: number) => `3f2b8c1e-4a5d-4e6f-8a9b-${String(at).padStart(12, "0")}` as CommandId;
const made = (verb: Command["verb"], at: number) =>
  ({ id: id(at), verb, arguments: {}, notAfter: AT }) as unknown as Command;
const with_ = (journal: Journal, ...verbs: Command["verb"][]): Journal =>
  verbs.reduce((before, verb) => {
    const at = before.ordered.length + 1;
    const hex = "a".repeat(64) as Sha256;
    return take(before, { command: made(verb, at), digest: hex, mark: hex, order: at, taken: AT });
  }, journal);
const flood = (count: number) => with_(EMPTY_JOURNAL, ...Array<"diagnostics">(count).fill("diagnostics"));
const fault = (journal: Journal, verb: Command["verb"]) => faultOfRoom(journal, made(verb, 99));

it("a flood by the console's key alone is bounded, and leaves room for what people sign", () => {
  expect(fault(flood(WAITING_ALONE_MAX - 1), "isolate")).toBeUndefined();
  const full = flood(WAITING_ALONE_MAX);
  expect(fault(full, "rescan")).toMatch(/^32 orders of this kind wait/);
  expect(fault(full, "wipe")).toBeUndefined();
  expect(fault(full, "release")).toBeUndefined();
});

it("a flood of looks leaves room for an isolation, and one of isolations for a look", () => {
  expect(fault(flood(WAITING_ALONE_MAX), "isolate")).toBeUndefined();
  const cut = with_(EMPTY_JOURNAL, ...Array<"isolate">(WAITING_ALONE_MAX).fill("isolate"));
  expect(fault(cut, "isolate")).toMatch(/^32 orders of this kind wait/);
  expect(fault(cut, "diagnostics")).toBeUndefined();
});

it("one that ended takes room until its answer is on the trail", () => {
  const ended = end(flood(WAITING_ALONE_MAX), id(1), { state: "done", finished: AT });
  expect(fault(ended, "diagnostics")).toBeDefined();
  expect(fault(told(ended, id(1)), "diagnostics")).toBeUndefined();
});

it("what only looks is carried out last, and what was begun is ended first", () => {
  const journal = with_(flood(3), "pause", "wipe");
  expect(nextOf(journal, "other")?.command.verb).toBe("pause");
  const begun = begin(journal, id(2), null);
  expect(nextOf(begun, "other")?.command.id).toBe(id(2));
  const done = ["4", "5"].reduce((before, at) => end(before, id(Number(at)), { state: "done", finished: AT }), journal);
  expect(nextOf(done, "other")?.command.id).toBe(id(1));
});

it("a cut waits for nothing but an earlier cut, and its end for that and for what was ordered before it", () => {
  const journal = begin(with_(flood(3), "wipe", "isolate", "release"), id(4), null);
  expect(nextOf(journal, "other")?.command.verb).toBe("wipe");
  expect(nextOf(journal, "cut")?.command.verb).toBe("isolate");
  const begun = begin(journal, id(5), null);
  expect(nextOf(begun, "cut")?.command.verb).toBe("isolate");
  const cut = end(begun, id(5), { state: "done", finished: AT });
  expect(nextOf(cut, "cut")).toBeUndefined();
  expect(nextOf(end(cut, id(4), { state: "failed", finished: AT }), "cut")?.command.verb).toBe("release");
});

it.each(["pause", "resume", "destroy-guest", "wipe", "start-guest"] as const)(
  "a release waits for a %s that was ordered before it, begun or not, and for none that was ordered later",
  (verb) => {
    const journal = with_(EMPTY_JOURNAL, "diagnostics", verb, "release");
    expect(nextOf(journal, "cut")).toBeUndefined();
    expect(nextOf(begin(journal, id(2), null), "cut")).toBeUndefined();
    expect(nextOf(end(journal, id(2), { state: "done", finished: AT }), "cut")?.command.verb).toBe("release");
    expect(nextOf(with_(flood(2), "release", verb), "cut")?.command.verb).toBe("release");
  },
);

it("an isolation overtakes a release that waits, which then ends nothing", () => {
  const journal = with_(EMPTY_JOURNAL, "wipe", "release", "isolate");
  expect(nextOf(journal, "cut")?.command.verb).toBe("isolate");
  const wiped = (before: Journal) => end(before, id(1), { state: "done", finished: AT });
  const cut = end(begin(journal, id(3), null), id(3), { state: "done", finished: AT });
  const release = nextOf(wiped(cut), "cut")!;
  expect(release.command.verb).toBe("release");
  expect(faultOfTurn(wiped(cut), release)).toMatch(/isolation that was ordered after it holds/);
  // over by itself, or not carried out yet
  expect(faultOfTurn({ ...wiped(cut), isolation: null }, release)).toBeUndefined();
  expect(faultOfTurn(wiped(journal), nextOf(wiped(journal), "cut")!)).toBeUndefined();
});

it("a release that people ordered ends a cut before it, however high the order that the console's key alone gave that", () => {
  const cut = with_(EMPTY_JOURNAL, "isolate");
  const first = { ...cut.ordered[0]!, order: Number.MAX_SAFE_INTEGER };
  const held = end(begin({ ...cut, ordered: [first] }, id(1), null), id(1), { state: "done", finished: AT });
  const release = nextOf(with_(held, "release"), "cut")!;
  expect(release.command.verb).toBe("release");
  expect(faultOfTurn(with_(held, "release"), release)).toBeUndefined();
});
