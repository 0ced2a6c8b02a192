/** Random sections against random frames through the real bridge: what passes, what is dropped and which counters go up
 *  are what the evaluator says; and each forgery that a guest could poison its neighbours with, by name. Kernels without
 *  connection tracking for bridges refuse the table whole (bridged.test.ts): the lines that need it are left out, so that
 *  each frame is the first of its kind. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
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
import { bytesOf, type Frame, OPTIONS, PROTOCOL } from "./frames.ts";
import { makeNamespaces, type Namespaces, unable } from "./namespaces.ts";
import { type Peer, startScript } from "./wire.ts";

const absent = await unable("nft", "ip", "python3");
const SECTIONS = 25 * ROUNDS;
const FRAMES = 40;

type Name = "dom0" | "guest" | "other" | "stranger" | "world";
type End = { device: string; mac: string; own: string[] };
const ENDS: Record<Exclude<Name, "dom0">, End> = {
  guest: { device: "vif-guest", mac: "00:16:3e:00:01:01", own: ["10.5.0.2", "fd00:5::2", "fe80::216:3eff:fe00:101"] },
  other: { device: "vif-other", mac: "00:16:3e:00:01:02", own: ["10.5.0.3", "fd00:5::3", "fe80::216:3eff:fe00:102"] },
  stranger: { device: "vif9.0", mac: "00:16:3e:00:01:09", own: ["10.5.0.9", "fd00:5::9", "fe80::216:3eff:fe00:109"] },
  world: { device: "up0", mac: "00:16:3e:00:01:aa", own: ["10.5.0.254", "192.0.2.1", "2001:db8::1", "fe80::1"] },
};
const DOM0: End = { device: "xenbr0", mac: "00:16:3e:00:01:f0", own: ["10.5.0.1", "fd00:5::1", "fe80::f0"] };
const endOf = (name: Name): End => (name === "dom0" ? DOM0 : ENDS[name]);

let spaces: Namespaces;
let folder: string;
let token = 100_000;
const peers = {} as Record<Name, Peer>;
const now = Math.floor(Date.now() / 1000);
const clock = (hours: number) => new Date((now + hours * 3600) * 1000).toISOString().slice(11, 16);

beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-bridge-"));
  spaces = await makeNamespaces(["dom0", ...(Object.keys(ENDS) as Name[])]);
  const silent = (...devices: string[]) =>
    devices.map((each) => `echo 1 > /proc/sys/net/ipv6/conf/${each}/disable_ipv6`).join("; ");
  await spaces.ip("dom0", `link add xenbr0 address ${DOM0.mac} type bridge mcast_snooping 0`);
  await spaces.run(
    "dom0",
    "sh",
    "-c",
    `${silent("all", "default", "xenbr0")}; for each in /proc/sys/net/bridge/bridge-nf-call-*; do echo 0 > $each; done 2>/dev/null || true`,
  );
  for (const [name, { device, mac }] of Object.entries(ENDS)) {
    await spaces.run(name, "sh", "-c", silent("all", "default"));
    await spaces.ip(
      "dom0",
      `link add ${device} type veth peer name eth0 netns ${spaces.of(name)}`,
      `link set ${device} master xenbr0`,
      `link set ${device} type bridge_slave learning off`,
      `link set ${device} up`,
    );
    // a forged source teaches the bridge nothing: each frame has one way
    await spaces.run("dom0", "bridge", "fdb", "replace", mac, "dev", device, "master", "static");
    await spaces.ip(name, `link set eth0 address ${mac}`, "link set eth0 up");
  }
  await spaces.ip("dom0", "link set xenbr0 up");
  for (const name of ["dom0", ...Object.keys(ENDS)] as Name[])
    peers[name] = await startScript(spaces, name, "frames.py", name === "dom0" ? "xenbr0" : "eth0");
});
afterAll(async () => {
  await spaces?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const VIFS: Vif[] = [
  { name: "vif-guest", guest: "guest", mac: ENDS.guest.mac, addresses: ["10.5.0.2", "fd00:5::2"] },
  { name: "vif-other", guest: "other", mac: ENDS.other.mac, addresses: [] },
];

const make = (draft: unknown, vifs: Vif[], denied: DeniedAddress[] = []): Firewall =>
  lower(NetworkSection.parse(draft), {
    ...{ wire: "bridged", vifs, denied, generation: 7, nowSeconds: now, path: undefined },
    names: { "far.example": ["10.5.0.254", "2001:db8::1"] },
    own: [{ protocol: "udp", port: 514 }],
  });

type Counts = Record<string, number>;
const counts = async (): Promise<Counts> =>
  (await peers.dom0.ask({ act: "counters", table: `bridge ${TABLE}` })).counters!;
let last: Counts = {};
async function load(firewall: Firewall) {
  const untracked = compile(firewall)
    .split("\n")
    .filter((line) => !/\bct (?:state|mark|direction|status|count)\b/.test(line));
  writeFileSync(join(folder, "rules.nft"), untracked.join("\n"));
  await spaces.run("dom0", "nft", "-f", join(folder, "rules.nft"));
  last = await counts();
}

type Sent = { from: Name; to: Name; frame: Omit<Frame, "token" | "toMac"> };
type Outcome = { arrives: boolean; counted: string[] };

function expected(firewall: Firewall, { from, to, frame }: Sent): Outcome {
  const place = (name: Name): Place => (name === "dom0" ? "dom0" : { device: ENDS[name].device });
  const packet: Packet = {
    ...frame,
    ...{ from: place(from), to: place(to), state: "untracked", flow: "original", marks: { out: 0, in: 0 }, at: now },
  };
  const { verdict, counted } = evaluate(firewall, packet);
  return { arrives: verdict === "pass", counted: [...new Set(counted)].sort() };
}

/** A frame has one end, which is waited for: it arrives, or a counter has it. */
async function send({ from, to, frame }: Sent, wanted: Outcome): Promise<Outcome> {
  const own = token++;
  await peers[from].ask({ act: "send", frame: bytesOf({ ...frame, toMac: endOf(to).mac, token: own }) });
  let found: Outcome = { arrives: false, counted: [] };
  for (const started = performance.now(); performance.now() - started < 20_000; await delay(2)) {
    const after = await counts();
    const counted = Object.keys(after).filter((name) => after[name] !== last[name]);
    found = { arrives: peers[to].got.has(own), counted: counted.sort() };
    if (JSON.stringify(found) === JSON.stringify(wanted) || (found.arrives && !wanted.arrives)) break;
  }
  last = await counts();
  return found;
}

