/** What a workstation makes of deny overlays: whose they are, that the console's key is enough, when they end. */
import { readFileSync } from "node:fs";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, Sha256, WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import { type Audience, Desired, type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import { keyId, type Signer } from "@sallyport/shared/trail/signed.ts";
import { describe, expect, it } from "vitest";
import { newSigner } from "../../../../packages/shared/test/keys.ts";
import { ed25519Verify, sha256 } from "../dom0/crypto.ts";
import { overlayRecords } from "../report/overlay-records.ts";
import { overlayStates } from "../report/overlays.ts";
import { type Believed, believe } from "./believe.ts";
import { EMPTY_KEPT, Kept } from "./kept.ts";
import { adding, deniedOf, heldOverlays, standing } from "./overlays.ts";
import type { Self } from "./self.ts";

const console = newSigner();
const approver = newSigner();
const OWN = "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as WorkstationId;
const OTHER = "4f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b" as WorkstationId;
const GROUP = "11111111-2222-4333-8444-555555555555" as GroupId;
const OTHERS = "22222222-2222-4333-8444-555555555555" as GroupId;
const self: Self = { workstation: OWN, group: GROUP, consoleKeys: [toBase64(console.publicKey)] };
const ISSUED = "2026-11-24T10:00:00.000Z";
const END = "2026-11-25T10:00:00.000Z";
const NOW = Date.parse(ISSUED);
const FLEET: Audience = { fleet: true };

const entry = (id: string, more: Partial<OverlayEntry> = {}): OverlayEntry => ({
  ...{ id: id.padStart(12, "0"), until: END, reason: "seen elsewhere" },
  ...{ what: { kind: "file", sha256: "a".repeat(64) as Sha256 }, ...more },
});
type More = { order?: number; audience?: Audience; by?: Signer; notAfter?: string | null; entries?: OverlayEntry[] };
function overlay({ order = 1, audience = FLEET, by = console, notAfter = END, entries = [entry("1")] }: More = {}) {
  const head = { type: "overlay" as const, audience, order, issued: ISSUED };
  return signStatement(sha256, [by], { ...head, ...(notAfter !== null && { notAfter }) }, { entries });
}
const offer = (kept: Kept, statement: unknown): Believed => believe(sha256, ed25519Verify, self, kept, statement, NOW);
function taken(kept: Kept, ...statements: SignedStatement[]): Kept {
  for (const statement of statements) {
    const believed = offer(kept, statement);
    if (believed.answer !== "taken") throw new Error(JSON.stringify(believed));
    kept = Kept.parse(JSON.parse(JSON.stringify(believed.kept))); // as the disk has it after a restart
  }
  return kept;
}
const overlaysOf = (kept: Kept, own: Pick<Self, "workstation" | "group">, clocks: { now: number; floor: number }) =>
  standing(heldOverlays(kept, own), clocks);
const ids = (kept: Kept, clocks = { now: NOW, floor: NOW }, group = GROUP) =>
  deniedOf(overlaysOf(kept, { workstation: OWN, group }, clocks)).map(({ id }) => Number(id));

describe("a deny overlay", () => {
  it("is taken from the console's key alone, also where a group needs more, and is no news the second time", () => {
    const keys = [console, approver].map((signer) => ({
      id: keyId(sha256, signer.publicKey),
      publicKey: toBase64(signer.publicKey),
      role: signer === console ? ("console" as const) : ("approver" as const),
    }));
    const carried = { workstation: OWN, group: GROUP, groupName: "g", signers: { threshold: 2, keys } };
    const head = { type: "membership" as const, audience: { workstation: OWN }, order: 1, issued: ISSUED };
    const strict = taken(EMPTY_KEPT, signStatement(sha256, [console], head, carried));
    const kept = taken(strict, overlay());
    expect(ids(kept)).toEqual([1]);
    expect(offer(kept, overlay())).toEqual({ answer: "held" });
  });
  const refusals: [string, SignedStatement, string][] = [
    ["for another workstation", overlay({ audience: { workstation: OTHER } }), "audience"],
    ["for another group", overlay({ audience: { group: OTHERS } }), "audience"],
    ["by another key", overlay({ by: newSigner() }), "signatures"],
    ["that never ends", overlay({ notAfter: null }), "malformed"],
    ["of more than thirty days", overlay({ notAfter: "2026-12-25T10:00:00.000Z" }), "malformed"],
    [
      "with an entry that outlives it",
      overlay({ entries: [entry("1", { until: "2026-11-26T10:00:00.000Z" })] }),
      "malformed",
    ],
    ["that has ended", overlay({ notAfter: "2026-11-24T09:00:00.000Z", entries: [] }), "expired"],
    ["changed on the way", { ...overlay(), carried: overlay({ entries: [] }).carried }, "digest"],
    [
      "that would allow",
      overlay({ entries: [entry("1", { what: { kind: "device", rule: "allow id 0951:1666" } })] }),
      "malformed",
    ],
  ];
  it.each(refusals)("%s is refused, and what stood stays", (_, statement, code) => {
    const before = { ...taken(EMPTY_KEPT, overlay({ audience: { workstation: OWN } })), floor: NOW };
    expect(offer(before, statement)).toMatchObject({ answer: "refused", refusal: { code } });
    expect(ids(before)).toEqual([1]);
  });
  it("of a higher order takes the place of the one before; an older one never comes back", () => {
    const two = taken(
      EMPTY_KEPT,
      overlay({ entries: [entry("1"), entry("2")] }),
      overlay({ order: 2, entries: [entry("2")] }),
    );
    expect(ids(two)).toEqual([2]);
    expect(offer(two, overlay({ entries: [entry("1"), entry("2")] }))).toMatchObject({
      answer: "refused",
      refusal: { code: "old-order" },
    });
    expect(ids(taken(two, overlay({ order: 3, entries: [] })))).toEqual([]);
  });
  it("of the fleet, the group and the workstation stand beside each other; of a group that it left, not any more", () => {
    const kept = taken(
      EMPTY_KEPT,
      overlay({ entries: [entry("1"), entry("4")] }),
      overlay({ audience: { group: GROUP }, entries: [entry("2")] }),
      overlay({ audience: { workstation: OWN }, entries: [entry("3"), entry("4")] }),
    );
    expect(ids(kept)).toEqual([1, 4, 2, 3]);
    expect(ids(kept, undefined, OTHERS)).toEqual([1, 4, 3]);
  });
  it("ends entry by entry, by the later of our clock and the console's", () => {
    const early = "2026-11-24T12:00:00.000Z";
    const kept = taken(EMPTY_KEPT, overlay({ entries: [entry("1", { until: early }), entry("2")] }));
    const at = (now: string, floor: string) => ids(kept, { now: Date.parse(now), floor: Date.parse(floor) });
    expect(at(early, ISSUED)).toEqual([1, 2]); // a clock that was set forward
    expect(at(ISSUED, early)).toEqual([1, 2]); // or backward
    expect(at(early, early)).toEqual([2]);
    expect(at(END, END)).toEqual([]);
  });
  it("as it was signed once is taken for ever", () => {
    const golden = JSON.parse(
      readFileSync(new URL("../../../../packages/shared/src/wire/golden/overlay-1.json", import.meta.url), "utf8"),
    );
    const own: Self = { workstation: golden.workstation, group: golden.group, consoleKeys: [golden.consoleKey] };
    let kept = EMPTY_KEPT;
    for (const statement of Desired.parse(JSON.parse(golden.message)).statements) {
      const believed = believe(sha256, ed25519Verify, own, kept, statement, NOW);
      if (believed.answer !== "taken") throw new Error(JSON.stringify(believed));
      kept = believed.kept;
    }
    expect(overlaysOf(kept, own, { now: NOW, floor: NOW })).toEqual(golden.overlays);
  });
});

describe("what is told of it", () => {
  const at = (kept: Kept, now = NOW) => overlaysOf(kept, { workstation: OWN, group: GROUP }, { now, floor: now });
  const address = entry("2", { what: { kind: "address", host: "bad.example", protocol: "any" } });

  it("is reported as in force only where what makes it true was found so", () => {
    const [one] = at(taken(EMPTY_KEPT, overlay({ entries: [entry("1"), address] })));
    expect(overlayStates([one!], { usb: { outcome: "audit" }, network: { outcome: "applied" } })).toEqual([
      {
        audience: "fleet",
        order: 1,
        digest: one!.digest,
        entries: 2,
        usb: { outcome: "applied" },
        network: { outcome: "applied" },
      },
    ]);
    expect(overlayStates([one!], { usb: { outcome: "not-applied", reason: "no gate" } })).toMatchObject([
      { usb: { outcome: "not-applied", reason: "no gate" }, network: { outcome: "failed" } },
    ]);
    const unanswered = { outcome: "applied" as const, found: { unanswered: ["bad.example"] } };
    expect(overlayStates([one!], { network: unanswered })).toMatchObject([
      { network: { outcome: "failed", reason: "no address is known for bad.example: nothing is blocked by it" } },
    ]);
    const crowded = { outcome: "applied" as const, found: { unanswered: [], crowded: { "bad.example": 3_000 } } };
    expect(overlayStates([one!], { network: crowded })).toMatchObject([
      {
        network: {
          outcome: "failed",
          reason: "bad.example has 3000 addresses: only those seen last are blocked",
        },
      },
    ]);
    expect(overlayStates(at(taken(EMPTY_KEPT, overlay({ entries: [] }))), {})).toMatchObject([{ entries: 0 }]);
  });

  it("that is not on disk yet adds to what stands there, and takes nothing from it", () => {
    const soon = "2026-11-24T12:00:00.000Z";
    const stood = taken(EMPTY_KEPT, overlay({ entries: [entry("1"), entry("2", { until: soon })] }));
    const withUnkept = (...entries: OverlayEntry[]) =>
      adding(at(stood), at(taken(stood, overlay({ order: 2, entries })))).map((each) => ({
        order: each.order,
        entries: each.entries.map(({ id, until }) => `${Number(id)} ${until}`),
      }));
    // nothing is taken away: it is in force as ordered
    expect(withUnkept(entry("1"), entry("2"), entry("3"))).toEqual([
      { order: 2, entries: [`1 ${END}`, `2 ${END}`, `3 ${END}`] },
    ]);
    // lifted, shortened, exchanged for another
    expect(withUnkept(entry("2"), entry("3"))).toEqual([{ order: 1, entries: [`1 ${END}`, `2 ${END}`, `3 ${END}`] }]);
    expect(withUnkept(entry("1", { until: soon }), entry("2"))).toEqual([
      { order: 1, entries: [`1 ${END}`, `2 ${END}`] },
    ]);
    expect(withUnkept({ ...address, id: entry("1").id }, entry("2"))).toEqual([
      { order: 1, entries: [`1 ${END}`, `2 ${END}`] },
    ]);
    expect(withUnkept()).toEqual([{ order: 1, entries: [`1 ${END}`, `2 ${soon}`] }]);
    // of another audience
    const own = taken(stood, overlay({ audience: { workstation: OWN }, entries: [entry("4")] }));
    expect(deniedOf(adding(at(stood), at(own))).map(({ id }) => Number(id))).toEqual([1, 2, 4]);
  });

  it("is a record when something comes, is lifted or ends, and none where nothing changed", () => {
    const one = at(taken(EMPTY_KEPT, overlay({ entries: [entry("1"), address] })));
    const first = overlayRecords({}, one, NOW);
    expect(first.records.map(({ text }) => text)).toEqual([
      `Deny overlay of the fleet, order 1: 2 denied now; sha256 ${"a".repeat(64)} until ${END}; bad.example until ${END}`,
    ]);
    expect(overlayRecords(first.told, one, NOW).records).toEqual([]);
    const lifted = overlayRecords(first.told, at(taken(EMPTY_KEPT, overlay({ order: 2, entries: [address] }))), NOW);
    expect(lifted.records).toMatchObject([
      { body: { order: 2, entries: 1, gone: [{ id: "000000000001", why: "lifted" }] } },
    ]);
    const ended = overlayRecords(lifted.told, [], Date.parse(END));
    expect(ended.records).toMatchObject([{ body: { entries: 0, gone: [{ id: "000000000002", why: "ended" }] } }]);
    expect(ended.told).toEqual({});
  });
});
