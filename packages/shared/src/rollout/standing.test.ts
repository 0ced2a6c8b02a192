import { describe, expect, it } from "vitest";
import { SECTIONS } from "../policy/policy.ts";
import { type Found, type Seen, standing, unheardMs } from "./standing.ts";

const WANTED = { digest: "a", order: 7 };
const fine = Object.fromEntries(SECTIONS.map((name) => [name, { outcome: name === "usb" ? "audit" : "applied" }]));
const found = (more: Partial<Found> = {}): Found => ({ digest: "a", order: 7, sections: fine, refused: null, ...more });
const old = found({ digest: "b", order: 6 });
const told = { before: [], heard: true };
const broken = { ...fine, ids: { outcome: "failed", reason: "Suricata does not start" } };

const fetching = { ...fine, ids: { outcome: "not-applied", reason: "it is being fetched", pending: true } };

const rows: [string, Seen, string, RegExp][] = [
  ["has it in force", { told, found: found(), unheardForMs: 0 }, "done", /by looking/],
  ["has it in force and went away", { told, found: found(), unheardForMs: 9e9 }, "done", /by looking/],
  [
    "could not make a section true",
    { told, found: found({ sections: broken }), unheardForMs: 0 },
    "failed",
    /ids: Suricata/,
  ],
  [
    "still fetches what a section names",
    { told, found: found({ sections: fetching }), unheardForMs: 0 },
    "waiting",
    /told; ids: it is being fetched/,
  ],
  [
    "fetches for one section and has failed at another",
    { told, found: found({ sections: { ...fetching, usb: { outcome: "failed" } } }), unheardForMs: 0 },
    "failed",
    /usb: not reported/,
  ],
  [
    "says nothing of a section",
    { told, found: found({ sections: {} }), unheardForMs: 0 },
    "failed",
    /usb: not reported/,
  ],
  [
    "could not do so before either",
    { told: { ...told, before: ["ids"] }, found: found({ sections: broken }), unheardForMs: 0 },
    "done",
    /as before it: ids/,
  ],
  [
    "refused it",
    { told, found: { ...old, refused: { order: 7, reason: "too few signatures" } }, unheardForMs: 0 },
    "failed",
    /refused: too few/,
  ],
  [
    "refused another",
    { told, found: { ...old, refused: { order: 5, reason: "x" } }, unheardForMs: 0 },
    "waiting",
    /told; has r6/,
  ],
  [
    "has the same revision by an older order",
    { told, found: found({ order: 6 }), unheardForMs: 0 },
    "waiting",
    /has r6/,
  ],
  ["was told and is on its way", { told, found: old, unheardForMs: 1000 }, "waiting", /told; has r6/],
  ["was told and has nothing", { told, found: null, unheardForMs: 1000 }, "waiting", /no policy in force/],
  ["was not told yet", { told: null, found: old, unheardForMs: 1000 }, "waiting", /not told yet/],
  ["was told while away", { told, found: old, unheardForMs: 7_300_000 }, "unreachable", /for 2 h/],
  ["was never heard from", { told: null, found: null, unheardForMs: null }, "unreachable", /never heard from/],
];
describe("a workstation that", () => {
  it.each(rows)("%s", (_, seen, word, reason) => {
    const stands = standing(WANTED, seen, unheardMs(60));
    expect(stands.word).toBe(word);
    expect(stands.reason).toMatch(reason);
  });
});
