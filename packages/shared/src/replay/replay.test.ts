/** Rows of inputs under two policies → what flips; and that nothing flips where nothing changes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluate } from "../policy/network/evaluate.ts";
import { lower } from "../policy/network/lower.ts";
import { Policy } from "../policy/policy.ts";
import { decide } from "../usb/decide.ts";
import type { ScanFacts } from "../usb/scan.ts";
import { countFlips, type Flip } from "./flip.ts";
import type { Input, NetInput, ScanInput, Seen } from "./input.ts";
import { narrow } from "./narrow.ts";
import { networkJudge } from "./network.ts";
import { Replay } from "./replay.ts";
import { judgeScanInput } from "./usb.ts";

type Draft = Parameters<typeof Policy.parse>[0];
const policy = (draft: Draft = {}): Policy => Policy.parse(draft);
/** 2026-11-24, a Tuesday, 12:00. */
const NOON = Date.parse("2026-11-24T12:00:00Z") / 60_000;
const WORKSTATION = { id: "w", name: "desk" };
const seen = (more: Partial<Seen> = {}): Omit<Seen, "input"> => ({
  trail: 1,
  bucket: NOON,
  guest: "work",
  count: 1,
  firstIndex: 7,
  lastIndex: 7,
  firstMs: 0,
  lastMs: 0,
  ...more,
});
type Told = [Input, Partial<Seen>?];

function replay(before: Policy, after: Policy, told: Told[], denied?: string[]) {
  const run = new Replay({ before, after, ...(denied && { denied: () => denied }) });
  for (const [id, [input, row]] of told.entries()) {
    if (run.lacks([id]).length > 0) run.tell(id, input);
    run.add(WORKSTATION, { ...seen(row), input: id });
  }
  return run.result();
}
const flipsOf = (result: { flips: Record<Flip, number> }): Partial<Record<Flip, number>> =>
  Object.fromEntries(Object.entries(result.flips).filter(([, count]) => count > 0));

const out: NetInput = {
  kind: "net",
  from: "guest",
  to: "world",
  destination: "192.0.2.1",
  protocol: "tcp",
  port: 443,
  seen: "dropped",
};
const flow: NetInput = { ...out, seen: "flow" };
const device = (more: object = {}): Input => ({
  kind: "device",
  facts: {
    id: "0951:1666",
    serial: "A1",
    name: "stick",
    hash: "h",
    parentHash: "p",
    viaPort: "1-2",
    interfaces: ["08:06:50"],
    interfaceCount: 1,
    connectType: "hotplug",
  },
  pinned: false,
  blocked: false,
  ...more,
});
const SHA = "a".repeat(64);
const facts = (finding: "clean" | "infected" | "unscannable", type = "text/plain"): ScanFacts => ({
  manifest: [{ path: "a", size: 1, md5: null, sha256: SHA, type, finding }],
  scanner: { engine: "clamav", definitions: "1", date: "2026-11-20T00:00:00Z" },
});
const scan = (of: ScanFacts, more: Partial<ScanInput> = {}): ScanInput => ({
  kind: "scan",
  of: "1/7",
  facts: narrow(of),
  files: of.manifest.length,
  verdict: "allow",
  exception: false,
  missing: 0,
  ...more,
});
const alert: Input = {
  kind: "alert",
  generator: 1,
  signatureId: 2100498,
  signature: "noise",
  source: "10.1.0.2",
  destination: "192.0.2.1",
};
const lines = (more: object = {}): Input => ({ kind: "lines", via: "udp", severity: "info", ...more });
const web = { name: "web", verdict: "allow", protocol: "tcp", ports: ["443"] } as const;
const hours = (from: string, until: string) => ({ ...web, during: [{ from, until }] });

