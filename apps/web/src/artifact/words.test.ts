import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { expect, test } from "vitest";
import { definitionsLines, kindOf, rulesLine } from "./words.ts";

const row = (name: string, digit: string) =>
  ({ kind: "clamav-definitions", name, sha256: digit.repeat(64) as never }) as const;

test("what is to be copied into a policy is one, with the newest of each name", () => {
  const text =
    rulesLine({ sha256: "a".repeat(64) as never }) +
    definitionsLines([row("daily.cvd", "b"), row("main.cvd", "c"), row("daily.cvd", "d")]);
  const read = readPolicy(text);
  expect(read.ok && [read.policy.ids.rules, read.policy.usb.definitions]).toEqual([
    "a".repeat(64),
    [
      { name: "daily.cvd", sha256: "b".repeat(64) },
      { name: "main.cvd", sha256: "c".repeat(64) },
    ],
  ]);
});

test.each([
  ["emerging.rules.tar.gz", "suricata-rules"],
  ["site.rules", "suricata-rules"],
  ["daily.cvd", "clamav-definitions"],
  ["README", undefined],
])("%s is taken for %s", (name, kind) => expect(kindOf(name)).toBe(kind));
