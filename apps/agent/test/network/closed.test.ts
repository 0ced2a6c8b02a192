/** No ruleset that could be loaded: guests are shut, in the kernel, packet by packet, and what dom0 needs goes on. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { fail } from "@sallyport/shared/base/result.ts";
import { closedEverywhere } from "@sallyport/shared/policy/network/closed.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { networkApplier } from "../../src/appliers/network.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { nftRuleset, type Ruleset } from "../../src/dom0/ruleset.ts";
import { settle } from "../../src/reconcile/reconcile.ts";
import { unable } from "./namespaces.ts";
import { MAC, makeWire, type PlaceName, until, type Wire } from "./wire.ts";

const absent = await unable("nft", "ip", "python3");
const execute = promisify(execFile);
const debian = (name: string) => fileURLToPath(new URL(`../../../../packages/deb/debian/${name}`, import.meta.url));
let wire: Wire;
let folder: string;
let token = 10_000;
beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-closed-"));
  wire = await makeWire();
});
afterEach(async () => {
  if (!absent) await wire.spaces.run("dom0", "nft", "flush ruleset");
});
afterAll(async () => {
  await wire?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

type Way = {
  from: PlaceName;
  source: string;
  to: PlaceName;
  destination: string;
  port: number;
  protocol?: "udp" | "tcp";
};
/** Sends it, then a packet that always arrives, on the same wire's far side: what has not come by then never does. */
async function arrives({ from, source, to, destination, port, protocol = "udp" }: Way): Promise<boolean> {
  const own = token++;
  await wire.peers[from].ask({ act: "send", family: 4, protocol, source, to: destination, port, token: own });
  const sent = performance.now();
  const came = () => wire.peers[to].got.has(own);
  // a namespace's wire takes well below a millisecond
  await until(
    () => (came() || performance.now() - sent > 400 ? true : undefined),
    () => "it came or did not",
  );
  await wire.peers[from].ask({ act: "close", token: own });
  return came();
}
const OUT: Way = { from: "guest", source: "10.1.0.2", to: "world", destination: "192.0.2.1", port: 53 };
const IN: Way = { from: "world", source: "192.0.2.1", to: "guest", destination: "10.1.0.2", port: 53 };
const ACROSS: Way = { from: "guest", source: "10.1.0.2", to: "other", destination: "10.2.0.2", port: 53 };
const TO_DOM0: Way = { from: "guest", source: "10.1.0.2", to: "dom0", destination: "10.1.0.1", port: 22 };
const FROM_DOM0: Way = { from: "dom0", source: "10.1.0.1", to: "guest", destination: "10.1.0.2", port: 22 };
const TO_BROKER: Way = {
  from: "dom0",
  source: "10.2.0.1",
  to: "other",
  destination: "10.2.0.2",
  port: 8883,
  protocol: "tcp",
};
const GUESTS = { OUT, IN, ACROSS, TO_DOM0, FROM_DOM0 };

async function who(ways: Record<string, Way>): Promise<string[]> {
  const found: string[] = [];
  for (const [name, way] of Object.entries(ways)) if (await arrives(way)) found.push(name);
  return found;
}