const base = (from: Name, six: boolean, more: Partial<Frame> = {}): Sent["frame"] => ({
  mac: endOf(from).mac,
  source: endOf(from).own.find((each) => each.includes(":") === six)!,
  destination: six ? "fd00:5::3" : "10.5.0.3",
  protocol: "udp",
  sourcePort: 40_000,
  destinationPort: 53,
  ...more,
});

const FAR = ["10.5.0.0/28", "10.5.0.254", "192.0.2.0/24", "fd00:5::/64", "2001:db8::1", "fe80::/10", "0.0.0.0/0"];
const rule = fc.record(
  {
    name: fc.constantFrom("web", "näme"),
    verdict: fc.constantFrom("allow", "allow", "block"),
    direction: fc.constantFrom("out", "out", "in"),
    protocol: fc.constantFrom("tcp", "udp", "icmp", "any"),
    addresses: fc.subarray(FAR, { minLength: 1, maxLength: 3 }),
    host: fc.constantFrom("far.example", "unknown.example"),
    ports: fc.subarray(["22", "53", "80", "443-514"], { minLength: 1 }),
    during: fc.constantFrom([{ from: clock(-3), until: clock(3) }], [{ from: clock(6), until: clock(9) }]),
  },
  { requiredKeys: ["name", "verdict", "direction"] },
);
const thinned = fc
  .tuple(rule, fc.subarray(["addresses", "host", "ports", "during", "protocol"], { maxLength: 2 }))
  .map(([all, kept]) =>
    Object.fromEntries(Object.entries(all).filter(([key]) => ["name", "verdict", "direction", ...kept].includes(key))),
  );
