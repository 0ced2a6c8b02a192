import { expect, test } from "vitest";
import type { RequestState } from "./requests.ts";
import { type Place, pageOf, REQUEST_SORTS, type RequestSort, type Sorted } from "./requests-sort.ts";

const over = { until: "2026-11-30T10:00:00.000Z", reason: "r", at: "2026-11-29T10:00:00.000Z" };
const row = (index: number, hour: number, name: string, what: RequestState): Sorted => ({
  ...{ trail: 1, index, time: `2026-11-29T${hour}:00:00.000Z`, workstation: { name }, what },
});
const ROWS = [
  row(1, 10, "lab-07", { state: "ended", ...over }),
  row(2, 11, "fin-02", { state: "asked" }),
  row(3, 11, "lab-07", { state: "allowed", ...over }),
  row(4, 12, "fin-02", { state: "refused", reason: "r", at: over.at, by: "ada" }),
  row(5, 13, "lab-12", { state: "asked" }),
];

function paged(sort: RequestSort | undefined): number[] {
  const all: number[] = [];
  let after: Place | undefined;
  do {
    const { rows, next } = pageOf(ROWS, sort, after, 2);
    all.push(...rows.map(({ index }) => index));
    after = next ?? undefined;
  } while (after);
  return all;
}

test.each<[RequestSort | undefined, number[]]>([
  [undefined, [5, 4, 3, 2, 1]],
  ["-asked", [5, 4, 3, 2, 1]],
  ["asked", [1, 3, 2, 4, 5]],
  ["workstation", [4, 2, 3, 1, 5]],
  ["-workstation", [5, 3, 1, 4, 2]],
  ["state", [5, 2, 3, 4, 1]],
  ["-state", [1, 4, 3, 5, 2]],
])("requests by %s, page by page: %j", (sort, indices) => expect(paged(sort)).toEqual(indices));

test("a page goes on where the one before it ended, though its last one has been answered; nothing given is changed", () => {
  const before = [...ROWS];
  const { next } = pageOf(ROWS, "state", undefined, 2);
  const answered = ROWS.map((each) => (each.index === 2 ? row(2, 11, "fin-02", { state: "allowed", ...over }) : each));
  expect(pageOf(answered, "state", next!, 2).rows.map(({ index }) => index)).toEqual([3, 2]);
  for (const sort of REQUEST_SORTS) expect(paged(sort).sort()).toEqual([1, 2, 3, 4, 5]);
  expect(ROWS).toEqual(before);
});
