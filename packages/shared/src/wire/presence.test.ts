import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spoiled, textOf, time, uuid, words } from "../../test/drawn.ts";
import { toUtf8 } from "../base/bytes.ts";
import type { SessionId } from "../base/ids.ts";
import { readJson } from "../base/json.ts";
import { PRESENCE_BYTES_MAX, Presence } from "./presence.ts";

const presence = fc.record({
  session: uuid<SessionId>(),
  state: fc.constantFrom("online" as const, "offline" as const),
  at: time,
  agentVersion: words(64),
});

describe("a presence", () => {
  it("of any text is answered, never thrown", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), spoiled(presence).map(textOf)), (text) => {
        const json = readJson(text, PRESENCE_BYTES_MAX);
        if (json.ok) Presence.safeParse(json.value);
      }),
    );
  });

  it("reads back, and fits its bound as agents make it", () => {
    fc.assert(
      fc.property(presence, (value) => {
        const text = JSON.stringify(value);
        expect(toUtf8(text).length).toBeLessThanOrEqual(PRESENCE_BYTES_MAX);
        expect(Presence.parse(JSON.parse(text))).toEqual(value);
      }),
    );
  });

  it("is neither on nor off where it says something else", () => {
    fc.assert(
      fc.property(presence, fc.string(), (value, state) => {
        fc.pre(state !== "online" && state !== "offline");
        expect(Presence.safeParse({ ...value, state }).success).toBe(false);
      }),
    );
  });
});
