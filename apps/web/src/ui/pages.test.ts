import { expect, it } from "vitest";
import { rowsOf } from "./pages.ts";

it("a row that moved between two pages while they were read is listed once, as it was read last", () => {
  const pages = [
    { rows: [{ id: "a" }, { id: "b", state: "stands" }] },
    { rows: [{ id: "c" }, { id: "b", state: "ended" }] },
  ];
  expect(rowsOf(pages, ({ id }) => id)).toEqual([{ id: "a" }, { id: "b", state: "ended" }, { id: "c" }]);
  expect(rowsOf(undefined, String)).toEqual([]);
});
