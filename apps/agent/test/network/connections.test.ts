/** The kernel's one table of connections, which dom0 shares with its guests: how much of it a guest may take, and that dom0
 *  reaches the broker when it is full all the same. */
import { fileURLToPath } from "node:url";
import { fail } from "@sallyport/shared/base/result.ts";
import { rangeOf } from "@sallyport/shared/policy/network/address.ts";
import { BEGUN_BURST, BEGUN_PER_SECOND, CONNECTIONS_MAX } from "@sallyport/shared/policy/network/firewall.ts";
import { UNTRACKED, UNTRACKED_BRIDGE, untracked } from "@sallyport/shared/policy/network/untracked.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { networkApplier } from "../../src/appliers/network.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { nftRuleset, type Ruleset } from "../../src/dom0/ruleset.ts";
import { unable } from "./namespaces.ts";
import { MAC, makeWire, until, type Wire } from "./wire.ts";

const absent = await unable("nft", "ip", "python3");
const BROKER = "10.2.0.2";
const SCRIPT = fileURLToPath(new URL("connections.py", import.meta.url));
const WEB = { name: "web", verdict: "allow", protocol: "tcp", ports: ["443"] };

let wire: Wire;
let token = 20_000;
beforeEach(async () => {
  if (!absent) wire = await makeWire();
});
afterEach(async () => {
  await wire?.remove();
});

