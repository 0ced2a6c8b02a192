import type { GuestSuppressed } from "@sallyport/shared/record/guest.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { describe, expect, it } from "vitest";
import { dropCounter } from "./network-drops.ts";
import { type ReadTable, readTable } from "./network-table.ts";

const set = (name: string, ...pairs: [string, string, number][]) => ({
  set: {
    family: "inet",
    name,
    table: "sallyport",
    type: ["ifname", "ifname"],
    elem: pairs.map(([from, to, packets]) => ({
      elem: { val: { concat: [from, to] }, counter: { packets, bytes: packets * 100 } },
    })),
  },
});
const rule = (chain: string, prefix: string) => ({
  rule: { family: "inet", table: "sallyport", chain, expr: [{ limit: {} }, { log: { prefix, group: 5 } }] },
});
const RULES = [rule("rule-3", "rule 3 no-telnet"), rule("drop-spoofed", "audit spoofed")];
const table = (...sets: object[]): ReadTable => readTable({ nftables: [...RULES, ...sets] as never });
const VIFS = [
  { name: "vif-work", guest: "work", addresses: [] },
  { name: "vif-play", guest: "play", addresses: [] },
];
const TEXT = "table inet sallyport\ndelete table inet sallyport\ntable inet sallyport {\n}\n";

function counter() {
  const told: Observation[] = [];
  const start = () =>
    dropCounter(VIFS, { now: () => Date.parse("2026-11-28T12:00:00Z"), tell: (each) => void told.push(each) });
  return { told, start, drops: start() };
}

describe("drops", () => {
  const first = table(
    set("by-rule-3", ["vif-work", "eth0", 500], ["vif-play", "eth0", 2]),
    set("told-rule-3", ["vif-work", "eth0", 40], ["vif-play", "eth0", 2]),
    set("by-spoofed", ["vif-work-emu", "", 7], ["vif9.9", "eth0", 1], ["", "vif-play", 3]),
    set("told-spoofed", ["vif-work-emu", "", 7], ["vif9.9", "eth0", 1], ["", "vif-play", 3]),
  );

  it("are counted for each guest and reason, by the device alone", () => {
    const { drops } = counter();
    drops.look(first, undefined);
    expect(drops.shown()).toEqual({
      work: { "rule 3 no-telnet": 500, spoofed: 7 },
      play: { spoofed: 3, "rule 3 no-telnet": 2 },
      unknown: { spoofed: 1 },
    });
  });

  it("go on over a reload and over a start of the agent or the machine", () => {
    const { drops, start } = counter();
    drops.look(first, undefined);
    const kept = drops.carry(TEXT);
    expect(kept.split("\n").filter((line) => !line.startsWith("  # "))).toEqual(TEXT.split("\n"));
    const next = table(set("by-rule-3", ["vif-play", "eth0", 5]), set("told-rule-3", ["vif-play", "eth0", 5]));
    drops.look(next, kept);
    expect(drops.shown()).toMatchObject({ play: { "rule 3 no-telnet": 7 }, work: { spoofed: 7 } });
    const again = start();
    again.look(next, kept);
    expect(again.shown()).toEqual(drops.shown());
    const none = start();
    none.look(next, "table inet sallyport {\n  # dropped before: nothing of ours\n}\n");
    expect(none.shown()).toEqual({ play: { "rule 3 no-telnet": 5 } });
  });

  it("that were logged to nobody are told as those that were not logged", () => {
    const { drops, told } = counter();
    const lines = () => told.splice(0).map(({ body }) => (body as GuestSuppressed).lines);
    const look = (dropped: number, logged: number, isHeard: boolean) => {
      const pair = (packets: number): [string, string, number] => ["vif-work", "eth0", packets];
      drops.look(table(set("by-rule-3", pair(dropped)), set("told-rule-3", pair(logged))), undefined, isHeard);
      return lines();
    };
    // before the first look nobody knows
    expect(look(30, 30, false)).toEqual([]);
    expect(look(50, 40, false)).toEqual([20]);
    expect(look(55, 45, true)).toEqual([]);
    expect(look(60, 50, false)).toEqual([5]);
    drops.carry(TEXT);
    expect(look(3, 3, false)).toEqual([3]);
    expect(look(3, 3, false)).toEqual([]);
  });
  it("that were not logged are told once, with how many and whose", () => {
    const { drops, told } = counter();
    drops.look(first, undefined);
    drops.look(first, undefined);
    expect(told).toMatchObject([
      { kind: "guest.suppressed", guest: "work", body: { via: "firewall", lines: 460, bytes: 46_000, reason: "rate" } },
    ]);
    expect(bodySchema("guest.suppressed")!.safeParse(told[0]!.body).success).toBe(true);
    drops.look(
      table(set("by-rule-3", ["vif-work", "eth0", 600]), set("told-rule-3", ["vif-work", "eth0", 50])),
      undefined,
    );
    expect(told.slice(1).map(({ body }) => (body as GuestSuppressed).lines)).toEqual([90]);
    drops.carry(TEXT);
    drops.look(
      table(set("by-rule-3", ["vif-work", "eth0", 31]), set("told-rule-3", ["vif-work", "eth0", 30])),
      undefined,
    );
    expect(told.slice(2).map(({ body }) => (body as GuestSuppressed).lines)).toEqual([1]);
  });
});
