import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { advance, type CommandEvent, type CommandState, eventOf } from "./state.ts";

const at = "2026-11-24T08:00:00.000Z";
const STATES: Record<string, CommandState> = {
  sent: { state: "sent", at },
  received: { state: "received", at },
  done: { state: "done", at },
  failed: { state: "failed", at, reason: "it broke" },
  "expired, it says": { state: "expired", at, by: "workstation" },
  "expired, we think": { state: "expired", at, by: "console" },
};
const EVENTS: Record<string, CommandEvent> = {
  received: { event: "received", at },
  done: { event: "done", at },
  failed: { event: "failed", at, reason: "it broke" },
  refused: { event: "refused", at, reason: "too few keys" },
  "expired, it says": { event: "expired", at, by: "workstation" },
  "expired, we think": { event: "expired", at, by: "console" },
};
const stands = "stands";
/** Rows: before; columns: what comes. */
const TABLE: Record<keyof typeof STATES, Record<keyof typeof EVENTS, string>> = {
  sent: {
    received: "received",
    done: "done",
    failed: "failed",
    refused: "failed",
    "expired, it says": "expired",
    "expired, we think": "expired",
  },
  received: {
    received: stands,
    done: "done",
    failed: "failed",
    refused: stands,
    "expired, it says": "expired",
    "expired, we think": stands,
  },
  done: Object.fromEntries(Object.keys(EVENTS).map((name) => [name, stands])),
  failed: Object.fromEntries(Object.keys(EVENTS).map((name) => [name, stands])),
  "expired, it says": Object.fromEntries(Object.keys(EVENTS).map((name) => [name, stands])),
  "expired, we think": {
    received: "received",
    done: "done",
    failed: "failed",
    refused: "failed",
    "expired, it says": stands,
    "expired, we think": stands,
  },
};

describe("a command that is", () => {
  const rows = Object.entries(TABLE).flatMap(([before, row]) =>
    Object.entries(row).map(([event, wanted]) => [before, event, wanted] as const),
  );
  it.each(rows)("%s and hears %s: %s", (before, event, wanted) => {
    const got = advance(STATES[before]!, EVENTS[event]!);
    expect(got.ok ? got.value.state : stands).toBe(wanted);
  });
  it("at its end by the workstation's word stays there, whatever comes", () => {
    const events = fc.array(fc.constantFrom(...Object.values(EVENTS)), { maxLength: 12 });
    fc.assert(
      fc.property(events, (each) => {
        let state: CommandState = { state: "sent", at };
        let end: CommandState | undefined;
        for (const event of each) {
          const next = advance(state, event);
          if (next.ok) state = next.value;
          if (end) expect(state).toBe(end);
          const final = state.state === "done" || state.state === "failed";
          if (!end && (final || (state.state === "expired" && state.by === "workstation"))) end = state;
        }
      }),
    );
  });
});

describe("a record on the trail", () => {
  const command = "aaaaaaaa-1111-4111-8111-111111111111";
  const digest = "a".repeat(64);
  it.each<[string, object, CommandEvent | undefined]>([
    ["command.received", { command, verb: "wipe", digest, order: 1, notAfter: at }, { event: "received", at }],
    ["command.done", { command, digest, outcome: "done", finished: at }, { event: "done", at }],
    [
      "command.done",
      { command, digest, outcome: "failed", reason: "no Xen", finished: at },
      { event: "failed", at, reason: "no Xen" },
    ],
    [
      "command.done",
      { command, digest, outcome: "expired", finished: at },
      { event: "expired", at, by: "workstation" },
    ],
    ["command.done", { command }, undefined],
    [
      "policy.refused",
      { type: "command", digest, code: "signatures", reason: "too few keys" },
      { event: "refused", at, reason: "too few keys" },
    ],
    [
      "policy.refused",
      { type: "command", digest, code: "expired", reason: "valid until then" },
      { event: "expired", at, by: "workstation" },
    ],
    ["policy.refused", { type: "policy", digest, code: "signatures", reason: "too few keys" }, undefined],
    ["guest.log", { command, digest, outcome: "done", finished: at }, undefined],
  ])("%s %j", (kind, body, event) => expect(eventOf(kind, body, at)?.event).toEqual(event));
  it("that is anything else says nothing of a command, and never throws", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("command.received", "command.done", "policy.refused"),
        fc.jsonValue(),
        (kind, body) => {
          expect(eventOf(kind, body, at)).toBeUndefined();
        },
      ),
    );
  });
});
