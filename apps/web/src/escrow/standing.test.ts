import { expect, it } from "vitest";
import { type Found, standingOf } from "./standing.ts";

const [volume, digest] = ["01234567-89ab-cdef-0123-456789abcdef", "a".repeat(64)];
const row = { volume, digest, wiped: null, destroyedAt: null };
const wiped = { command: "c", at: "2026-11-24T10:00:00.000Z" };
const found = (is: "escrowed" | "waiting" | "changed" | "unknown", sealed = digest): Found => ({
  uuid: volume,
  recovery: [{ slot: 1, is, sealed: sealed as never }],
});

it.each<[string, object, Found, string]>([
  ["is the key in the header", {}, found("escrowed"), "opens it"],
  ["came while its agent had not seen it sent", {}, found("waiting"), "opens it"],
  ["was sealed for a key that somebody changed", {}, found("changed"), "changed"],
  ["was followed by another", {}, found("escrowed", "b".repeat(64)), "ended"],
  [
    "an older agent marked",
    {},
    { uuid: volume, recovery: [{ slot: 1, is: "unknown", sealed: digest as never, older: true }] },
    "cannot be told",
  ],
  ["is of a volume that is there no more", { volume: "another" }, found("escrowed"), "elsewhere"],
  ["is of a workstation that reported nothing", {}, undefined, "not reported"],
  ["is of an agent that does not tell", {}, { uuid: volume }, "not reported"],
  ["is of a volume that was wiped", { wiped }, undefined, "to be destroyed"],
  ["was destroyed", { wiped, destroyedAt: wiped.at }, found("escrowed"), "destroyed"],
])("a sealed recovery key that %s", (_name, change, now, word) => {
  expect(standingOf({ ...row, ...change }, now).word).toBe(word);
});
