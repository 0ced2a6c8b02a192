import { expect, test } from "vitest";
import { wordsOf } from "./bench-words.mjs";

test("what Node has against a package does not take the place of what a bench found", () => {
  const warned = `(node:1250) [DEP0169] DeprecationWarning: \`url.parse()\` behavior is not standardized
(Use \`node --trace-deprecation ...\` to show where the warning was created)
… 1,000 records
{"perSecond":3}
`;
  expect(wordsOf(warned)).toBe("");
  expect(wordsOf(`${warned}records a second  3\n`)).toBe("records a second  3");
});
