/** The same table where guests are ports of dom0's bridge: its own matches on a real bridge. Kernels without connection
 *  tracking for bridges refuse the table whole, which is the first thing looked at; then the lines that need it are left
 *  out, so that every single packet is the first of its kind. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { compile } from "@sallyport/shared/policy/network/compile.ts";
import { lower } from "@sallyport/shared/policy/network/lower.ts";
import { TABLE } from "@sallyport/shared/policy/network/nft.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { realDom0 } from "../../src/dom0/real.ts";
import { nftRuleset } from "../../src/dom0/ruleset.ts";
import { makeNamespaces, type Namespaces, unable } from "./namespaces.ts";
import { type Peer, startPeer } from "./wire.ts";

const absent = await unable("nft", "ip", "python3");
const GUESTS = {
  guest: { device: "vif-guest", mac: "00:16:3e:00:01:01", address: "10.5.0.2" },
  other: { device: "vif-other", mac: "00:16:3e:00:01:02", address: "10.5.0.3" },
} as const;
type Name = keyof typeof GUESTS | "dom0";

let spaces: Namespaces;
let folder: string;
let token = 10_000;
const peers = {} as Record<Name, Peer>;

const table = (draft: unknown): string =>
  compile(
    lower(NetworkSection.parse(draft), {
      wire: "bridged",
      vifs: Object.entries(GUESTS).map(([guest, { device, mac, address }]) => ({
        guest,
        name: device,
        mac,
        addresses: [address],
      })),
      names: {},
      own: [{ protocol: "udp", port: 514 }],
      path: undefined,
      generation: 1,
      nowSeconds: Math.floor(Date.now() / 1000),
      denied: [],
    }),
  );
async function load(draft: unknown) {
  const untracked = table(draft)
    .split("\n")
    .filter((line) => !/\bct (?:state|mark|direction|status|count)\b/.test(line));
  writeFileSync(join(folder, "rules.nft"), untracked.join("\n"));
  await spaces.run("dom0", "nft", "-f", join(folder, "rules.nft"));
}

beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-bridged-"));
  spaces = await makeNamespaces(["dom0", "guest", "other"]);
  // what passes the bridge is the bridge's own business, not that of IP's hooks
  await spaces.run("dom0", "sh", "-c", "echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || true");
  await spaces.ip("dom0", "link add xenbr0 type bridge", "link set xenbr0 up", "addr add 10.5.0.1/24 dev xenbr0");
  for (const [name, { device, mac, address }] of Object.entries(GUESTS)) {
    await spaces.ip(
      "dom0",
      `link add ${device} type veth peer name eth0 netns ${spaces.of(name)}`,
      `link set ${device} master xenbr0`,
      `link set ${device} up`,
    );
    await spaces.ip(name, `link set eth0 address ${mac}`, `addr add ${address}/24 dev eth0`, "link set eth0 up");
  }
  await spaces.ip("guest", "addr add 10.5.0.77/32 dev lo");
  for (const name of ["dom0", "guest", "other"] as const) peers[name] = await startPeer(spaces, name);
});
afterAll(async () => {
  await spaces?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

type Counts = Record<string, number>;
const counts = async (): Promise<Counts> =>
  (await peers.dom0.ask({ act: "counters", table: `bridge ${TABLE}` })).counters!;

/** "arrives", or the counter that has it; asked until one is there. */
async function end(from: Name, source: string, to: Name, destination: string, port: number): Promise<string> {
  const own = token++;
  const before = await counts();
  await peers[from].ask({ act: "send", family: 4, protocol: "udp", source, to: destination, port, token: own });
  try {
    for (const started = performance.now(); performance.now() - started < 60_000; await delay(5)) {
      if (peers[to].got.has(own)) return "arrives";
      const after = await counts();
      const up = Object.keys(after).filter((name) => after[name] !== before[name] && !name.startsWith("rule-"));
      if (up.length > 0) return up.join(" ");
    }
    throw new Error(`neither here nor there: ${from} → ${destination}:${port}`);
  } finally {
    await peers[from].ask({ act: "close", token: own });
  }
}

