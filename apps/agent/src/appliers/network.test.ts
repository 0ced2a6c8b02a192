/** The firewall's applier over a pretend kernel: what it loads, what it sees, what it says. */

import { fail, ok } from "@sallyport/shared/base/result.ts";
import { UNTRACKED } from "@sallyport/shared/policy/network/untracked.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import { SectionState } from "@sallyport/shared/state/reported.ts";
import { describe, expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import type { ResolveName } from "../dom0/names.ts";
import { simRuleset } from "../sim/ruleset.ts";
import { simXl } from "../sim/xl.ts";
import { BROKER_LOST_MS, type NetworkParts, networkApplier, unfiltered } from "./network.ts";

const TABLE = { family: "inet", table: "sallyport" } as const;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

function agent(more: Partial<NetworkParts> = {}) {
  const ruleset = simRuleset();
  const disk: { text?: string } = {};
  const told: string[] = [];
  const clock = { ms: 0, lostMs: 0, set: 0, floor: 0 };
  const answers: Record<string, string[]> = { "broker.example": ["192.0.2.9"] };
  const resolve: ResolveName = async (name) => (answers[name] ? ok(answers[name]) : fail(`${name}: no such name`));
  const parts: NetworkParts = {
    ruleset,
    config: { wire: "routed", vifs: [{ name: "vif1.0", guest: "work", addresses: ["10.1.0.2"] }], own: [] },
    broker: { host: "broker.example", port: 8883 },
    lostMs: () => clock.lostMs,
    resolve,
    hash: sha256,
    now: () => Date.parse("2026-11-24T12:00:00Z") + clock.ms + clock.set,
    floor: () => clock.floor + clock.ms,
    monotonic: () => clock.ms,
    kept: {
      read: async () => disk.text,
      write: (text) => {
        disk.text = text;
      },
    },
    denied: () => [],
    tell: ({ text }) => void told.push(text),
    log: silent,
    ...more,
  };
  const start = () => networkApplier(parts);
  let applier = start();
  const look = async (draft: unknown) => {
    const state = applier.judge(NetworkSection.parse(draft), await applier.inspect());
    expect(SectionState.safeParse(state).success).toBe(true);
    return state;
  };
  const settle = async (draft: unknown) => {
    const before = await look(draft);
    if (before.outcome !== "failed") return before;
    await applier.apply(NetworkSection.parse(draft));
    return look(draft);
  };
  const restart = () => {
    applier = start();
  };
  return { ruleset, disk, told, clock, answers, look, settle, restart, text: () => ruleset.text(TABLE) ?? "" };
}
const web = { name: "web", verdict: "allow", protocol: "tcp", ports: ["443"] };

it("a clock that was set back opens no window of time again: the kernel's is judged by how far it is behind", async () => {
  const rules = [{ name: "morning", verdict: "allow", during: [{ days: ["tue"], from: "08:00", until: "11:00" }] }];
  const spans = (text: string) => /meta time \{ ([^}]*) \}/.exec(text)?.[1] ?? "";
  const { clock, settle, text } = agent();
  const tuesday = (hour: number) => String(Date.parse("2026-11-24T00:00:00Z") / 1000 + hour * 3_600);
  // it is noon
  clock.floor = Date.parse("2026-11-24T12:00:00Z");
  await settle({ rules });
  expect(spans(text())).toContain(`"${tuesday(8)}"-"${tuesday(11)}"`);
  // and by the kernel's clock nine in the morning: the window lies three hours earlier for it
  clock.set = -3 * 3_600_000;
  expect((await settle({ rules })).outcome).toBe("applied");
  expect(spans(text())).toContain(`"${tuesday(5)}"-"${tuesday(8)}"`);
  // what drifts by seconds loads nothing anew
  const loaded = text();
  clock.set -= 40_000;
  await settle({ rules });
  expect(text()).toBe(loaded);
  clock.set = 0;
  await settle({ rules });
  expect(spans(text())).toContain(`"${tuesday(8)}"-"${tuesday(11)}"`);
});

