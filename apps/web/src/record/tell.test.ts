import fc from "fast-check";
import { expect, test } from "vitest";
import { tell } from "./tell.ts";

test("an IDS alert is told with both ends, and an IPv6 end is not taken for a port", () => {
  const body = {
    source: "fe80::1",
    sourcePort: 53,
    destination: "10.0.0.5",
    protocol: "UDP",
    eventTime: "x",
    signature: "ET SCAN",
    signatureId: 2001219,
    event: {},
  };
  expect(tell("ids.alert", body)?.facts[0]).toEqual(["route", "[fe80::1]:53 → 10.0.0.5, UDP"]);
});

test("a policy that is in force in part says which parts are not, and why", () => {
  const outcomes = { log: { outcome: "applied" }, usb: { outcome: "not-applied", reason: "no gate" } };
  expect(tell("policy.applied", { digest: "ab".repeat(32), order: 3, outcomes })).toEqual({
    sentence: "The agent made policy r3 true and looked: 1 of 2 sections are in force.",
    facts: [
      ["in force", "log"],
      ["not applied", "usb (no gate)"],
    ],
  });
});

test("an act names who did it, from where, and what was before and after", () => {
  const body = { actor: { id: "p1", email: "ada@example.org" }, address: "10.0.0.9", before: { role: "viewer" } };
  expect(tell("person.role-changed", body)).toEqual({
    sentence: "ada@example.org did this on the console, from 10.0.0.9.",
    facts: [["before", '{"role":"viewer"}']],
  });
});

test("a body that is not of its kind, or of an unknown kind, tells nothing and breaks nothing", () => {
  const kind = fc.constantFrom(
    "guest.log",
    "ids.alert",
    "net.drop",
    "policy.applied",
    "agent.gap",
    "console.x",
    "new.kind",
  );
  fc.assert(
    fc.property(kind, fc.jsonValue(), (each, body) => {
      const told = tell(each, body);
      if (told) expect(told.sentence.length).toBeGreaterThan(0);
    }),
  );
  expect(tell("new.kind", {})).toBeUndefined();
});