describe("a candidate flips", () => {
  it.each<[string, Draft, Draft, Told[], object]>([
    ["nothing that no section of it touches", {}, { disk: { recoveryKey: false } }, [[out], [device()]], {}],
    ["a drop that it allows", {}, { network: { rules: [web] } }, [[out, { count: 3 }]], { "new-allows": 3 }],
    ["a flow that it blocks", { network: { rules: [web] } }, {}, [[flow, { count: 2 }]], { "new-blocks": 2 }],
    [
      "a flow out of hours",
      { network: { rules: [web] } },
      { network: { rules: [hours("13:30", "18:00")] } },
      [[flow], [flow, { bucket: NOON + 120 }]],
      { "new-blocks": 1 },
    ],
    [
      "a spoofed packet only by audit mode",
      {},
      { network: { mode: "audit" } },
      [[{ kind: "net", from: "unknown", to: "unknown", protocol: "tcp", seen: "dropped", reason: "spoofed" }]],
      { "new-allows": 1 },
    ],
    [
      "a stick that its device rules block",
      {},
      { usb: { deviceRules: [] } },
      [[device(), { count: 4 }], [device({ pinned: true })]],
      { "new-blocks": 4 },
    ],
    [
      "a stick that goes to the guest unread",
      {},
      { usb: { directRules: ["allow id 0951:1666"] } },
      [[device()]],
      { "new-unread": 1 },
    ],
    [
      "a hold that it allows",
      {},
      { usb: { unscannable: "allow" } },
      [[scan(facts("unscannable"), { verdict: "hold" })]],
      { "new-allows": 1 },
    ],
    [
      "a clean stick that it holds for old definitions",
      {},
      { usb: { definitionsDaysMax: 1 } },
      [[scan(facts("clean"))]],
      { "new-holds": 1 },
    ],
    ["a type that it denies", {}, { usb: { denyTypes: ["text/*"] } }, [[scan(facts("clean"))]], { "new-blocks": 1 }],
    [
      "alerts that it suppresses",
      {},
      { ids: { suppress: [{ signatureId: 2100498, address: "10.1.0.0/16", reason: "noise" }] } },
      [[alert, { count: 9 }]],
      { "new-suppressed": 9 },
    ],
    [
      "no alert of another's address",
      {},
      { ids: { suppress: [{ signatureId: 2100498, address: "10.2.0.0/16", reason: "noise" }] } },
      [[alert]],
      {},
    ],
    [
      "alerts past a limit",
      {},
      { ids: { thresholds: [{ signatureId: 2100498, kind: "limit", count: 2, seconds: 60 }] } },
      [
        [alert, { count: 5, lastMs: 4_000 }],
        [alert, { bucket: NOON + 60 }],
      ],
      { "new-suppressed": 3 },
    ],
    [
      "lines past a limit",
      {},
      { log: { linesPerSecond: 1, burstLines: 10 } },
      [[lines(), { count: 100 }]],
      { "new-lost-lines": 31 },
    ],
    [
      "lines that a wider limit would have kept",
      { log: { linesPerSecond: 1, burstLines: 10 } },
      {},
      [
        [lines(), { count: 60 }],
        [lines({ held: "rate", severity: undefined }), { count: 100 }],
      ],
      { "new-kept-lines": 91 },
    ],
    [
      "lines below its least severity",
      {},
      { log: { leastSeverity: "warning" } },
      [
        [lines(), { count: 5 }],
        [lines({ severity: "error" }), { count: 2 }],
      ],
      { "new-lost-lines": 5 },
    ],
  ])("%s", (_, before, after, told, expected) => {
    const found = replay(policy(before), policy(after), told);
    expect(flipsOf(found)).toEqual(expected);
    expect(found.decisions).toBe(told.reduce((sum, [, row]) => sum + (row?.count ?? 1), 0));
    for (const { rows, others } of Object.values(found.by)) {
      const counted = rows.reduce((sum, row) => sum + countFlips(row.flips), countFlips(others));
      expect([0, countFlips(found.flips)]).toContain(counted);
    }
  });

  it("by a hash it denies, where the record's files are asked for it", () => {
    const after = policy({ usb: { denySha256: [SHA] } });
    expect(flipsOf(replay(policy(), after, [[scan(facts("clean"))]], [SHA]))).toEqual({ "new-blocks": 1 });
    expect(flipsOf(replay(policy(), after, [[scan(facts("clean"))]], []))).toEqual({});
  });

  it("and says where: workstation, guest, rule and the records", () => {
    const found = replay(policy(), policy({ network: { rules: [web] } }), [[out, { count: 3, lastIndex: 12 }]]);
    expect(found.by.rule.rows).toMatchObject([{ name: "network: rule 1 web", flips: { "new-allows": 3 } }]);
    expect(found.by.workstation.rows).toMatchObject([{ key: "w", name: "desk" }]);
    expect(found.by.guest.rows).toMatchObject([{ key: "work" }]);
    expect(found.examples).toMatchObject([{ trail: 1, index: 7, lastIndex: 12, at: "2026-11-24T12:00:00.000Z" }]);
    expect(found.notes.join(" ")).toContain("no after-life");
  });

  it("and says that what a rule's conditions ask for is not known, where one asks", () => {
    const notes = (rules: string[]) =>
      replay(policy(), policy({ usb: { deviceRules: rules } }), [[scan(facts("clean"))]]).notes.join(" ");
    expect(notes(["allow if !rule-applied(00:10:00)", "block"])).toMatch(/Conditions of device rules .* are not known/);
    expect(notes(["allow id 1234:*", "allow if true"])).not.toMatch(/Conditions of device rules/);
  });

  it("and by bytes beside an image's partitions, which a scan has kept", () => {
    const beside = { ...facts("clean"), outside: [{ from: 512, bytes: 512, zeros: false }] };
    const image = policy({ usb: { present: "image" } });
    expect(flipsOf(replay(policy(), image, [[scan(beside)]]))).toEqual({ "new-holds": 1 });
    expect(flipsOf(replay(policy(), image, [[scan(facts("clean"))]]))).toEqual({});
  });

  it("a bounded number of subjects and examples, and counts the rest as others", () => {
    const run = new Replay({ before: policy(), after: policy({ network: { rules: [web] } }) });
    run.tell(1, out);
    for (let at = 0; at < 6_000; at++) run.add({ id: `w${at}`, name: "x" }, { ...seen({ trail: at }), input: 1 });
    const found = run.result();
    expect(found.by.workstation.rows.length).toBe(50);
    expect(countFlips(found.by.workstation.others)).toBe(5_950);
    expect(found.examples.length).toBe(5);
  });
});