describe("the firewall's applier", () => {
  it("binds a guest to the card that Xen gave it, over restarts of the guest, and says which are bound to none", async () => {
    const xen = simXl();
    const vifs = [
      { name: "vif-work", guest: "work", addresses: ["10.1.0.2"] },
      { name: "vif-own", guest: "own", mac: "00:16:3e:00:00:09", addresses: ["10.1.0.3"] },
    ];
    const { settle, look, text } = agent({ config: { wire: "routed", vifs, own: [] }, cards: xen.cards });
    const before = await settle({ rules: [web] });
    expect(before).toMatchObject({ outcome: "applied", found: { unbound: [expect.stringContaining("vif-work")] } });
    expect(before.reason).toContain("NOT BOUND to a card, so that its guest may use any MAC: vif-work;");
    const first = xen.start("work", [{ vifname: "vif-work", mac: "00:16:3e:00:00:01" }]);
    expect((await look({ rules: [web] })).outcome).toBe("failed");
    const bound = await settle({ rules: [web] });
    expect(bound).toMatchObject({ outcome: "applied", found: { cards: { "vif-work": "00:16:3e:00:00:01" } } });
    expect(bound.reason).toBeUndefined();
    expect(text()).toContain("ether saddr != 00:16:3e:00:00:01 jump drop-spoofed");
    // while it is away, and with another card after its next start
    await xen.destroy(first);
    expect((await look({ rules: [web] })).outcome).toBe("applied");
    xen.start("work", [{ vifname: "vif-work", mac: "00:16:3e:00:00:02" }]);
    await settle({ rules: [web] });
    expect(text()).toContain("ether saddr != 00:16:3e:00:00:02 jump drop-spoofed");
    expect(text()).not.toContain("00:16:3e:00:00:01");
  });
  it("says of guests that Xen or the configuration gives the same what they share, with the rules in force", async () => {
    const xen = simXl();
    const mac = "00:16:3e:00:00:01";
    const vifs = [
      { name: "vif-work", guest: "work", mac, addresses: ["10.1.0.2"] },
      { name: "vif-play", guest: "play", addresses: ["10.1.0.3"] },
    ];
    const { settle, text } = agent({ config: { wire: "routed", vifs, own: [] }, cards: xen.cards });
    xen.start("play", [{ vifname: "vif-play", mac }]);
    const state = await settle({ rules: [web] });
    expect(state).toMatchObject({ outcome: "failed", reason: expect.stringContaining(`both have the card ${mac}`) });
    expect(text()).toContain("goto rule-1");
  });
  it("says that nobody reads the log of drops, while that is so", async () => {
    const { ruleset, settle } = agent();
    ruleset.setHeard(false);
    expect((await settle({ rules: [web] })).reason).toContain("Nobody reads the log of drops (NFLOG group 5): ");
    ruleset.setHeard(true);
    expect((await settle({ rules: [web] })).reason).not.toContain("Nobody reads");
  });
  it("says that it cannot ask for cards where xenstore does not answer", async () => {
    const cards = async () => {
      throw new Error("xenstore-ls: no answer in 10 s");
    };
    expect((await agent({ cards }).settle({ rules: [web] })).reason).toContain(
      "xenstore does not answer (xenstore-ls: no answer",
    );
  });
  it("takes dom0's way to the broker out of a nearly full table of connections, follows a widened one, and puts it back", async () => {
    const { ruleset, clock, settle, restart, text } = agent();
    const way = () => ruleset.text(UNTRACKED);
    ruleset.setConnections({ count: 74, max: 100 });
    expect((await settle({ rules: [web] })).reason).not.toContain("nearly full");
    expect(way()).toBeUndefined();
    const loaded = text();
    ruleset.setConnections({ count: 75, max: 100 });
    const state = await settle({ rules: [web] });
    expect(state).toMatchObject({ outcome: "applied", found: { connections: { count: 75, max: 100 } } });
    expect(state.reason).toContain("table of connections is nearly full");
    expect(way()).toContain("ip daddr { 192.0.2.9 } tcp dport 8883 goto ask");
    expect(text(), "the section's own table is let be").toBe(loaded);
    clock.lostMs = BROKER_LOST_MS;
    restart();
    await settle({ rules: [web] });
    expect(way()).toContain("tcp dport { 53, 8883 } goto ask");
    ruleset.setConnections({ count: 50, max: 100 });
    await settle({ rules: [web] });
    expect(way()).toBeDefined();
    ruleset.setConnections({ count: 49, max: 100 });
    expect((await settle({ rules: [web] })).outcome).toBe("applied");
    expect(way()).toBeUndefined();
  });
  it("loads the section, says so by looking, and keeps the text on disk", async () => {
    const { look, settle, text, disk } = agent();
    expect(await look({ rules: [web] })).toMatchObject({ outcome: "failed", reason: "no ruleset of ours is loaded" });
    expect(await settle({ rules: [web] })).toMatchObject({
      outcome: "applied",
      found: { path: ["192.0.2.9"], differs: [] },
    });
    expect(text()).toContain("tcp dport { 443 } goto rule-1");
    expect(disk.text).toContain("tcp dport { 443 } goto rule-1");
    expect(await look({ rules: [] })).toMatchObject({ outcome: "failed" });
  });
  it("has what the overlay denies before the rules, in audit mode as well, and lets it go with the overlay", async () => {
    let denied: NetworkParts["denied"] extends () => infer D ? D : never = [];
    const { settle, look, text, answers } = agent({ denied: () => denied });
    await settle({ mode: "audit", rules: [web] });
    denied = [
      { id: "0123456789ab", to: "203.0.113.0/24", protocol: "tcp", port: 443 },
      { id: "ba9876543210", host: "Bad.example", protocol: "any" },
    ];
    expect(await look({ mode: "audit", rules: [web] })).toMatchObject({ outcome: "failed" });
    expect(await settle({ mode: "audit", rules: [web] })).toMatchObject({
      outcome: "audit",
      reason: expect.stringContaining("bad.example: no such name"),
      found: { denied: 2, unanswered: ["Bad.example"] },
    });
    expect(text()).toContain("ip daddr { 203.0.113.0-203.0.113.255 } tcp dport 443 goto deny-0123456789ab");
    expect(text()).toMatch(/counter name "deny-0123456789ab" drop/);
    expect(text()).not.toContain("goto deny-ba9876543210");
    answers["bad.example"] = ["198.51.100.9"];
    denied = [{ id: "ba9876543210", host: "Other.example", protocol: "any" }];
    answers["other.example"] = ["198.51.100.7"];
    expect(await settle({ mode: "audit", rules: [web] })).toMatchObject({ found: { denied: 1, unanswered: [] } });
    expect(text()).toContain("ip saddr { 198.51.100.7 } goto deny-ba9876543210");
    denied = [];
    await settle({ mode: "audit", rules: [web] });
    expect(text()).not.toContain("deny-");
  });
  it("says audit where the section only audits", async () => {
    expect((await agent().settle({ mode: "audit" })).outcome).toBe("audit");
  });
  it("says that nothing is filtered where no guest's device is named", async () => {
    const applier = unfiltered();
    expect(applier.judge(NetworkSection.parse({}), await applier.inspect())).toMatchObject({
      outcome: "not-applied",
      reason: expect.stringContaining("firewall.vifs"),
    });
  });
  it("says that it cannot where it may not look", async () => {
    const ruleset = { ...simRuleset(), list: () => Promise.reject(new Error("nft: Operation not permitted")) };
    expect(await agent({ ruleset }).settle({})).toMatchObject({
      outcome: "not-applied",
      reason: expect.stringContaining("root"),
    });
  });
  it("names what another changed, puts it back, and says that it did", async () => {
    const { settle, look, ruleset, told } = agent();
    await settle({ rules: [web] });
    ruleset.tamper(TABLE, (lines) => lines.map((line) => (line.includes("dport { 443 }") ? "accept" : line)));
    expect(await look({ rules: [web] })).toMatchObject({
      outcome: "failed",
      reason: "the ruleset was changed from outside: chain out, rule 4 is another",
    });
    expect(await settle({ rules: [web] })).toMatchObject({
      outcome: "applied",
      reason: expect.stringContaining("put back"),
    });
    await ruleset.remove(TABLE);
    expect((await settle({ rules: [web] })).outcome).toBe("applied");
    ruleset.tamper(TABLE, (lines) =>
      lines.map((line) => line.replace(/^return comment .*/, 'return comment "theirs"')),
    );
    expect((await settle({ rules: [web] })).outcome).toBe("applied");
    await settle({ rules: [] }); // another policy is no drift
    const began = "The firewall's rules were changed from outside, and it is put back:";
    expect(told).toEqual([
      `${began} chain out, rule 4 is another`,
      `${began} our table is gone`,
      `${began} another table stands in its place`,
    ]);
  });
  it("lets a change be in audit mode, and says so once; what is denied is put back all the same", async () => {
    let denied: ReturnType<NetworkParts["denied"]> = [];
    const { settle, look, ruleset, told } = agent({ denied: () => denied });
    const tamper = () =>
      ruleset.tamper(TABLE, (lines) => lines.map((line) => (line.includes("dport { 443 }") ? "accept" : line)));
    const wanted = { mode: "audit", rules: [web] };
    await settle(wanted);
    tamper();
    const reason = "the ruleset was changed from outside: chain out, rule 4 is another";
    for (const _ of [1, 2]) expect(await settle(wanted)).toMatchObject({ outcome: "failed", reason });
    expect(told).toEqual([
      "The firewall's rules were changed from outside, and audit mode leaves it so: chain out, rule 4 is another",
    ]);
    denied = [{ id: "0123456789ab", to: "203.0.113.7", protocol: "any" }];
    expect((await settle(wanted)).outcome).toBe("audit");
    tamper();
    expect((await look(wanted)).outcome).toBe("failed");
    expect((await settle(wanted)).outcome).toBe("audit");
    expect(told.at(-1)).toMatch(/it is put back/);
  });
  it("sees a change that was made while it was not running", async () => {
    const { settle, look, ruleset, restart } = agent();
    await settle({});
    restart();
    expect((await look({})).outcome).toBe("applied");
    ruleset.tamper(TABLE, (lines) => lines.filter((line) => !line.startsWith("goto drop-otherwise-out")));
    restart();
    expect(await look({})).toMatchObject({ outcome: "failed", reason: expect.stringContaining("chain out") });
  });
  it("leaves the ruleset before in force when the kernel refuses the next", async () => {
    const refusing = simRuleset();
    const { settle, text } = agent({
      ruleset: Object.assign(refusing, {
        check: async (rules: string) => (rules.includes("dport { 22 }") ? fail("no buffer space") : ok(null)),
      }),
    });
    await settle({ rules: [web] });
    await expect(settle({ rules: [{ ...web, ports: ["22"] }] })).rejects.toThrow("stays in force: no buffer space");
    expect(refusing.text(TABLE)).toContain("443");
    expect(text()).toBe("");
  });
  it("follows a name's addresses, keeps them while nobody answers, and says so", async () => {
    const { settle, answers, clock, text } = agent();
    const draft = { rules: [{ ...web, host: "far.example" }] };
    expect(await settle(draft)).toMatchObject({ outcome: "applied", reason: expect.stringContaining("far.example") });
    expect(text()).not.toContain("rule-1");
    answers["far.example"] = ["198.51.100.7"];
    clock.ms += 60_000;
    expect((await settle(draft)).outcome).toBe("applied");
    expect(text()).toContain("ip daddr { 198.51.100.7 } tcp dport { 443 }");
    delete answers["far.example"];
    clock.ms += 60_000;
    expect(await settle(draft)).toMatchObject({ reason: expect.stringContaining("no such name") });
    expect(text()).toContain("ip daddr { 198.51.100.7 }");
  });
  it("holds an hour on by a name that has no address any more, and blocks by its last ones until it has others", async () => {
    const { settle, answers, clock, text } = agent();
    const draft = {
      rules: [
        { ...web, host: "gone.example" },
        { ...web, verdict: "block", host: "gone.example", ports: ["22"] },
      ],
    };
    const allowed = "ip daddr { 198.51.100.7 } tcp dport { 443 }";
    const blocked = "ip daddr { 198.51.100.7 } tcp dport { 22 }";
    answers["gone.example"] = ["198.51.100.7"];
    await settle(draft);
    answers["gone.example"] = [];
    clock.ms += 3_600_000;
    expect(await settle(draft)).toMatchObject({ reason: expect.stringContaining("gone.example has no address") });
    expect(text()).toContain(allowed);
    clock.ms += 60_000;
    expect(await settle(draft)).toMatchObject({ outcome: "applied" });
    expect(text()).not.toContain(allowed);
    expect(text()).toContain(blocked);
    delete answers["gone.example"];
    clock.ms += 60_000;
    await settle(draft);
    expect(text(), "nobody answers").not.toContain(allowed);
    expect(text()).toContain(blocked);
    answers["gone.example"] = ["198.51.100.8"];
    clock.ms += 60_000;
    await settle(draft);
    expect(text()).toContain("ip daddr { 198.51.100.8 } tcp dport { 443 }");
    expect(text()).not.toContain("198.51.100.7");
  });
  it("widens the way to the broker when it is lost for long, that alone, and closes it with the next section", async () => {
    const { settle, clock, text } = agent();
    await settle({});
    const before = text();
    clock.lostMs = BROKER_LOST_MS - 1;
    await settle({});
    expect(text()).toBe(before);
    clock.lostMs = BROKER_LOST_MS;
    expect(await settle({})).toMatchObject({ outcome: "applied", reason: expect.stringContaining("broker") });
    const rules = (all: string) => all.split("\n").filter((line) => !/8883|dport 53|sport 53|comment/.test(line));
    expect(rules(text())).toEqual(rules(before));
    expect(text()).toContain("tcp dport { 53, 8883 } accept");
    clock.lostMs = 0;
    await settle({});
    expect(text()).toContain("tcp dport { 53, 8883 } accept");
    await settle({ rules: [web] });
    expect(text()).toContain("ip daddr { 192.0.2.9 } tcp dport 8883 accept");
  });
  it("is not applied on a wire its rules cannot see", async () => {
    const { settle, ruleset } = agent();
    ruleset.setDevices([{ name: "vif1.0", bridge: "xenbr0" }]);
    expect(await settle({})).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("set firewall.wire to bridged"),
    });
    ruleset.setDevices([{ name: "vif1.0" }]);
    expect((await settle({})).outcome).toBe("applied");
  });
});

