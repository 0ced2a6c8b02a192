import { VERB_RULES, VERBS } from "@sallyport/shared/command/verb.ts";
import { expect, it } from "vitest";
import { type Chosen, type Foreseen, foreseen, ManyVerb } from "./many.ts";

const one: Chosen = { id: "i", name: "lab-07", state: "enrolled", group: { threshold: 1 }, guests: [{ id: "work" }] };

it("nothing that destroys, or wants more than a responder, is told to many", () => {
  for (const verb of VERBS.filter((each) => VERB_RULES[each].isDestructive || VERB_RULES[each].role !== "responder"))
    expect(ManyVerb.safeParse(verb).success).toBe(false);
});

it.each<[ManyVerb, Partial<Chosen>, Foreseen]>([
  ["isolate", {}, { will: "send" }],
  ["isolate", { group: { threshold: 2 } }, { will: "send" }],
  ["release", {}, { will: "send" }],
  ["release", { group: { threshold: 2 } }, { will: "wait" }],
  ["diagnostics", { guests: [] }, { will: "send" }],
  ["diagnostics", { state: "quarantined" }, { will: "not", why: "it is quarantined and takes no commands" }],
  ["pause", {}, { will: "send", guest: "work" }],
  ["resume", { group: { threshold: 2 } }, { will: "wait", guest: "work" }],
  ["pause", { guests: [] }, { will: "not", why: "it reported no guest" }],
  [
    "pause",
    { guests: [{ id: "work" }, { id: "play" }] },
    { will: "not", why: "it reported 2 guests: say which on its own page" },
  ],
])("%s to %j", (verb, over, wanted) => expect(foreseen(verb, { ...one, ...over })).toEqual(wanted));