function agent(connections?: Ruleset["connections"]) {
  const real = nftRuleset(wire.spaces.dom0("dom0"));
  const applier = networkApplier({
    ruleset: { ...real, ...(connections && { connections }) },
    config: {
      wire: "routed",
      vifs: [
        { name: "vif1.0", guest: "guest", mac: MAC.guest, addresses: ["10.1.0.2"] },
        { name: "vif-other", guest: "other", mac: MAC.other, addresses: [] },
      ],
      own: [{ protocol: "tcp", port: 514 }],
    },
    broker: { host: BROKER, port: 8883 },
    lostMs: () => 0,
    denied: () => [],
    tell: () => {},
    resolve: async (name) => fail(`${name}: nobody answers`),
    hash: sha256,
    now: () => Date.now(),
    floor: () => 0,
    monotonic: () => performance.now(),
    kept: { read: async () => undefined, write: () => {} },
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const look = async (draft: unknown) => applier.judge(NetworkSection.parse(draft), await applier.inspect());
  return {
    real,
    look,
    async settle(draft: unknown) {
      const before = await look(draft);
      if (before.outcome !== "failed") return before;
      await applier.apply(NetworkSection.parse(draft));
      return look(draft);
    },
  };
}

const python = (place: string, ...args: string[]) => wire.spaces.run(place, "/usr/bin/python3", SCRIPT, ...args);
const room = async () => (await nftRuleset(wire.spaces.dom0("dom0")).connections())!;
const listed = (table: string) => wire.spaces.run("dom0", "nft", "list", "table", "inet", table);

/** From dom0, and what it writes arrives. */
async function reaches(port: number, text: string): Promise<boolean> {
  const own = token++;
  const { dom0, other } = wire.peers;
  await dom0.ask({ act: "send", family: 4, protocol: "tcp", source: "10.2.0.1", to: BROKER, port, token: own });
  const began = performance.now();
  while (!other.got.has(own) && performance.now() - began < 4_000) await new Promise((next) => setTimeout(next, 20));
  if (!other.got.has(own)) return false;
  await dom0.ask({ act: "write", token: own, text });
  await until(
    () => (other.got.get(own) === text ? true : undefined),
    () => "what dom0 writes arrives",
  );
  return true;
}

describe.skipIf(absent)("the kernel's table of connections", () => {
  it("has room for so many of one guest, to the world and to dom0's own ports, and what is beyond is counted", async () => {
    const { settle, look } = agent();
    await settle({ rules: [WEB] });
    // nobody answers, so that each stays
    await wire.spaces.run(
      "world",
      "nft",
      "table inet hole { chain input { type filter hook input priority 0; tcp dport 443 drop; }; }",
    );
    let last = 0;
    const began = performance.now();
    // until as many more change nothing
    for (let isSame = false; !isSame; ) {
      await python("guest", "begin", "10.1.0.2", "192.0.2.1", "30000");
      const { count } = await room();
      const seconds = (performance.now() - began) / 1000;
      expect(count).toBeLessThanOrEqual(BEGUN_BURST + BEGUN_PER_SECOND * (seconds + 1) + 50);
      isSame = count === last && count >= CONNECTIONS_MAX;
      last = count;
    }
    // those of the test's own beside them
    expect(last).toBeLessThan(CONNECTIONS_MAX + 20);
    const { drops } = (await look({ rules: [WEB] })).found as { drops: Record<string, Record<string, number>> };
    expect(drops.guest!["connection limit"]).toBeGreaterThan(10_000);
    // it has no room left at dom0's log port either; another guest has its own
    const { guest, other, dom0, world } = wire.peers;
    const own = token++;
    const order = {
      act: "send",
      family: 4,
      protocol: "tcp",
      source: "10.1.0.2",
      to: "10.1.0.1",
      port: 514,
      token: own,
    };
    await guest.ask(order);
    const others = token++;
    await wire.spaces.run("world", "nft", "delete table inet hole");
    await other.ask({
      ...{ act: "send", family: 4, protocol: "tcp", source: "10.2.0.2", to: "192.0.2.1", port: 443, token: others },
    });
    await until(
      () => (world.got.has(others) ? true : undefined),
      () => "another guest's connection comes about",
    );
    expect(dom0.got.has(own)).toBe(false);
  }, 400_000);

  it("may be full, and dom0 reaches the broker past it and nobody else", async () => {
    const { settle } = agent();
    await settle({});
    expect(await reaches(8883, "before")).toBe(true);
    const { max } = await room();
    await python("dom0", "hold", String(max));
    expect((await room()).count).toBe(max);
    expect(await reaches(8883, "full")).toBe(false);
    const state = await settle({});
    expect(state).toMatchObject({ outcome: "applied", found: { connections: { count: max, max } } });
    expect(state.reason).toContain("table of connections is nearly full");
    expect(await reaches(8883, "past it")).toBe(true);
    expect((await settle({})).reason).toBe(state.reason);
  }, 400_000);

  it("is gone past only while it is nearly full, by answers to what dom0 asked alone", async () => {
    const full = { count: 80, max: 100 };
    const { settle, real } = agent(async () => full);
    expect(await settle({})).toMatchObject({ outcome: "applied" });
    expect(await reaches(8883, "untracked")).toBe(true);
    // by way of the very sets: dom0's own end and the broker's are there
    expect(await listed(UNTRACKED.table)).toMatch(/10\.2\.0\.1 \. tcp \. \d+ \. 10\.2\.0\.2 \. 8883/);
    // the broker's address and port, and dom0 asked nothing from there: one that begins, one that goes on, one that answers
    for (const flags of [0x02, 0x10, 0x12])
      await python("other", "one", BROKER, "10.2.0.1", "8883", "443", String(flags));
    await until(
      async () => {
        const table = await listed("sallyport");
        const dropped = [/counter otherwise-out \{\s+packets 2 /, /counter invalid \{\s+packets 1 /];
        return dropped.every((each) => each.test(table)) ? true : undefined;
      },
      () => "what only looks like an answer is dropped by the section",
    );
    full.count = 60;
    await settle({});
    expect(await real.list(UNTRACKED)).toBeDefined();
    full.count = 40;
    expect(await settle({})).toMatchObject({ outcome: "applied" });
    expect(await real.list(UNTRACKED)).toBeUndefined();
    expect(await reaches(8883, "tracked")).toBe(true);
  }, 200_000);

  it("is gone past by a text that the kernel takes, on either wire and whatever the way to the broker", async () => {
    const ruleset = nftRuleset(wire.spaces.dom0("dom0"));
    for (const wire of ["routed", "bridged"] as const)
      for (const to of ["any", [], ["192.0.2.9", "192.0.2.10", "2001:db8::9"].map(rangeOf)] as const) {
        const text = untracked({ path: { to, port: 8883 }, vifs: [], wire });
        expect(await ruleset.load(text)).toEqual({ ok: true, value: null });
        expect((await ruleset.list(UNTRACKED_BRIDGE)) !== undefined).toBe(wire === "bridged");
      }
  });
});