describe("a name with many addresses", () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => `198.18.${Math.floor(at / 256)}.${at % 256}`);
  const rule = (verdict: string) => ({ name: "cdn", verdict, host: "cdn.example" });
  const bad = "203.0.113.66";

  it("is blocked at each of them, however many decoys sort before the one that is meant", async () => {
    const { answers, settle, text } = agent();
    answers["cdn.example"] = [...many(2_000), bad];
    const done = await settle({ otherwise: "allow", rules: [rule("block")] });
    expect(done).toMatchObject({ outcome: "applied" });
    expect(done.reason).not.toContain("cdn.example");
    expect(text()).toContain(bad);
  });
  it("beyond the bound, a block holds for every address and an allowance for those seen last; both are told", async () => {
    const { answers, settle, text, clock } = agent();
    answers["cdn.example"] = many(3_000);
    expect(await settle({ otherwise: "allow", rules: [rule("block")] })).toMatchObject({
      outcome: "applied",
      reason: expect.stringContaining(
        "cdn.example has 3000 addresses, more than are taken of one name: rule 1 blocks every address.",
      ),
    });
    expect(text()).toContain("goto rule-1");
    expect(text()).not.toContain("198.18.");
    answers["cdn.example"] = [bad];
    clock.ms += 61_000;
    expect(await settle({ rules: [rule("allow")] })).toMatchObject({
      outcome: "applied",
      reason: expect.stringContaining(
        "cdn.example has 3001 addresses, more than are taken of one name: rule 1 allows the 2048 seen last.",
      ),
    });
    expect(text()).toContain(bad);
  });
  it("that the overlay denies is blocked at those seen last, and the report names it", async () => {
    const denied = [{ id: "0123456789ab", host: "cdn.example", protocol: "any" as const, port: undefined }];
    const { answers, settle } = agent({ denied: () => denied as never });
    answers["cdn.example"] = many(3_000);
    expect(await settle({ otherwise: "allow" })).toMatchObject({ found: { crowded: { "cdn.example": 3_000 } } });
  });
});