const section = fc.record({
  mode: fc.constantFrom("enforce", "enforce", "enforce", "audit"),
  otherwise: fc.constantFrom("block", "allow"),
  rules: fc.array(thinned, { maxLength: 5 }),
});
const vifs = fc.constantFrom<Vif[]>(
  VIFS,
  VIFS,
  [{ ...VIFS[0]!, addresses: [...VIFS[0]!.addresses, "fe80::77"] }, VIFS[1]!],
  [{ name: "vif-guest", guest: "guest", addresses: ["10.5.0.2", "fd00:5::2"] }, VIFS[1]!],
  [VIFS[0]!, { ...VIFS[1]!, addresses: ["10.5.0.3", "fd00:5::3"] }],
);
const overlay = fc.constantFrom<DeniedAddress[]>(
  [],
  [],
  [{ id: "0".repeat(12), to: "10.5.0.254", protocol: "any" }],
  [{ id: "1".repeat(12), to: "fd00:5::/64", protocol: "tcp", port: 443 }],
);

const MACS = [...Object.values(ENDS).map(({ mac }) => mac), "02:00:00:00:00:77"];
const FORGED = { 4: ["10.5.0.77", "0.0.0.0", "10.5.0.254"], 6: ["fd00:5::77", "::", "fe80::77", "fe80::1"] };
const TARGETS = ["fd00:5::2", "fd00:5::3", "fe80::216:3eff:fe00:101", "fe80::77", "fe80::1", "2001:db8::1"];
const sent: fc.Arbitrary<Sent> = fc
  .record({
    pair: fc.constantFrom<[Name, Name]>(
      ...(["world", "other", "dom0", "world", "other"] as const).map((to): [Name, Name] => ["guest", to]),
      ["other", "guest"],
      ["other", "world"],
      ["world", "guest"],
      ["dom0", "guest"],
      ["dom0", "other"],
      ["stranger", "world"],
      ["world", "stranger"],
    ),
    lie: fc.integer({ min: 0, max: 7 }),
    six: fc.boolean(),
    place: fc.nat(),
    kind: fc.constantFrom("tcp", "udp", "icmp", "other", "arp", "discovery", "discovery", "ethertype", "dhcp"),
    port: fc.constantFrom(22, 53, 80, 443, 514, 5000),
    odd: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ pair: [from, to], lie, six, place, kind, port, odd }) => {
    const pick = <T>(list: readonly T[]): T => list[place % list.length]!;
    const own = endOf(from);
    const far = endOf(to).own;
    const isSix = six || kind === "discovery";
    const of = (list: readonly string[]) => list.filter((each) => each.includes(":") === isSix);
    const frame: Sent["frame"] = {
      mac: lie === 0 && from !== "dom0" ? pick(MACS) : own.mac,
      source: lie === 1 ? pick(isSix ? FORGED[6] : FORGED[4]) : pick(of(own.own)),
      destination: pick(of(far)),
      protocol: kind === "tcp" || kind === "udp" || kind === "other" ? kind : "udp",
      sourcePort: 40_000,
      destinationPort: port,
    };
    const extended = (protocol: keyof typeof PROTOCOL): Partial<Frame> =>
      odd === 0
        ? { behind: true }
        : odd === 1 && isSix
          ? { fragmentOf: PROTOCOL[protocol] }
          : odd === 2 && isSix
            ? { fragmentOf: OPTIONS, behind: true }
            : {};
    switch (kind) {
      case "arp":
        return {
          ...{ from, to },
          frame: {
            ...frame,
            ethertype: "arp" as const,
            arp: {
              plain: odd !== 0,
              mac: lie === 2 ? pick(MACS) : frame.mac,
              address: lie === 3 ? "10.5.0.254" : (own.own[0] ?? ""),
            },
          },
        };
      case "ethertype":
        return { from, to, frame: { ...frame, ethertype: "other" as const } };
      case "icmp":
        return {
          from,
          to,
          frame: { ...frame, protocol: isSix ? ("icmpv6" as const) : ("icmp" as const), icmpType: isSix ? 128 : 8 },
        };
      case "dhcp":
        return { from, to, frame: { ...frame, sourcePort: isSix ? 547 : 67, destinationPort: isSix ? 546 : 68 } };
      case "discovery": {
        const icmpType = [133, 134, 135, 136, 137][place % 5]!;
        const type = lie === 2 ? 14 : icmpType === 136 ? 2 : 1;
        const more = extended("icmpv6");
        const near =
          lie === 4 ? frame.destination : place % 2 === 0 ? "ff02::1" : far.find((each) => each.startsWith("fe80"))!;
        const neighbour = {
          ...((icmpType === 135 || icmpType === 136) && { target: lie === 5 ? pick(TARGETS) : pick(of(own.own)) }),
          ...(icmpType !== 134 &&
            icmpType !== 137 &&
            odd > 3 && { option: { type, mac: lie === 6 ? pick(MACS) : own.mac } }),
          ...((more.behind || more.fragmentOf !== undefined) && { odd: true }),
        };
        return {
          from,
          to,
          frame: { ...frame, ...more, protocol: "icmpv6" as const, icmpType, neighbour, destination: near },
        };
      }
      default:
        return { from, to, frame: { ...frame, ...(isSix && extended(frame.protocol as keyof typeof PROTOCOL)) } };
    }
  });

