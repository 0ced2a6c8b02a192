import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Sha256, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Receipt } from "@sallyport/shared/trail/receipt.ts";
import { describe, expect, it } from "vitest";
import { judge, type Stand } from "./judge.ts";

const OURS = "11111111-1111-4111-8111-111111111111" as TrailId;
const OLD = "22222222-2222-4222-8222-222222222222" as TrailId;
const NEWER = "33333333-3333-4333-8333-333333333333" as TrailId;
const rootOf = (size: number): Uint8Array => new Uint8Array(32).fill(size);

const receipt = (more: Partial<Receipt>): Receipt => {
  const size = more.size ?? 60;
  return {
    workstation: "44444444-4444-4444-8444-444444444444" as WorkstationId,
    trail: OURS,
    epoch: 1,
    size,
    root: toHex(rootOf(size)) as Sha256,
    safe: size,
    answer: "new",
    time: "2026-11-24T10:00:10.000Z",
    ...more,
  };
};
const last = receipt({ size: 50, time: "2026-11-24T10:00:00.000Z" });
const stand: Stand = {
  trail: OURS,
  size: 100,
  sizeAtStart: 80,
  base: 40,
  last,
  doubted: false,
  knowsTrail: (trail) => trail === OURS || trail === OLD,
  rootAt: rootOf,
};

describe("what a receipt means", () => {
  const rows: [string, Partial<Receipt>, object][] = [
    ["more is committed: go on", {}, { do: "take", again: false }],
    ["the same again: nothing changes", { size: 50 }, { do: "take", again: false }],
    ["something is missing: send again from there", { answer: "ahead" }, { do: "take", again: true }],
    ["of an epoch before a restore: ignored", { epoch: 0, size: 10 }, { do: "ignore" }],
    ["of a trail that is closed here: ignored", { trail: OLD }, { do: "ignore" }],
    ["less, by a clock that is behind: asked again", { size: 45, time: "2026-11-24T09:59:59.000Z" }, { do: "doubt" }],
    ["less, by a clock that is ahead: asked again", { size: 45, time: "2026-11-24T10:00:04.000Z" }, { do: "doubt" }],
    ["less than what is still held: asked again", { size: 10 }, { do: "doubt" }],
    ["late, with a restore since: ignored", { epoch: 0, size: 45 }, { do: "ignore" }],
    ["refused: alarm", { size: 50, answer: "refused" }, { do: "alarm" }],
    ["restored, what is missing is still here: send it again", { epoch: 2, size: 45 }, { do: "take", again: true }],
    [
      "restored to before what is here: a new trail from where this one is still whole",
      { epoch: 2, size: 10 },
      { do: "reopen", reason: "console-restored", keepFrom: 40, previous: { trail: OURS, size: 40 } },
    ],
    [
      "knows more than this disk: an older disk",
      { size: 101 },
      { do: "reopen", reason: "older-disk", keepFrom: 50, previous: { trail: OURS, size: 101 } },
    ],
    [
      "of a trail this disk never saw: an older disk",
      { trail: NEWER, size: 7 },
      { do: "reopen", reason: "older-disk", keepFrom: 50, previous: { trail: NEWER, size: 7 } },
    ],
    ["another root: a fork", { root: "ab".repeat(32) as Sha256 }, { do: "reopen", reason: "fork", keepFrom: 50 }],
    [
      "another root, of a size this disk did not have when it was opened: an older disk",
      { size: 90, root: "ab".repeat(32) as Sha256 },
      { do: "reopen", reason: "older-disk", keepFrom: 50 },
    ],
    ["the console calls it a fork", { size: 50, answer: "fork" }, { do: "reopen", reason: "fork", keepFrom: 50 }],
  ];
  it.each(rows)("%s", (_, more, expected) => expect(judge(stand, receipt(more))).toMatchObject(expected));

  it.each([
    ["less once more: alarm", { size: 45 }, "alarm"],
    ["less once more, whatever its clock says: alarm", { size: 10, time: "2026-11-24T09:00:00.000Z" }, "alarm"],
    ["what was committed: taken", { size: 50 }, "take"],
    ["more: taken", { size: 60 }, "take"],
    ["less, of a restore: taken", { epoch: 2, size: 45 }, "take"],
  ] as const)("asked again, and then %s", (_, more, expected) =>
    expect(judge({ ...stand, doubted: true }, receipt(more)).do).toBe(expected),
  );

  it("the first receipt of all is taken", () => {
    expect(judge({ ...stand, base: 0, last: undefined }, receipt({ size: 0 }))).toEqual({ do: "take", again: false });
  });
});
