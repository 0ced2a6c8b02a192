/** Random sections against random packets through the real kernel: what passes, what drops and which counter goes up are
 *  what the evaluator says. Each packet has exactly one end, which is waited for: it arrives, or a counter has it. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { rangeOf } from "@sallyport/shared/policy/network/address.ts";
import { compile } from "@sallyport/shared/policy/network/compile.ts";
import { evaluate, type Packet, type Place } from "@sallyport/shared/policy/network/evaluate.ts";
import type { Firewall, Vif } from "@sallyport/shared/policy/network/firewall.ts";
import { lower } from "@sallyport/shared/policy/network/lower.ts";
import { TABLE } from "@sallyport/shared/policy/network/nft.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import type { DeniedAddress } from "@sallyport/shared/policy/overlay.ts";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROUNDS, SEED } from "./draws.ts";
import { unable } from "./namespaces.ts";
import {
  connected,
  DOM0_ADDRESSES,
  ENDS,
  GUEST_TO_WEB,
  MAC,
  makeWire,
  type PlaceName,
  PORTS,
  type Protocol,
  unhush,
  until,
  type Wire,
} from "./wire.ts";

const absent = await unable("nft", "ip", "python3");
/** What a busy machine takes for all of it, and then some. */
const WHOLE_MS_MAX = 400_000 * ROUNDS;
const SECTIONS = 20 * ROUNDS;
const PACKETS = 20;