describe.skipIf(absent)("a firewall between the ports of a bridge", () => {
  it("is checked by the kernel, which takes it whole or says that it cannot track connections", async () => {
    const checked = await nftRuleset({ ...realDom0, run: spaces.dom0("dom0").run }).check(table({}));
    if (!checked.ok) expect(checked.error).toContain("Protocol error");
  });

  it("lets neighbours resolve each other and passes what a rule allows in both directions", async () => {
    await load({
      rules: [
        { name: "out", verdict: "allow", protocol: "udp", ports: ["53"] },
        { name: "in", verdict: "allow", protocol: "udp", ports: ["53"], direction: "in", to: "10.5.0.2" },
        { name: "up", verdict: "allow", protocol: "udp", ports: ["80"], direction: "in" },
      ],
    });
    expect(await end("guest", "10.5.0.2", "other", "10.5.0.3", 53)).toBe("arrives");
    // allowed out of one, not into the other
    expect(await end("other", "10.5.0.3", "guest", "10.5.0.2", 53)).toBe("otherwise-in");
    expect(await end("guest", "10.5.0.2", "dom0", "10.5.0.1", 53)).toBe("arrives");
    expect(await end("guest", "10.5.0.2", "dom0", "10.5.0.1", 443)).toBe("otherwise-out");
    expect(await end("guest", "10.5.0.2", "dom0", "10.5.0.1", 514)).toBe("arrives");
    expect(await end("dom0", "10.5.0.1", "guest", "10.5.0.2", 80)).toBe("arrives");
  });

  it("drops what has another's address or card, in IP and in ARP, and every protocol that is no IP", async () => {
    await load({ otherwise: "allow" });
    expect(await end("guest", "10.5.0.77", "other", "10.5.0.3", 53)).toBe("spoofed");
    expect(await frame(`ffffffffffff ${OWN} ${arp(OWN, "0a050003")}`)).toBe("spoofed");
    expect(await frame(`ffffffffffff 00163e000109 ${arp(OWN, "0a050002")}`)).toBe("spoofed");
    expect(await frame(`ffffffffffff ${OWN} 88b5 00000000`)).toBe("other-ethertype");
  });

  // whoever gets a tag of 0 passes over it, so that what lies behind one would be heard
  it.each([
    ["a tag of no VLAN", "8100 0000"],
    ["a VLAN's tag", "8100 0005"],
    ["a provider's tag", "88a8 0000"],
    ["two tags", "88a8 0000 8100 0000"],
    ["PPPoE", "8864 1100 0001 0020 0021"],
  ])("lets nothing by behind %s, whatever is allowed", async (_, tag) => {
    await load({ otherwise: "allow" });
    const found: string[] = [];
    for (const to of [GUESTS.other.mac.replaceAll(":", ""), "ffffffffffff"])
      for (const inner of [arp(OWN, "0a050002"), arp(OWN, "0a050003"), udp("0a050002"), udp("0a05004d")])
        found.push(await frame(`${to} ${OWN} ${tag} ${inner}`));
    expect(found.filter((each) => !/^(?:other-ethertype|spoofed)$/.test(each))).toEqual([]);
  });
});

const OWN = GUESTS.guest.mac.replaceAll(":", "");
const arp = (mac: string, address: string) => `0806 0001 0800 06 04 0001 ${mac} ${address} 000000000000 0a050003`;
const udp = (address: string) => `0800 4500 0020 0000 0000 40 11 0000 ${address} 0a050003 9c40 0035 000c 0000 00000000`;

/** The counters that a frame of the guest's goes up. */
async function frame(text: string): Promise<string> {
  const before = await counts();
  await spaces.run("guest", "/usr/bin/python3", "-c", FRAME, text);
  for (const started = performance.now(); performance.now() - started < 10_000; await delay(5)) {
    const after = await counts();
    const up = Object.keys(after).filter((name) => after[name] !== before[name]);
    if (up.length > 0) return up.join(" ");
  }
  return "none";
}

const FRAME = `import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("eth0", 0))
sock.send(bytes.fromhex(sys.argv[1].replace(" ", "")).ljust(60, b"\\0"))`;
