/** The intermediate form: what the section becomes, what a packet is answered, what is written for nftables. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NetworkSection } from "../network.ts";
import { holds, joinRanges, rangeOf, rangeText } from "./address.ts";
import { compile } from "./compile.ts";
import { LOGGED_PER_SECOND, NFLOG_GROUP } from "./drops.ts";
import { evaluate, type Packet } from "./evaluate.ts";
import type { Firewall, Vif } from "./firewall.ts";
import { lower, namesOf, type Surroundings } from "./lower.ts";
import { horizonOf, spansOf } from "./windows.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z") / 1000;
const VIF: Vif = { name: "vif1.0", guest: "work", mac: "00:16:3e:00:00:01", addresses: ["10.1.0.2", "fd00:1::2"] };
const AROUND: Surroundings = {
  wire: "routed",
  vifs: [VIF],
  names: { "known.example": ["198.51.100.7"] },
  own: [{ protocol: "udp", port: 514 }],
  path: { to: [rangeOf("192.0.2.9")], port: 8883 },
  generation: 77,
  nowSeconds: NOW,
  denied: [],
};
const PACKET: Packet = {
  from: { device: "vif1.0" },
  to: { device: "up0" },
  mac: "00:16:3e:00:00:01",
  source: "10.1.0.2",
  destination: "192.0.2.1",
  protocol: "tcp",
  sourcePort: 40_000,
  destinationPort: 443,
  state: "new",
  flow: "original",
  marks: { out: 0, in: 0 },
  at: NOW,
};
type Draft = Parameters<typeof NetworkSection.parse>[0];
const firewall = (section: Draft, around: Partial<Surroundings> = {}): Firewall =>
  lower(NetworkSection.parse(section), { ...AROUND, ...around });
const web = { name: "web", verdict: "allow", protocol: "tcp", ports: ["443"] };

const four = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 0, max: 255 }))).map((p) => p.join("."));
const six = fc
  .tuple(...Array.from({ length: 8 }, () => fc.integer({ min: 0, max: 0xffff })))
  .map((parts) => parts.map((part) => part.toString(16)).join(":"));
const prefix = fc.oneof(
  fc.tuple(four, fc.integer({ min: 0, max: 32 })).map((p) => p.join("/")),
  fc.tuple(six, fc.integer({ min: 0, max: 128 })).map((p) => p.join("/")),
);

describe("addresses", () => {
  it("are the same number however they are written", () => {
    expect(rangeOf("2001:db8::1")).toEqual(rangeOf("2001:0db8:0:0:0:0:0:1"));
    expect(rangeOf("::ffff:192.0.2.1")).toEqual(rangeOf("::ffff:c000:201"));
    expect(rangeOf("10.1.2.3/8")).toEqual(rangeOf("10.0.0.0/8"));
    expect(rangeText(rangeOf("10.1.2.3/30"))).toBe("10.1.2.0-10.1.2.3");
    expect(rangeText(rangeOf("::/0"))).toBe("0:0:0:0:0:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    for (const wrong of ["1.2.3", "1::2::3", "1:2:3:4:5:6:7", "10.0.0.0/33", "g::1"])
      expect(() => rangeOf(wrong)).toThrow();
  });
  it("come back from their text", () => {
    fc.assert(
      fc.property(fc.oneof(four, six), (text) => rangeOf(rangeText(rangeOf(text))).from === rangeOf(text).from),
    );
  });
  it("are held by the joined ranges exactly when one of them holds them", () => {
    fc.assert(
      fc.property(fc.array(prefix, { maxLength: 20 }), fc.oneof(four, six), (prefixes, text) => {
        const ranges = prefixes.map(rangeOf);
        const joined = joinRanges(ranges);
        for (const [place, { family, from }] of joined.entries())
          if (place > 0 && joined[place - 1]!.family === family) expect(joined[place - 1]!.to + 1n < from).toBe(true);
        return holds(joined, rangeOf(text)) === holds(ranges, rangeOf(text));
      }),
    );
  });
});

describe("windows", () => {
  const clock = fc.integer({ min: 0, max: 1439 });
  const clockText = (m: number) => `${String(Math.floor(m / 60)).padStart(2, "0")}:${String(m % 60).padStart(2, "0")}`;
  const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
  it("hold within the horizon when the day and the time say so", () => {
    fc.assert(
      fc.property(
        fc.subarray([...DAYS], { minLength: 1 }),
        clock,
        clock,
        fc.integer({ min: 0, max: 14 * 1440 - 1 }),
        (days, from, until, minute) => {
          const horizon = horizonOf(NOW);
          const at = horizon.from + minute * 60 + 30;
          const date = new Date(at * 1000);
          const of = date.getUTCHours() * 60 + date.getUTCMinutes();
          const today = days.includes(DAYS[date.getUTCDay()]!);
          const yesterday = days.includes(DAYS[(date.getUTCDay() + 6) % 7]!);
          const holdsNow =
            until > from ? today && from <= of && of < until : (today && of >= from) || (yesterday && of < until);
          const spans = spansOf([{ days, from: clockText(from), until: clockText(until) }], "allow", horizon);
          expect(spans.some((span) => span.from <= at && at <= span.to)).toBe(holdsNow);
        },
      ),
    );
  });
  it("run out closed: past the horizon an allowance ends and a block stays", () => {
    const horizon = horizonOf(NOW);
    const far = horizon.to + 1;
    const in_ = (spans: { from: number; to: number }[]) => spans.some(({ from, to }) => from <= far && far <= to);
    expect(in_(spansOf([{}], "allow", horizon))).toBe(false);
    expect(in_(spansOf([{ days: ["mon"] }], "block", horizon))).toBe(true);
    expect(horizon.to - NOW).toBeGreaterThanOrEqual(7 * 86_400);
  });
});

describe("lowering", () => {
  it("reads names without regard to case, once each", () => {
    const section = NetworkSection.parse({
      rules: [{ ...web, host: "A.example" }, { ...web, host: "a.EXAMPLE" }, web],
    });
    expect(namesOf(section)).toEqual(["a.example"]);
  });
  it("lets an allowance by an unknown name match nothing, and a block every address", () => {
    const rule = { name: "x", host: "unknown.example" };
    expect(firewall({ rules: [{ ...rule, verdict: "allow" }] }).rules).toEqual([]);
    expect(firewall({ rules: [{ ...rule, verdict: "block" }] }).rules[0]!.far).toBe("any");
    expect(firewall({ rules: [{ ...rule, host: "Known.example", verdict: "allow" }] }).rules[0]!.far).toEqual([
      rangeOf("198.51.100.7"),
    ]);
  });
  it("lets an allowance of icmp with ports match nothing, and a block all icmp", () => {
    const rule = { name: "x", protocol: "icmp", ports: ["80"] };
    expect(firewall({ rules: [{ ...rule, verdict: "allow" }] }).rules).toEqual([]);
    expect(firewall({ rules: [{ ...rule, verdict: "block" }] }).rules[0]!.ports).toBe("any");
  });
  it("keeps each rule's number when one before it matches nothing", () => {
    const section = { rules: [{ name: "x", verdict: "allow", host: "unknown.example" }, web] };
    expect(firewall(section).rules.map(({ label }) => label)).toEqual(["rule 2 web"]);
  });
});

describe("a packet", () => {
  const answer = (section: Draft, packet: Partial<Packet> = {}, around: Partial<Surroundings> = {}) => {
    const { verdict, by } = evaluate(firewall(section, around), { ...PACKET, ...packet });
    return `${verdict} by ${by}`;
  };
  it.each<[string, Draft, Partial<Packet>, string]>([
    ["that no rule names, by default", {}, {}, "drop by otherwise-out"],
    ["that no rule names, where that is allowed", { otherwise: "allow" }, {}, "pass by otherwise-out"],
    ["that a rule allows", { rules: [web] }, {}, "pass by rule-1"],
    ["of another port", { rules: [web] }, { destinationPort: 444 }, "drop by otherwise-out"],
    [
      "of the other direction",
      { rules: [web] },
      { from: { device: "up0" }, to: { device: "vif1.0" } },
      "drop by otherwise-in",
    ],
    ["that a rule blocks first", { rules: [{ ...web, verdict: "block" }, web] }, {}, "drop by rule-1"],
    ["with another's address", { otherwise: "allow" }, { source: "10.1.0.3" }, "drop by spoofed"],
    ["with another's card", { otherwise: "allow" }, { mac: "00:16:3e:00:00:02" }, "drop by spoofed"],
    ["of a vif nobody knows", { otherwise: "allow" }, { from: { device: "vif9.0" } }, "drop by unknown-vif"],
    [
      "to a vif nobody knows",
      { otherwise: "allow" },
      { from: { device: "up0" }, to: { device: "vif9.0" } },
      "drop by unknown-vif",
    ],
    ["from the emulated card", { rules: [web] }, { from: { device: "vif1.0-emu" } }, "pass by rule-1"],
    ["of the guest's log", {}, { to: "dom0", protocol: "udp", destinationPort: 514 }, "pass by own"],
    [
      "of the guest's log with another's address",
      {},
      { to: "dom0", protocol: "udp", destinationPort: 514, source: "10.9.9.9" },
      "drop by spoofed",
    ],
    [
      "from dom0 to the broker behind a guest",
      {},
      { from: "dom0", to: { device: "vif1.0" }, destination: "192.0.2.9", destinationPort: 8883 },
      "pass by path",
    ],
    [
      "from dom0 to another port there",
      {},
      { from: "dom0", to: { device: "vif1.0" }, destination: "192.0.2.9", destinationPort: 22 },
      "drop by otherwise-in",
    ],
    ["that is no guest's", {}, { from: { device: "up0" }, to: "dom0" }, "pass by not a guest's"],
    ["of a connection that may go on", {}, { state: "established", marks: { out: 77, in: 0 } }, "pass by established"],
    [
      "of a connection an earlier section allowed",
      {},
      { state: "established", marks: { out: 76, in: 0 } },
      "drop by otherwise-out",
    ],
    [
      "that answers a connection",
      {},
      {
        from: { device: "up0" },
        to: { device: "vif1.0" },
        state: "established",
        flow: "reply",
        marks: { out: 77, in: 0 },
      },
      "pass by established",
    ],
    ["that begins one more than its guest may", { rules: [web] }, { isOverLimit: true }, "drop by connection-limit"],
    [
      "that begins one more with dom0's log port than its guest may",
      {},
      { to: "dom0", protocol: "udp", destinationPort: 514, isOverLimit: true },
      "drop by connection-limit",
    ],
    [
      "of the world that begins one more than may be to a guest",
      { rules: [{ ...web, direction: "in" }] },
      { from: { device: "up0" }, to: { device: "vif1.0" }, source: "192.0.2.1", isOverLimit: true },
      "drop by connection-limit",
    ],
    ["that the section drops, room or not", {}, { isOverLimit: true }, "drop by otherwise-out"],
    ["that belongs to nothing", { otherwise: "allow" }, { state: "invalid" }, "drop by invalid"],
  ])("%s", (_, section, packet, expected) => {
    expect(answer(section, packet)).toBe(expected);
  });
  it("passes in audit mode and is counted where it would be dropped", () => {
    const audited = evaluate(firewall({ mode: "audit" }), { ...PACKET, source: "10.9.9.9" });
    expect(audited).toMatchObject({ verdict: "pass", counted: ["spoofed", "otherwise-out"] });
  });
  it("reaches the broker at any address once the path was widened, and nothing else", () => {
    const path = { path: { to: "any" as const, port: 8883 } };
    const own: Partial<Packet> = { from: "dom0", to: { device: "vif1.0" }, destination: "203.0.113.1" };
    expect(answer({}, { ...own, destinationPort: 8883 }, path)).toBe("pass by path");
    expect(answer({}, { ...own, destinationPort: 443 }, path)).toBe("drop by otherwise-in");
    expect(answer({}, { destinationPort: 8883 }, path)).toBe("drop by otherwise-out");
  });
  it("of a connection begun in a window passes within it alone", () => {
    const section = { rules: [{ ...web, during: [{ days: ["tue"], from: "08:00", until: "18:00" }] }] };
    const begun = evaluate(firewall(section), PACKET);
    expect(begun.verdict).toBe("pass");
    const later = { state: "established" as const, marks: begun.marks };
    expect(answer(section, later)).toBe("pass by established");
    expect(answer(section, { ...later, at: NOW + 12 * 3600 })).toBe("drop by otherwise-out");
  });
});

const rule = fc.record(
  {
    name: fc.string({ minLength: 1, maxLength: 64, unit: "binary" }),
    verdict: fc.constantFrom("allow", "block"),
    direction: fc.constantFrom("out", "in"),
    protocol: fc.constantFrom("tcp", "udp", "icmp", "any"),
    to: fc.oneof(four, prefix),
    ports: fc.array(fc.integer({ min: 1, max: 65_535 }).map(String), { maxLength: 3 }),
  },
  { requiredKeys: ["name", "verdict"] },
);
const section = fc.record({
  mode: fc.constantFrom("enforce", "audit"),
  otherwise: fc.constantFrom("allow", "block"),
  rules: fc.array(rule, { maxLength: 8 }),
});
const packet: fc.Arbitrary<Packet> = fc
  .record({
    out: fc.boolean(),
    far: fc.oneof(four, six),
    protocol: fc.constantFrom("tcp", "udp", "icmp", "icmpv6", "other"),
    destinationPort: fc.integer({ min: 1, max: 65_535 }),
  })
  .map(({ out, far, protocol, destinationPort }) => {
    const own = far.includes(":") ? "fd00:1::2" : "10.1.0.2";
    return {
      ...PACKET,
      ...(out
        ? { source: own, destination: far }
        : { source: far, destination: own, from: { device: "up0" }, to: { device: "vif1.0" } }),
      protocol: protocol as Packet["protocol"],
      destinationPort,
    };
  });

describe("whatever the section", () => {
  it("one more block in front lets nothing pass that was dropped", () => {
    fc.assert(
      fc.property(section, rule, packet, (all, more, each) => {
        const before = evaluate(firewall(all), each);
        const after = evaluate(firewall({ ...all, rules: [{ ...more, verdict: "block" }, ...all.rules] }), each);
        return before.verdict === "pass" || after.verdict === "drop";
      }),
    );
  });
  it("audit drops nothing and counts first what enforcing would count", () => {
    fc.assert(
      fc.property(section, packet, (all, each) => {
        const audited = evaluate(firewall({ ...all, mode: "audit" }), each);
        const enforced = evaluate(firewall({ ...all, mode: "enforce" }), each);
        return audited.verdict === "pass" && audited.counted[0] === enforced.counted[0];
      }),
    );
  });
  it("each drop goes up one counter that names it, and the table has it", () => {
    fc.assert(
      fc.property(section, packet, (all, each) => {
        const made = firewall({ ...all, mode: "enforce" });
        const { verdict, by, counted } = evaluate(made, each);
        if (verdict === "drop") expect(counted).toEqual([by]);
        for (const counter of counted) expect(compile(made)).toContain(`counter ${counter} { }`);
      }),
    );
  });
  it("names of rules put nothing into the table's text but their label", () => {
    fc.assert(
      fc.property(section, (all) => {
        const text = compile(firewall(all));
        const plain = compile(firewall({ ...all, rules: all.rules.map((each) => ({ ...each, name: "x" })) }));
        expect(text.split("\n").length).toBe(plain.split("\n").length);
        expect(text).toMatch(/^[\n\x20-\x7e]*$/);
        for (const [, label] of text.matchAll(/log prefix "([^"]*)"/g)) expect(label!.length).toBeLessThan(127);
        expect((text.match(/"/g) ?? []).length % 2).toBe(0);
      }),
    );
  });
});

describe("the table", () => {
  it("replaces itself whole, logs within a limit and counts without one", () => {
    const text = compile(firewall({ rules: [{ ...web, verdict: "block" }] }));
    expect(text.startsWith("table inet sallyport\ndelete table inet sallyport\ntable inet sallyport {\n")).toBe(true);
    expect(text).toContain(
      `  chain rule-1 {\n    add @by-rule-1 { iifname . oifname counter }\n    update @log-rule-1 { iifname . oifname limit rate ${LOGGED_PER_SECOND}/second burst 30 packets } add @told-rule-1 { iifname . oifname counter } log prefix "rule 1 web" group ${NFLOG_GROUP}\n    counter name "rule-1" drop\n  }`,
    );
  });
  it("says in the record that an audited packet was not dropped", () => {
    const text = compile(firewall({ mode: "audit" }));
    expect(text).toContain('log prefix "audit otherwise out"');
    expect(text).not.toMatch(/ drop$/m);
  });
  it("is of the bridge where guests are ports of one, and lets no other protocol by", () => {
    const text = compile(firewall({}, { wire: "bridged" }));
    expect(text).toContain("table bridge sallyport {");
    expect(text).toContain("ether type != { ip, ip6 } goto drop-other-ethertype");
    expect(text).toContain("arp saddr ip !=");
  });
  it("holds no time at all where no rule has a window: it is the same text next week", () => {
    const at = (nowSeconds: number) => compile(firewall({ rules: [web] }, { nowSeconds }));
    expect(at(NOW + 7 * 86_400)).toBe(at(NOW));
  });
});

describe("the deny overlay", () => {
  const ID = "0123456789ab";
  const by = (section: Draft, denied: Surroundings["denied"], packet: Partial<Packet> = {}) => {
    const { verdict, by } = evaluate(firewall(section, { denied }), { ...PACKET, ...packet });
    return `${verdict} by ${by}`;
  };
  const back: Partial<Packet> = {
    ...{ from: { device: "up0" }, to: { device: "vif1.0" }, mac: "", source: "192.0.2.1", destination: "10.1.0.2" },
    ...{ sourcePort: 443, destinationPort: 40_000, state: "established", flow: "reply", marks: { out: 77, in: 77 } },
  };
  const far = (more: object) => [{ id: ID, to: "192.0.2.1", protocol: "any" as const, ...more }];
  const rows: [string, Surroundings["denied"], Partial<Packet>, string][] = [
    ["blocks what a rule allows", far({}), {}, `drop by deny-${ID}`],
    ["blocks what comes from there", far({}), back, `drop by deny-${ID}`],
    [
      "blocks a connection that goes on",
      far({}),
      { state: "established", marks: { out: 77, in: 0 } },
      `drop by deny-${ID}`,
    ],
    ["speaks of the far side's port", far({ port: 443 }), {}, `drop by deny-${ID}`],
    ["and of where an answer comes from", far({ port: 443 }), back, `drop by deny-${ID}`],
    ["lets another port be", far({ port: 22 }), {}, "pass by rule-1"],
    ["lets another protocol be", far({ protocol: "udp" }), {}, "pass by rule-1"],
    [
      "knows a name by what dom0 was answered",
      [{ id: ID, host: "Known.example", protocol: "any" }],
      { destination: "198.51.100.7" },
      `drop by deny-${ID}`,
    ],
    [
      "by a name without an answer blocks nothing",
      [{ id: ID, host: "gone.example", protocol: "any" }],
      {},
      "pass by rule-1",
    ],
    [
      "leaves dom0 its logs",
      [{ id: ID, to: "10.1.0.1", protocol: "any" }],
      { to: "dom0", destination: "10.1.0.1", protocol: "udp", destinationPort: 514 },
      "pass by own",
    ],
    [
      "leaves dom0 its way to the broker",
      [{ id: ID, to: "192.0.2.9", protocol: "any" }],
      { from: "dom0", to: { device: "up0" }, destination: "192.0.2.9", destinationPort: 8883 },
      "pass by path",
    ],
  ];
  it.each(rows)("%s", (_, denied, packet, wanted) => {
    expect(by({ rules: [web] }, denied, packet)).toBe(wanted);
    expect(by({ mode: "audit", rules: [web] }, denied, packet)).toBe(wanted);
  });
  it("can only ever deny: a packet that it lets by passes without it as well", () => {
    const place = fc.constantFrom<Packet["from"]>(
      "dom0",
      { device: "vif1.0" },
      { device: "up0" },
      { device: "vif9.0" },
    );
    const address = fc.constantFrom("10.1.0.2", "192.0.2.1", "192.0.2.9", "198.51.100.7", "203.0.113.5");
    const packet = fc.record({
      ...{ from: place, to: place, source: address, destination: address },
      protocol: fc.constantFrom("tcp" as const, "udp" as const, "icmp" as const, "other" as const),
      sourcePort: fc.constantFrom(53, 443, 8883, 40_000),
      destinationPort: fc.constantFrom(53, 443, 514, 8883),
      state: fc.constantFrom("new" as const, "established" as const, "invalid" as const),
      flow: fc.constantFrom("original" as const, "reply" as const),
      marks: fc.record({ out: fc.constantFrom(0, 77), in: fc.constantFrom(0, 77) }),
    });
    const rule = fc.record({
      ...{
        name: fc.constant("r"),
        verdict: fc.constantFrom("allow", "block"),
        direction: fc.constantFrom("out", "in"),
      },
      protocol: fc.constantFrom("tcp", "any"),
    });
    const drawnSection = fc.record({
      ...{ mode: fc.constantFrom("enforce", "audit"), otherwise: fc.constantFrom("block", "allow") },
      rules: fc.array(rule, { maxLength: 3 }),
    });
    const denied = fc.array(
      fc.record({
        to: fc.oneof(address, fc.constant("192.0.2.0/24")),
        protocol: fc.constantFrom("tcp" as const, "any" as const),
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(drawnSection, denied, packet, (section, some, each) => {
        const entries = some.map((one, at) => ({ ...one, id: `${at}`.padStart(12, "0") }));
        const whole = { ...PACKET, ...each };
        const without = evaluate(firewall(section), whole);
        const with_ = evaluate(firewall(section, { denied: entries }), whole);
        if (with_.verdict === "pass") expect({ ...with_, verdict: without.verdict }).toEqual(without);
        else
          expect([without.verdict, with_.by.startsWith("deny-") || with_.by === without.by]).toEqual([
            expect.anything(),
            true,
          ]);
      }),
      { numRuns: 2_000 },
    );
  });
});
