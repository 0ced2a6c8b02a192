import { expect, test } from "vitest";
import { inOrder, SORTS, type SortWord } from "./sort.ts";

const person = (name: string, role: "viewer" | "owner" | "admin", seenAt: string | null) => ({
  ...{ name, role, seenAt },
  email: `${[...name].reverse().join("")}@example.org`.toLowerCase(),
});
const PEOPLE = [
  person("Ünal", "viewer", null),
  person("ada", "owner", "2026-11-24T10:00:00.000Z"),
  person("Zoe", "admin", "2026-11-29T10:00:00.000Z"),
  person("Bo", "viewer", "2026-11-24T10:00:00.000Z"),
];

test.each<[SortWord, string]>([
  ["name", "ada Bo Ünal Zoe"],
  ["-name", "Zoe Ünal Bo ada"],
  ["email", "ada Zoe Ünal Bo"],
  ["role", "Ünal Bo Zoe ada"],
  ["-role", "ada Zoe Ünal Bo"],
  ["seen", "Ünal ada Bo Zoe"],
  ["-seen", "Zoe ada Bo Ünal"],
])("by %s: %s", (by, names) =>
  expect(
    inOrder(PEOPLE, by)
      .map(({ name }) => name)
      .join(" "),
  ).toBe(names),
);

test("each order keeps everybody, and changes nothing of what it was given", () => {
  const before = [...PEOPLE];
  for (const by of SORTS) expect(new Set(inOrder(PEOPLE, by))).toEqual(new Set(PEOPLE));
  expect(PEOPLE).toEqual(before);
});