let wire: Wire;
let folder: string;
let token = 10_000;
beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-agreement-"));
  wire = await makeWire();
});
afterAll(async () => {
  await wire?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const VIFS: Vif[] = [
  { name: "vif1.0", guest: "guest", mac: MAC.guest, addresses: ["10.1.0.2", "fd00:1::2"] },
  { name: "vif-other", guest: "other", mac: MAC.other, addresses: [] },
];
const NAMES = { "far.example": ["192.0.2.9", "2001:db8::9"] };
const now = Math.floor(Date.now() / 1000);
const clock = (hours: number) => new Date((now + hours * 3600) * 1000).toISOString().slice(11, 16);

function make(draft: unknown, generation: number, vifs = VIFS, denied: DeniedAddress[] = []): Firewall {
  return lower(NetworkSection.parse(draft), {
    wire: "routed",
    vifs,
    names: NAMES,
    own: [{ protocol: "udp", port: 514 }],
    path: { to: [rangeOf("10.2.0.2")], port: 8883 },
    generation,
    nowSeconds: now,
    denied,
  });
}

async function load(firewall: Firewall) {
  const file = join(folder, "rules.nft");
  writeFileSync(file, compile(firewall));
  await wire.spaces.run("dom0", "nft", "-f", file);
  last = await counts();
}

type Counts = Record<string, number>;
const counts = async (): Promise<Counts> =>
  (await wire.peers.dom0.ask({ act: "counters", table: `inet ${TABLE}` })).counters!;

type Sent = { from: PlaceName; source: string; to: PlaceName; destination: string; protocol: Protocol; port: number };

type Outcome = { arrives: boolean; counted: string[] };

/** Of the packet and, where it comes, of the answer the other end gives by itself. TCP has arrived once its answer has. */
function expected(firewall: Firewall, each: Sent): Outcome {
  const facts = factsOf(each);
  const asked = evaluate(firewall, facts);
  const counted = [...asked.counted];
  let arrives = asked.verdict === "pass";
  if (arrives && each.protocol !== "udp") {
    const answered = evaluate(firewall, answerOf(each, facts, asked.marks));
    counted.push(...answered.counted);
    if (each.protocol === "tcp") arrives = answered.verdict === "pass";
  }
  return { arrives, counted: [...new Set(counted)].sort() };
}

let last: Counts = {};
/** What the kernel did, looked at until it is what is expected or has had every chance to be. */
async function send(each: Sent, wanted: Outcome): Promise<Outcome> {
  const own = token++;
  const changed = (after: Counts) =>
    Object.keys(after)
      .filter((name) => after[name] !== last[name])
      .sort();
  await wire.peers[each.from].ask({
    act: "send",
    family: each.source.includes(":") ? 6 : 4,
    protocol: each.protocol,
    source: each.source,
    to: each.destination,
    port: each.port,
    token: own,
  });
  let found: Outcome = { arrives: false, counted: [] };
  for (const started = performance.now(); performance.now() - started < 20_000; await delay(3)) {
    found = { arrives: wire.peers[each.to].got.has(own), counted: changed(await counts()) };
    if (JSON.stringify(found) === JSON.stringify(wanted) || (found.arrives && !wanted.arrives)) break;
  }
  await wire.peers[each.from].ask({ act: "close", token: own });
  // the reset that closes a connection is a packet too
  last = await counts();
  return found;
}

function factsOf(each: Sent): Packet {
  const placeOf = (name: PlaceName): Place => (name === "dom0" ? "dom0" : { device: ENDS[name].device });
  const six = each.source.includes(":");
  return {
    from: placeOf(each.from),
    to: placeOf(each.to),
    mac: each.from === "dom0" ? "" : ENDS[each.from].mac,
    source: each.source,
    destination: each.destination,
    protocol: each.protocol === "icmp" && six ? "icmpv6" : each.protocol,
    sourcePort: 40_000,
    destinationPort: each.port,
    icmpType: six ? 128 : 8,
    state: "new",
    flow: "original",
    marks: { out: 0, in: 0 },
    at: now,
  };
}

function answerOf(each: Sent, facts: Packet, marks: Packet["marks"]): Packet {
  return {
    ...facts,
    from: facts.to,
    to: facts.from,
    mac: each.to === "dom0" ? "" : ENDS[each.to].mac,
    source: facts.destination,
    destination: facts.source,
    sourcePort: each.port,
    destinationPort: facts.sourcePort!,
    icmpType: each.source.includes(":") ? 129 : 0,
    state: "established",
    flow: "reply",
    marks,
  };
}

const address = fc.constantFrom(
  "192.0.2.1",
  "192.0.2.0/28",
  "198.51.100.0/24",
  "2001:db8::1",
  "2001:db8::/64",
  "10.2.0.2",
  "10.1.0.0/16",
  "fd00:1::/64",
  "0.0.0.0/0",
);
const rule = fc.record(
  {
    name: fc.constantFrom("web", 'odd "name"', "näme"),
    verdict: fc.constantFrom("allow", "allow", "block"),
    direction: fc.constantFrom("out", "out", "in"),
    protocol: fc.constantFrom("tcp", "udp", "icmp", "any"),
    to: address,
    addresses: fc.array(address, { minLength: 1, maxLength: 4 }),
    host: fc.constantFrom("far.example", "unknown.example"),
    ports: fc.subarray(["22", "53", "80", "443-514", "5000-9000"], { minLength: 1 }),
    during: fc.constantFrom([{ from: clock(-3), until: clock(3) }], [{ from: clock(6), until: clock(9) }]),
  },
  { requiredKeys: ["name", "verdict", "direction"] },
);
/** Few conditions each, so that rules match; an absent condition is an absent key. */
const thinned = fc
  .tuple(rule, fc.subarray(["to", "addresses", "host", "ports", "during", "protocol"], { maxLength: 2 }))
  .map(([all, kept]) =>
    Object.fromEntries(Object.entries(all).filter(([key]) => ["name", "verdict", "direction", ...kept].includes(key))),
  );
/** What an overlay may say of the wire; few, so that most of a section is still asked. */
const deniedFar = fc
  .record({
    to: fc.constantFrom("192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "10.2.0.0/16", "fd00:1::/64", undefined),
    protocol: fc.constantFrom("tcp", "udp", "any", "any"),
    port: fc.constantFrom(443, 53, ...Array<undefined>(6).fill(undefined)),
  })
  .map(({ to, port, protocol }) => ({
    ...(to === undefined ? { host: "far.example" } : { to }),
    ...(port !== undefined && { port }),
    protocol: protocol as DeniedAddress["protocol"],
  }));
const overlay = fc
  .array(deniedFar, { maxLength: 4, size: "max" })
  .map((each) => each.map((one, at): DeniedAddress => ({ ...one, id: `${at}`.padStart(12, "0") })));
const section = fc.record({
  mode: fc.constantFrom("enforce", "enforce", "enforce", "audit"),
  otherwise: fc.constantFrom("block", "block", "allow"),
  rules: fc.array(thinned, { maxLength: 6 }),
});
const vifs = fc.constantFrom<Vif[]>(
  VIFS,
  VIFS,
  [{ ...VIFS[0]!, mac: "00:16:3e:ff:ff:ff" }, VIFS[1]!],
  [
    { ...VIFS[0]!, addresses: ["10.1.0.2"] },
    { ...VIFS[1]!, addresses: ["10.2.0.2", "fd00:2::2"] },
  ],
);

const reachable = (from: PlaceName, to: PlaceName, six: boolean): string[] => {
  const own = to === "dom0" ? (DOM0_ADDRESSES[from] ?? []) : ENDS[to].own;
  return own.filter((each) => each.includes(":") === six);
};
const sent: fc.Arbitrary<Sent> = fc
  .record({
    pair: fc.constantFrom<[PlaceName, PlaceName]>(
      ["guest", "world"],
      ["guest", "world"],
      ["world", "guest"],
      ["guest", "other"],
      ["other", "world"],
      ["guest", "dom0"],
      ["dom0", "guest"],
      ["dom0", "other"],
      ["stranger", "world"],
      ["world", "stranger"],
    ),
    spoof: fc.integer({ min: 0, max: 5 }),
    six: fc.boolean(),
    place: fc.nat(),
    protocol: fc.constantFrom<Protocol>("tcp", "udp", "icmp"),
    port: fc.constantFrom(...PORTS),
  })
  .map(({ pair: [from, to], spoof, six, place, protocol, port }) => {
    const pick = (list: string[]) => list[place % list.length]!;
    const forged = spoof === 0 && from !== "dom0" ? ENDS[from].spoofs.filter((each) => each.includes(":") === six) : [];
    const own = from === "dom0" ? DOM0_ADDRESSES[to]! : ENDS[from].own;
    const source = pick(forged.length > 0 ? forged : own.filter((each) => each.includes(":") === six));
    return { from, to, source, destination: pick(reachable(from, to, six)), protocol, port };
  });

describe.skipIf(absent)("the evaluator and the kernel", () => {
  it(
    "say the same of every packet",
    async () => {
      const drawn = fc.tuple(section, vifs, overlay, fc.array(sent, { minLength: PACKETS, maxLength: PACKETS }));
      const sections = fc.sample(drawn, { numRuns: SECTIONS, seed: SEED });
      const seen = { pass: 0, drop: 0, denied: 0 };
      for (const [place, [draft, known, denied, packets]] of sections.entries()) {
        const firewall = make(draft, 1000 + place, known, denied);
        await load(firewall);
        for (const each of packets) {
          const wanted = expected(firewall, each);
          // a connection whose answer is dropped, or goes to a forged source, is asked for again and again: no single packet
          const answered = firewall.mode === "enforce" || !ENDS.guest.spoofs.includes(each.source);
          const asked = evaluate(firewall, factsOf(each)).verdict === "pass";
          if (each.protocol === "tcp" && asked && (!wanted.arrives || !answered)) continue;
          expect(await send(each, wanted), JSON.stringify({ seed: SEED, draft, known, denied, each }, null, 1)).toEqual(
            wanted,
          );
          seen[wanted.arrives ? "pass" : "drop"]++;
          if (wanted.counted.some((name) => name.startsWith("deny-"))) seen.denied++;
        }
      }
      expect(Math.min(seen.pass, seen.drop)).toBeGreaterThan((SECTIONS * PACKETS) / 8);
      expect(seen.denied).toBeGreaterThan(SECTIONS);
    },
    WHOLE_MS_MAX,
  );

  it("judge a connection again when the section changes, and let it go on when it may", async () => {
    const allow = make({ rules: [{ name: "web", verdict: "allow", ports: ["443"] }] }, 1);
    const block = make({ rules: [{ name: "no web", verdict: "block", ports: ["443"] }] }, 2);
    await load(allow);
    const connection = await connected(wire, token++, GUEST_TO_WEB);
    await load(block);
    await connection.write("first");
    await until(
      async () => ((await counts())["rule-1"] ? true : undefined),
      () => "the block has it",
    );
    expect(connection.arrived()).toBe("");
    // the kernel sends it again by itself
    await load({ ...allow, generation: 3, rules: allow.rules.map((each) => ({ ...each, mark: 3 })) });
    await until(
      () => (connection.arrived() === "first" ? true : undefined),
      () => "what was held back arrives",
    );
    await connection.close();
  });

  it("cut a connection that goes on when its far side is denied, and let it go on once that is lifted", async () => {
    const allow = { rules: [{ name: "web", verdict: "allow", ports: ["443"] }] };
    const id = "0123456789ab";
    await load(make(allow, 6));
    const connection = await connected(wire, token++, GUEST_TO_WEB);
    await load(make(allow, 6, VIFS, [{ id, to: "192.0.2.0/24", protocol: "tcp", port: 443 }]));
    await connection.write("first");
    await until(
      async () => ((await counts())[`deny-${id}`] ? true : undefined),
      () => "the overlay has it",
    );
    expect(connection.arrived()).toBe("");
    // the same section and generation: nothing but the overlay is lifted
    await load(make(allow, 6));
    await until(
      () => (connection.arrived() === "first" ? true : undefined),
      () => "what was held back arrives",
    );
    await connection.close();
  });

  it("let neighbours find each other whatever the rules", async () => {
    await load(make({ rules: [{ name: "ping", verdict: "allow", protocol: "icmp" }] }, 5));
    await unhush(wire);
    const own = token++;
    const { guest, dom0 } = wire.peers;
    await guest.ask({
      act: "send",
      family: 6,
      protocol: "icmp",
      source: "fd00:1::2",
      to: "fd00:1::1",
      port: 0,
      token: own,
    });
    await until(
      () => (dom0.got.has(own) ? true : undefined),
      () => "dom0 is found",
    );
  });

  it("keep a vif's rules when it goes and comes back", async () => {
    const firewall = make({}, 4);
    await load(firewall);
    const { spaces } = wire;
    await spaces.ip("dom0", "link del vif9.0");
    await spaces.ip("dom0", `link add vif9.0 type veth peer name eth0 netns ${spaces.of("stranger")}`);
    for (const [name, device, addresses] of [
      ["stranger", "eth0", ENDS.stranger.own],
      ["dom0", "vif9.0", DOM0_ADDRESSES.stranger!],
    ] as const) {
      await spaces.ip(name, `link set ${device} up`);
      await spaces.ip(name, `addr add ${addresses[0]}/16 dev ${device}`);
    }
    const each: Sent = {
      from: "stranger",
      to: "dom0",
      source: "10.9.0.2",
      destination: "10.9.0.1",
      protocol: "udp",
      port: 53,
    };
    const dropped = { arrives: false, counted: ["unknown-vif"] };
    expect(await send(each, dropped)).toEqual(dropped);
  });
});