describe("what cannot be known is said, and is no flip", () => {
  const named = { network: { rules: [{ ...web, host: "known.example" }] } };
  it.each<[string, Draft, Draft, Told[], RegExp]>([
    ["a name's addresses", {}, named, [[out]], /a name had then/],
    [
      "which side was the guest's",
      {},
      { network: { rules: [web] } },
      [[{ ...flow, from: "unknown", to: "unknown", source: "10.1.0.2" }]],
      /which side/,
    ],
    ["a device that is no guest's", {}, { network: { rules: [web] } }, [[{ ...out, from: "world" }]], /no guest's/],
    [
      "a window that ends within the hour",
      { network: { rules: [web] } },
      { network: { rules: [hours("12:30", "18:00")] } },
      [[flow, { count: 2, lastMs: 3_000_000 }]],
      /window began/,
    ],
    [
      "parts of a manifest that never came",
      {},
      { usb: { unscannable: "allow" } },
      [[scan(facts("unscannable"), { missing: 1 })]],
      /never came/,
    ],
    [
      "the severity of held lines",
      {},
      { log: { leastSeverity: "error" } },
      [[lines({ held: "rate" })]],
      /severity of lines/,
    ],
  ])("%s", (_, before, after, told, why) => {
    const found = replay(policy(before), policy(after), told);
    expect(countFlips(found.flips)).toBe(0);
    expect(found.unknown).toHaveLength(1);
    expect(found.unknown[0]!.why).toMatch(why);
  });

  it("but a rule by name that makes no difference is known", () => {
    const found = replay(policy(named), policy({ network: { rules: [web, ...named.network.rules] } }), [
      [{ ...out, port: 80 }],
    ]);
    expect(found.unknown).toEqual([]);
    expect(flipsOf(found)).toEqual({});
  });
});

const rule = fc.record(
  {
    name: fc.constantFrom("a", "b"),
    verdict: fc.constantFrom("allow" as const, "block" as const),
    direction: fc.constantFrom("out" as const, "in" as const),
    protocol: fc.constantFrom("tcp" as const, "udp" as const, "icmp" as const, "any" as const),
    to: fc.constantFrom("192.0.2.0/24", "192.0.2.1", "2001:db8::/32"),
    host: fc.constantFrom("a.example", "b.example"),
    ports: fc.constantFrom(["443"], ["1-1024"]),
    during: fc.constantFrom([{ from: "08:00", until: "12:30" }], [{ days: ["tue" as const] }]),
  },
  { requiredKeys: ["name", "verdict"] },
);
const network = fc.record({
  mode: fc.constantFrom("enforce" as const, "audit" as const),
  otherwise: fc.constantFrom("allow" as const, "block" as const),
  rules: fc.array(rule, { maxLength: 6 }),
});
const packet: fc.Arbitrary<NetInput> = fc.record({
  kind: fc.constant("net" as const),
  from: fc.constant("guest" as const),
  to: fc.constant("world" as const),
  destination: fc.constantFrom("192.0.2.1", "192.0.2.9", "198.51.100.7", "2001:db8::1"),
  protocol: fc.constantFrom("tcp" as const, "udp" as const, "icmp" as const, "other" as const),
  port: fc.constantFrom(80, 443, 5000),
  seen: fc.constantFrom("dropped" as const, "flow" as const),
});

describe("whatever the policy", () => {
  const usb = fc.record({
    mode: fc.constantFrom("enforce" as const, "audit" as const),
    infected: fc.constantFrom("block" as const, "hold" as const),
    unscannable: fc.constantFrom("block" as const, "hold" as const, "allow" as const),
    denyTypes: fc.subarray(["text/*", "image/png"]),
    definitionsDaysMax: fc.constantFrom(null, 1, 14),
  });
  const log = fc.record({
    linesPerSecond: fc.integer({ min: 1, max: 50 }),
    burstLines: fc.integer({ min: 1, max: 50 }),
    leastSeverity: fc.constantFrom("debug" as const, "warning" as const),
  });
  const line = fc.tuple(
    fc.constantFrom("debug" as const, "info" as const, "error" as const, undefined),
    fc.integer({ min: 1, max: 2_000 }),
  );

  it("replaying it against itself flips nothing, though every decision is asked for twice", () => {
    fc.assert(
      fc.property(
        network,
        usb,
        log,
        fc.array(packet, { maxLength: 5 }),
        fc.array(line, { maxLength: 4 }),
        (n, u, l, packets, held) => {
          const before = policy({ network: n, usb: u, log: l });
          // another in words that decide nothing, so that each section is replayed
          const after = policy({
            network: { ...n, rules: [...n.rules, { name: "last", verdict: n.otherwise, direction: "out" }] },
            usb: { ...u, present: "image" },
            log: { ...l, lingerMs: 1 },
          });
          const told: Told[] = [
            ...packets.map((each): Told => [each, { count: 2 }]),
            [scan(facts("clean"))],
            [scan(facts("infected"))],
            [device()],
            ...held.map(
              ([severity, count]): Told => [
                severity ? lines({ severity }) : lines({ severity: undefined, held: "rate" }),
                { count, bucket: NOON + 1 },
              ],
            ),
          ];
          expect(flipsOf(replay(before, after, told))).toEqual({});
          expect(flipsOf(replay(before, before, told))).toEqual({});
        },
      ),
    );
  });

  it("a packet is answered as the evaluator does, and is unknown only where a name may decide", () => {
    const addresses = fc.subarray(["192.0.2.1", "198.51.100.7", "2001:db8::1"]);
    fc.assert(
      fc.property(network, packet, addresses, addresses, (draft, input, a, b) => {
        const section = policy({ network: draft }).network;
        const nowSeconds = NOON * 60;
        const firewall = lower(section, {
          wire: "routed",
          vifs: [{ name: "vif0", guest: "", addresses: [] }],
          names: { "a.example": a, "b.example": b },
          own: [],
          path: undefined,
          generation: 9,
          nowSeconds,
          denied: [],
        });
        const { verdict } = evaluate(firewall, {
          from: { device: "vif0" },
          to: { device: "up0" },
          mac: "",
          source: input.destination!.includes(":") ? "fd00::1" : "10.0.0.1",
          destination: input.destination!,
          protocol: input.protocol,
          destinationPort: input.port!,
          state: "new",
          flow: "original",
          marks: { out: 0, in: 0 },
          at: nowSeconds,
        });
        const { outcome } = networkJudge(section)(input, nowSeconds * 1000);
        if (outcome === "unknown") return section.rules.some(({ host }) => host !== undefined);
        return outcome === (verdict === "pass" ? "pass" : "block");
      }),
      { numRuns: 500 },
    );
  });

  it("a narrowed scan is decided as the whole one", () => {
    const file = fc.record({
      path: fc.string({ minLength: 1, maxLength: 8, unit: "grapheme" }),
      size: fc.nat(),
      md5: fc.constant(null),
      sha256: fc.constantFrom(SHA, "b".repeat(64), null),
      type: fc.constantFrom("text/plain", "image/png", "application/zip"),
      finding: fc.constantFrom("clean" as const, "infected" as const, "unscannable" as const),
    });
    const whole = fc.record({
      manifest: fc.array(file, { maxLength: 8 }),
      scanner: fc.constantFrom(null, { engine: "clamav", definitions: "1", date: "2026-11-20T00:00:00Z" }),
      problems: fc.constantFrom([], ["it broke"]),
      partitions: fc.constantFrom(
        [],
        [{ number: 1, table: "mbr" as const, from: 0, bytes: 1, fileSystem: "fat32" }],
        [{ number: 1, table: "mbr" as const, from: 0, bytes: 1, fileSystem: null }],
      ),
    });
    fc.assert(
      fc.property(whole, usb, fc.subarray([SHA, "c".repeat(64)]), (of, draft, denySha256) => {
        const section = policy({ usb: { ...draft, denySha256 } }).usb;
        const at = new Date(NOON * 60_000);
        const expected = decide(of, section, at);
        const hashes = of.manifest.flatMap(({ sha256 }) => (sha256 === null ? [] : [sha256]));
        const found = judgeScanInput(scan(of), section, hashes, at);
        expect([found.outcome, found.rule]).toEqual([
          expected.verdict === "allow" ? "pass" : expected.verdict,
          expected.rule,
        ]);
      }),
      { numRuns: 500 },
    );
  });
});
