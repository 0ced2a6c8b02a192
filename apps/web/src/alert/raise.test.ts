import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import { expect, test } from "vitest";
import { LOOKED_INTO, raise } from "./raise.ts";

const record = (severity: Severity, body: unknown, text = "Sending stopped: a receipt went back") => ({
  ...{ workstation: "w", trail: 1, index: 7, timeMs: Date.parse("2026-11-24T12:00:00Z"), guest: undefined },
  ...{ kind: "agent.malformed", severity: SEVERITIES.indexOf(severity), text, body },
});
const body = { source: "receipt", reason: "a receipt went back", bytes: 0, rawBase64: "", truncated: false };

test("an agent that stopped sending, or met a forged receipt, is an alert; once a day, counted up", () => {
  for (const severity of ["critical", "error"] as const)
    expect(raise(record(severity, body))).toEqual({
      key: `malformed/w/2026-11-24/${severity}/receipt`,
      kind: "agent.malformed",
      severity,
      title: "Sending stopped: a receipt went back",
      reason: "a receipt went back",
    });
});

test("a line that a source could not read is kept and nobody is called for it", () =>
  expect(raise(record("warning", body))).toBeUndefined());

test("a critical one is told also where its body cannot be read", () =>
  expect(raise(record("critical", undefined))).toMatchObject({
    severity: "critical",
    reason: "the record of it cannot be read",
  }));

test("ingest looks into the body, so that the alert says the reason", () =>
  expect(LOOKED_INTO.has("agent.malformed")).toBe(true));

test("rules that somebody changed behind the agent's back are an alert, once a day for what was done about it", () => {
  const drift = (action: string) => ({
    ...record("warning", { section: "network", action, found: ["chain out, rule 4 is another"] }),
    kind: "policy.drift",
  });
  expect(raise(drift("put-back"))).toMatchObject({
    key: "drift/w/2026-11-24/network/put-back",
    severity: "warning",
    reason: "chain out, rule 4 is another: it was put back",
  });
  expect(raise(drift("left"))?.reason).toBe("chain out, rule 4 is another: audit mode leaves it so");
  expect(LOOKED_INTO.has("policy.drift")).toBe(true);
});

test("USB ports that are not gated are an alert, with the reason; gated ones are none", () => {
  const gate = (state: string) => ({
    ...record("error", { state, reason: "USB: not gated, because nobody turned it on" }),
    kind: "usb.gate",
  });
  expect(raise(gate("ungated"))).toMatchObject({
    key: "gate/w/2026-11-24",
    severity: "error",
    reason: "USB: not gated, because nobody turned it on",
  });
  expect(raise(gate("gated"))).toBeUndefined();
  expect(LOOKED_INTO.has("usb.gate")).toBe(true);
});

test("a scanner that is stale or gone is an alert, once a day; one that is current is none", () => {
  const scanner = (state: string) => ({
    ...record("warning", { engine: null, definitions: null, date: null, state, reason: "they are of 1 October" }),
    kind: "usb.scanner",
  });
  expect(raise(scanner("stale"))).toMatchObject({
    key: "scanner/w/2026-11-24/stale",
    severity: "warning",
    reason: "they are of 1 October",
  });
  expect(raise(scanner("absent"))).toMatchObject({ severity: "error" });
  expect(raise(scanner("current"))).toBeUndefined();
  expect(LOOKED_INTO.has("usb.scanner")).toBe(true);
});
