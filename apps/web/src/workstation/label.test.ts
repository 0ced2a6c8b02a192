import { expect, test } from "vitest";
import { nameOfHost, WorkstationName } from "./label.ts";

test.each([
  ["lab-07", "lab-07"],
  ["  lab\t07 ", "lab 07"],
  ["lab\u202e70", "lab\\u202e70"],
  ["\u200b", "\\u200b"],
])("a machine that says it is %j is called %j until a person names it", (hostname, name) =>
  expect(nameOfHost(hostname)).toBe(name),
);

test.each([
  ["l\u0430b", /one alphabet/],
  ["lab\u2066", /U\+2066/],
  ["   ", /a name/],
  ["x".repeat(65), /at most 64/],
  ["lab<7>", /letters, digits, spaces/],
])("nobody may call a workstation %j", (typed, why) => {
  const read = WorkstationName.safeParse(typed);
  expect(read.error?.issues.map(({ message }) => message).join()).toMatch(why);
});
