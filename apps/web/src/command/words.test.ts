import { VERBS, type Verb } from "@sallyport/shared/command/verb.ts";
import { expect, it } from "vitest";
import { argumentWords, standing, VERB_WORDS, VERBS_SHOWN } from "./words.ts";

const at = "2026-11-24T08:00:00.000Z";

it("each verb has a name that no other has", () => {
  expect(new Set(VERBS.map((verb) => VERB_WORDS[verb])).size).toBe(VERBS.length);
});

it("all of them are shown once, what takes one back right after it", () => {
  expect(new Set(VERBS_SHOWN)).toEqual(new Set(VERBS));
  expect(VERBS_SHOWN).toHaveLength(VERBS.length);
  const at = (verb: Verb) => VERBS_SHOWN.indexOf(verb);
  expect(at("start-guest")).toBe(at("destroy-guest") + 1);
  expect(at("resume")).toBe(at("pause") + 1);
});

it("a time that has passed is told from the workstation's own word", () => {
  expect(standing({ state: "expired", at, by: "workstation" }).reason).toContain("never begun");
  expect(standing({ state: "expired", at, by: "console" }).reason).toContain("No word came");
});

it("a failure gives its reason, and is the only one in the tone of one", () => {
  expect(standing({ state: "failed", at, reason: "no firewall" })).toMatchObject({
    tone: "block",
    reason: "no firewall",
  });
  expect(standing({ state: "done", at }).tone).toBe("allow");
});

it.each([
  [{}, ""],
  [{ until: "2026-11-25T08:00:00.000Z" }, "until 11-25 08:00Z"],
  [{ guest: "work" }, "work"],
])("%j reads %j", (given, words) => expect(argumentWords(given)).toBe(words));