describe.skipIf(absent)("on a bridge, the evaluator and the kernel", () => {
  it(
    "say the same of every frame",
    async () => {
      const drawn = fc.tuple(section, vifs, overlay, fc.array(sent, { minLength: FRAMES, maxLength: FRAMES }));
      const seen: Record<string, number> = {};
      for (const [draft, known, denied, frames] of fc.sample(drawn, { numRuns: SECTIONS, seed: SEED })) {
        const firewall = make(draft, known, denied);
        await load(firewall);
        for (const each of frames) {
          // what is no IP at all is not asked about by rules
          if (each.frame.ethertype === "other" && firewall.mode === "audit") continue;
          const wanted = expected(firewall, each);
          expect(await send(each, wanted), JSON.stringify({ seed: SEED, draft, known, denied, each }, null, 1)).toEqual(
            wanted,
          );
          for (const name of [wanted.arrives ? "pass" : "drop", ...wanted.counted]) seen[name] = (seen[name] ?? 0) + 1;
        }
      }
      for (const name of ["pass", "drop", "spoofed", "router-guard", "dhcp-guard", "other-ethertype", "unknown-vif"])
        expect(seen[name], name).toBeGreaterThan(SECTIONS / 4);
    },
    400_000 * ROUNDS,
  );

  const NEIGHBOUR: Partial<Frame> = { protocol: "icmpv6", destination: "ff02::1", source: ENDS.guest.own[2]! };
  const MINE = ENDS.guest.mac;
  const THEIRS = ENDS.other.mac;
  const advert = (target: string, more: Partial<Frame> = {}, mac = MINE): Partial<Frame> => ({
    ...NEIGHBOUR,
    ...{ icmpType: 136, neighbour: { target, option: { type: 2, mac } } },
    ...more,
  });
  const solicit = (source: string, target: string, option?: { type: number; mac: string }): Partial<Frame> => ({
    ...NEIGHBOUR,
    ...{ source, icmpType: 135, neighbour: { target, ...(option && { option }) } },
  });
  const forgeries: [what: string, frame: Partial<Frame>, by: string][] = [
    [
      "an ARP answer for another's address",
      { ethertype: "arp", arp: { plain: true, mac: MINE, address: "10.5.0.3" } },
      "spoofed",
    ],
    [
      "an ARP answer that names another's card",
      { ethertype: "arp", arp: { plain: true, mac: THEIRS, address: "10.5.0.2" } },
      "spoofed",
    ],
    [
      "an ARP of another hardware type",
      { ethertype: "arp", arp: { plain: false, mac: MINE, address: "10.5.0.2" } },
      "spoofed",
    ],
    ["an advertisement of another's address", advert("fd00:5::3"), "spoofed"],
    ["an advertisement of the router's link-local address", advert("fe80::1"), "spoofed"],
    ["an advertisement that names another's card", advert("fd00:5::2", {}, THEIRS), "spoofed"],
    ["an advertisement behind an extension header", advert("fd00:5::2", { behind: true }), "spoofed"],
    ["an advertisement in a fragment", advert("fd00:5::2", { fragmentOf: PROTOCOL.icmpv6 }), "spoofed"],
    [
      "an advertisement in a fragment behind options",
      advert("fd00:5::2", { fragmentOf: OPTIONS, behind: true }),
      "spoofed",
    ],
    ["an advertisement from another's link-local address", advert("fd00:5::2", { source: "fe80::77" }), "spoofed"],
    [
      "a solicitation that names another's card",
      solicit("fd00:5::2", "fd00:5::3", { type: 1, mac: THEIRS }),
      "spoofed",
    ],
    [
      "a solicitation with an option of another kind before it",
      solicit("fd00:5::2", "fd00:5::3", { type: 2, mac: MINE }),
      "spoofed",
    ],
    ["a probe that says another's address is taken", solicit("::", "fd00:5::3"), "spoofed"],
    ["a router's advertisement", { ...NEIGHBOUR, icmpType: 134 }, "router-guard"],
    ["a redirect", { ...NEIGHBOUR, icmpType: 137 }, "router-guard"],
    ["a DHCP server's answer", { sourcePort: 67, destinationPort: 68 }, "dhcp-guard"],
    [
      "a DHCPv6 server's answer",
      { source: "fd00:5::2", destination: "fd00:5::3", sourcePort: 547, destinationPort: 546 },
      "dhcp-guard",
    ],
  ];
  const honest: [what: string, frame: Partial<Frame>][] = [
    ["its ARP", { ethertype: "arp", arp: { plain: true, mac: MINE, address: "10.5.0.2" } }],
    [
      "an ARP probe before it has its address",
      { ethertype: "arp", arp: { plain: true, mac: MINE, address: "0.0.0.0" } },
    ],
    ["its advertisement", advert("fd00:5::2")],
    ["the advertisement of its link-local address", advert("fe80::216:3eff:fe00:101")],
    ["a solicitation", solicit("fd00:5::2", "fd00:5::3", { type: 1, mac: MINE })],
    ["a probe for its own address, with a nonce", solicit("::", "fd00:5::2", { type: 14, mac: "01:02:03:04:05:06" })],
    ["a question for routers", { ...NEIGHBOUR, icmpType: 133, neighbour: { option: { type: 1, mac: MINE } } }],
    ["a question for an address", { source: "0.0.0.0", sourcePort: 68, destinationPort: 67 }],
    ["a fragment of UDP", { source: "fd00:5::2", destination: "fd00:5::3", fragmentOf: 17 }],
  ];

  it("let no guest pose as another, as router or as DHCP server, even where everything is allowed", async () => {
    const firewall = make({ otherwise: "allow" }, VIFS);
    await load(firewall);
    const found: Record<string, string> = {};
    for (const [what, frame, by] of forgeries)
      found[what] = (
        await send(
          { from: "guest", to: "other", frame: base("guest", false, frame) },
          { arrives: false, counted: [by] },
        )
      ).counted.join(" ");
    expect(found).toEqual(Object.fromEntries(forgeries.map(([what, , by]) => [what, by])));
  });

  it("let an honest guest find its neighbours, its routers and its address", async () => {
    const firewall = make({ otherwise: "allow" }, VIFS);
    await load(firewall);
    const lost: string[] = [];
    for (const [what, frame] of honest) {
      const each: Sent = { from: "guest", to: "other", frame: base("guest", false, frame) };
      if (!(await send(each, { arrives: true, counted: [] })).arrives) lost.push(what);
    }
    expect(lost).toEqual([]);
  });
});