function agent(wrap: (real: Ruleset) => Ruleset = (real) => real, disk: { text?: string } = {}) {
  const applier = networkApplier({
    ruleset: wrap(nftRuleset(wire.spaces.dom0("dom0"))),
    config: {
      wire: "routed",
      vifs: [
        { name: "vif1.0", guest: "guest", mac: MAC.guest, addresses: ["10.1.0.2"] },
        { name: "vif-other", guest: "other", mac: MAC.other, addresses: [] },
      ],
      own: [],
    },
    broker: { host: "10.2.0.2", port: 8883 },
    lostMs: () => 0,
    denied: () => [],
    tell: () => {},
    resolve: async (name) => fail(name),
    hash: sha256,
    now: () => Date.now(),
    floor: () => 0,
    monotonic: () => performance.now(),
    kept: {
      read: async () => disk.text,
      write: (text) => {
        disk.text = text;
      },
    },
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  return (draft: unknown) =>
    settle({ network: applier } as never, "network", { network: NetworkSection.parse(draft) } as never);
}

/** A kernel that lacks what the ruleset needs, as one without connection tracking: its own words come back. */
const lacking = (real: Ruleset): Ruleset => {
  const spoilt = (text: string) =>
    text.includes(" ct state ") ? text.replaceAll("ct state ", "ct no-such-key ") : text;
  return { ...real, check: (text) => real.check(spoilt(text)), load: (text) => real.load(spoilt(text)) };
};

describe.skipIf(absent)("a first ruleset that the kernel refuses", () => {
  it("leaves the guests shut and the agent's own way open, and says the kernel's sentence", async () => {
    expect(await who(GUESTS)).toEqual(Object.keys(GUESTS));
    const refused = await agent(lacking)({ otherwise: "allow" });
    expect(refused.outcome).toBe("failed");
    expect(refused.reason).toMatch(/nothing passes to or from a guest.*The kernel refuses the ruleset: .*syntax error/);
    expect(await who(GUESTS)).toEqual([]);
    expect(await arrives(TO_BROKER)).toBe(true);
    // and again at the next look, until it can be loaded
    expect((await agent(lacking)({ otherwise: "allow" })).reason).toBe(refused.reason);
    expect((await agent()({ otherwise: "allow" })).outcome).toBe("applied");
    expect(await who({ OUT, IN })).toEqual(["OUT", "IN"]);
  });

  it("leaves the one before in force where there is one", async () => {
    expect((await agent()({ otherwise: "allow" })).outcome).toBe("applied");
    const refused = await agent(lacking)({ otherwise: "block" });
    expect(refused.reason).toContain("the one before stays in force");
    expect(await who({ OUT, IN })).toEqual(["OUT", "IN"]);
  });

  it("closes nothing in audit mode", async () => {
    expect((await agent(lacking)({ mode: "audit" })).reason).toContain("audit mode acts on nothing");
    expect(await who({ OUT, IN })).toEqual(["OUT", "IN"]);
  });
});

describe.skipIf(absent)("a device that is not on the guests' wire", () => {
  const STRAY: Way = { from: "stranger", source: "10.9.0.2", to: "world", destination: "10.9.0.77", port: 53 };
  const BACK: Way = { from: "world", source: "10.9.0.77", to: "stranger", destination: "10.9.0.2", port: 53 };
  const bridge = async () => {
    const { spaces } = wire;
    await spaces.ip(
      "dom0",
      "link add xenbr7 type bridge",
      "link set xenbr7 up",
      `link add up7 type veth peer name eth7 netns ${spaces.of("world")}`,
      "link set up7 up master xenbr7",
      "link set vif9.0 master xenbr7",
    );
    await spaces.ip("world", "link set eth7 up", "addr add 10.9.0.77/32 dev eth7", "route add 10.9.0.2/32 dev eth7");
    await spaces.ip("stranger", "route add 10.9.0.77/32 dev eth0");
  };

  it("passes nothing there either, over a start of the machine too, but in audit mode", async () => {
    await bridge();
    expect(await who({ STRAY, BACK })).toEqual(["STRAY", "BACK"]);
    const disk: { text?: string } = {};
    const look = agent(undefined, disk);
    expect(await look({ otherwise: "allow" })).toMatchObject({ outcome: "applied" });
    expect(await who({ STRAY, BACK, OUT, IN })).toEqual(["OUT", "IN"]);
    await wire.spaces.run("dom0", "nft", "delete table bridge sallyport");
    expect(await look({ otherwise: "allow" })).toMatchObject({ outcome: "applied" });
    expect(await who({ STRAY, BACK })).toEqual([]);
    await wire.spaces.run("dom0", "nft", "flush ruleset");
    writeFileSync(join(folder, "both.nft"), disk.text!);
    await wire.spaces.run("dom0", "nft", "-f", join(folder, "both.nft"));
    expect(await who({ STRAY, BACK, OUT, IN })).toEqual(["OUT", "IN"]);
    // an agent that begins then finds all as it was
    const loads: string[] = [];
    const counting = (real: Ruleset): Ruleset => ({
      ...real,
      check(text) {
        loads.push(text);
        return real.check(text);
      },
    });
    expect(await agent(counting, disk)({ otherwise: "allow" })).toMatchObject({ outcome: "applied" });
    expect(loads).toEqual([]);
    expect(await who({ STRAY, BACK, OUT, IN })).toEqual(["OUT", "IN"]);
    expect((await look({ mode: "audit" })).outcome).toBe("audit");
    expect(await who({ STRAY, BACK })).toEqual(["STRAY", "BACK"]);
  });

  it("is named where this kernel cannot shut it", async () => {
    const lacks = (real: Ruleset): Ruleset => ({
      ...real,
      load: async (text) => (text.startsWith("table bridge") ? fail("Operation not supported") : real.load(text)),
    });
    expect(await agent(lacks)({ otherwise: "allow" })).toMatchObject({
      outcome: "failed",
      reason: "vif9.0: no guest's as far as is known, and not shut: Operation not supported",
    });
  });
});

describe.skipIf(absent)("the start of the machine", () => {
  const start = async (state: string) => {
    const script = [debian("firewall-start"), state, debian("closed.nft")];
    await execute("ip", ["netns", "exec", wire.spaces.of("dom0"), ...script]);
  };
  const state = (name: string, more: { nft?: string; config?: object; enrolled?: boolean } = {}) => {
    const at = join(folder, name);
    mkdirSync(join(at, "enrolment"), { recursive: true });
    if (more.enrolled !== false) writeFileSync(join(at, "enrolment/enrolment.json"), "{}");
    writeFileSync(join(at, "config.json"), JSON.stringify(more.config ?? { firewall: { wire: "routed", vifs: [] } }));
    if (more.nft !== undefined) writeFileSync(join(at, "network.nft"), more.nft);
    return at;
  };
  const good = readFileSync(debian("closed.nft"), "utf8")
    .replaceAll("policy drop", "policy accept")
    .replaceAll(" drop\n", " accept\n");

  it("ships what the agent would write", () => {
    expect(readFileSync(debian("closed.nft"), "utf8")).toBe(closedEverywhere());
  });

  it("loads the last ruleset", async () => {
    await start(state("good", { nft: good }));
    expect(await who(GUESTS)).toEqual(Object.keys(GUESTS));
  });

  it.each<[string, Parameters<typeof state>[1]]>([
    ["is absent", {}],
    ["is empty", { nft: "" }],
    ["ends behind its second line", { nft: good.split("\n").slice(0, 2).join("\n") }],
    ["is cut", { nft: good.slice(0, good.length / 3) }],
    ["is none", { nft: "\0\u0001\ufffd not a ruleset {" }],
  ])("shuts the guests where it %s, and dom0 alone goes on, until the agent has its policy", async (why, more) => {
    await start(state(why, more));
    expect(await who(GUESTS)).toEqual([]);
    const world: Way = {
      from: "dom0",
      source: "10.0.0.1",
      to: "world",
      destination: "192.0.2.1",
      port: 8883,
      protocol: "tcp",
    };
    expect(await arrives(world)).toBe(true);
    expect((await agent()({ otherwise: "allow" })).outcome).toBe("applied");
    expect(await who({ OUT, IN })).toEqual(["OUT", "IN"]);
  });

  it("touches nothing of a machine that has no firewall, or is not enrolled", async () => {
    await start(state("other", { config: { guests: [] } }));
    await start(state("new", { enrolled: false }));
    expect(await wire.spaces.run("dom0", "nft", "list tables")).toBe("");
  });
});
