/** The firewall's applier on a real kernel, and a drop's way through the real ulogd2 into a record that names its rule. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import { fail, ok } from "@sallyport/shared/base/result.ts";
import { CLOSED } from "@sallyport/shared/policy/network/closed.ts";
import { LOGGED_BURST, LOGGED_PER_SECOND } from "@sallyport/shared/policy/network/drops.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import type { DeniedAddress } from "@sallyport/shared/policy/overlay.ts";
import type { GuestSuppressed } from "@sallyport/shared/record/guest.ts";
import type { NetDrop } from "@sallyport/shared/record/ids.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BROKER_LOST_MS, networkApplier } from "../../src/appliers/network.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { nftRuleset, type Ruleset } from "../../src/dom0/ruleset.ts";
import { simRuleset } from "../../src/sim/ruleset.ts";
import { ulogdFile } from "../../src/sources/ulogd/source.ts";
import { keeper, run } from "../sources/outlet.ts";
import { unable } from "./namespaces.ts";
import { connected, GUEST_TO_WEB, MAC, makeWire, until, type Wire } from "./wire.ts";

const absent = await unable("nft", "ip", "python3", "ulogd");
const CONNECTIONS = fileURLToPath(new URL("connections.py", import.meta.url));
const TABLE = { family: "inet", table: "sallyport" } as const;
let wire: Wire;
let folder: string;
let token = 10_000;
beforeAll(async () => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), "sallyport-network-"));
  wire = await makeWire();
});
afterAll(async () => {
  await wire?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const table = (rule: string) =>
  `table inet sallyport\ndelete table inet sallyport\ntable inet sallyport {\n  counter hits { }\n  chain one {\n    ${rule}\n  }\n}\n`;

describe.skipIf(absent).each<[string, () => Ruleset]>([
  ["this kernel", () => nftRuleset(wire.spaces.dom0("other"))],
  ["the pretend kernel", simRuleset],
])("the rulesets of %s", (_, make) => {
  it("are checked without a change, loaded whole or not at all, listed and removed", async () => {
    const ruleset = make();
    expect(await ruleset.list(TABLE)).toBeUndefined();
    expect(await ruleset.check(table('counter name "hits" drop'))).toEqual(ok(null));
    expect(await ruleset.list(TABLE)).toBeUndefined();
    expect(await ruleset.load(table('counter name "hits" drop'))).toEqual(ok(null));
    const before = JSON.stringify(await ruleset.list(TABLE));
    expect(before).toContain('"chain":"one"');
    const broken = `${table("accept")}}\n`;
    expect((await ruleset.check(broken)).ok).toBe(false);
    expect((await ruleset.load(broken)).ok).toBe(false);
    expect(JSON.stringify(await ruleset.list(TABLE))).toBe(before);
    await ruleset.remove(TABLE);
    await ruleset.remove(TABLE);
    expect(await ruleset.list(TABLE)).toBeUndefined();
    expect(await ruleset.forget()).toEqual(ok(null));
  });
});

function agent() {
  const disk: { text?: string } = {};
  const clock = { lostMs: 0 };
  const cut: { until?: string } = {};
  const answers: Record<string, string[]> = {};
  /** Why the kernel forgets nothing, for each time that it is asked; "" where it does. */
  const refusals: string[] = [];
  const denied: DeniedAddress[] = [];
  const told: string[] = [];
  const suppressed: Observation[] = [];
  const real = nftRuleset(wire.spaces.dom0("dom0"));
  const start = () =>
    networkApplier({
      ruleset: {
        ...real,
        async forget() {
          const why = refusals.shift();
          return why ? fail(why) : real.forget();
        },
      },
      config: {
        wire: "routed",
        vifs: [
          { name: "vif1.0", guest: "guest", mac: MAC.guest, addresses: ["10.1.0.2", "fd00:1::2"] },
          { name: "vif-other", guest: "other", mac: MAC.other, addresses: [] },
        ],
        own: [{ protocol: "udp", port: 514 }],
      },
      broker: { host: "broker.example", port: 8883 },
      lostMs: () => clock.lostMs,
      isolatedUntil: () => cut.until,
      denied: () => denied,
      tell(observation) {
        if (observation.kind === "guest.suppressed") suppressed.push(observation);
        else told.push(observation.text);
      },
      resolve: async (name) => (answers[name] ? ok(answers[name]) : fail(`${name}: nobody answers`)),
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
  let applier = start();
  const look = async (draft: unknown) => applier.judge(NetworkSection.parse(draft), await applier.inspect());
  return {
    answers,
    refusals,
    denied,
    told,
    suppressed,
    clock,
    cut,
    disk,
    look,
    async settle(draft: unknown) {
      const before = await look(draft);
      if (before.outcome !== "failed") return before;
      await applier.apply(NetworkSection.parse(draft));
      return look(draft);
    },
    restart() {
      applier = start();
    },
  };
}

/** Whether a connection from dom0 to the net guest comes about; it is asked for until one of both is certain. */
async function reaches(port: number): Promise<boolean> {
  const own = token++;
  const { dom0, other } = wire.peers;
  const counts = async () => {
    const { counters } = await dom0.ask({ act: "counters", table: "inet sallyport" });
    const dropping = Object.entries(counters!).filter(([name]) => /^(?:otherwise-in|rule-\d|deny-.*)$/.test(name));
    return dropping.reduce((sum, [, count]) => sum + count, 0);
  };
  const before = await counts();
  await dom0.ask({ act: "send", family: 4, protocol: "tcp", source: "10.2.0.1", to: "10.2.0.2", port, token: own });
  const came = await until(
    async () => (other.got.has(own) ? true : (await counts()) !== before ? false : undefined),
    () => `port ${port} is reached or dropped`,
  );
  await dom0.ask({ act: "close", token: own });
  return came;
}

const everything = {
  rules: [
    { name: "web", verdict: "allow", protocol: "tcp", ports: ["443"], addresses: ["192.0.2.1", "2001:db8::/32"] },
    { name: "work", verdict: "allow", host: "far.example", during: [{ days: ["mon"], from: "08:00", until: "18:00" }] },
    { name: "no telnet", verdict: "block", direction: "in", ports: ["23"] },
  ],
};

describe.skipIf(absent)("the firewall's applier", () => {
  it("finds in force what it loaded, also after a restart, and names what another changed", async () => {
    const { settle, look, restart, disk } = agent();
    expect(await settle(everything)).toMatchObject({ outcome: "applied", found: { differs: [] } });
    expect(await settle(everything)).toMatchObject({ outcome: "applied", found: { differs: [] } });
    restart();
    await settle(everything);
    expect(await look(everything)).toMatchObject({ outcome: "applied", found: { differs: [] } });
    await wire.spaces.run("dom0", "nft", "insert rule inet sallyport out accept");
    const seen = await look(everything);
    expect(seen.outcome).toBe("failed");
    expect(seen.reason).toContain("chain out, rule 1 is another");
    expect(await settle(everything)).toMatchObject({ outcome: "applied", reason: expect.stringContaining("put back") });
    await wire.spaces.run("dom0", "nft", "delete table inet sallyport");
    expect(await look(everything)).toMatchObject({ outcome: "failed", reason: "no ruleset of ours is loaded" });
    // what a start of the machine loads
    writeFileSync(join(folder, "network.nft"), disk.text!);
    await wire.spaces.run("dom0", "nft", "-f", join(folder, "network.nft"));
    expect((await look(everything)).outcome).toBe("applied");
  }, 400_000);

  it("finds no change of another's in a rule that is called as our table is", async () => {
    const { settle, told } = agent();
    const rules = [{ name: "delete table inet sallyport", verdict: "block", ports: ["25"], protocol: "tcp" }];
    await settle({ otherwise: "allow", rules });
    expect((await settle({ otherwise: "allow", rules })).outcome).toBe("applied");
    expect(told).toEqual([]);
  });

  it("opens the way to a broker that was lost for long, and that alone", async () => {
    const { settle, clock } = agent();
    await settle({});
    expect([await reaches(8883), await reaches(443)]).toEqual([false, false]);
    clock.lostMs = BROKER_LOST_MS;
    expect(await settle({})).toMatchObject({ outcome: "applied", found: { path: "any address" } });
    expect([await reaches(8883), await reaches(443)]).toEqual([true, false]);
  });

  const BROKER = "10.2.0.2";
  const far = { addresses: [BROKER, "10.0.0.0/8", "0.0.0.0/0", "::/0"] };
  const both = (more: object) =>
    ["out", "in"].map((direction) => ({ name: `no ${direction}`, verdict: "block", direction, ...more }));
  const hostile: [what: string, draft: object][] = [
    ["blocks everything", { rules: both({}) }],
    ["blocks the broker's address", { rules: both(far), otherwise: "allow" }],
    ["blocks the broker's name", { rules: both({ host: "broker.example" }), otherwise: "allow" }],
    ["blocks its port", { rules: both({ protocol: "tcp", ports: ["8883"] }), otherwise: "allow" }],
    ["blocks names", { rules: both({ ports: ["53"] }), otherwise: "allow" }],
    ["blocks what the guest answers", { rules: [{ name: "in", verdict: "allow", direction: "in" }] }],
    ["says nothing", {}],
  ];

  it.each(hostile)("lets dom0's way to the broker, and a connection on it, be where a section %s", async (_, draft) => {
    const { settle, answers } = agent();
    answers["broker.example"] = [BROKER];
    await settle({ otherwise: "allow" });
    const toBroker = { from: "dom0", source: "10.2.0.1", to: "other", destination: BROKER, port: 8883 } as const;
    const connection = await connected(wire, token++, toBroker);
    expect((await settle(draft)).outcome).toBe("applied");
    await connection.write("a batch");
    await until(
      () => (connection.arrived() === "a batch" ? true : undefined),
      () => "what it sends arrives",
    );
    await connection.close();
    expect(await reaches(8883)).toBe(true);
  });

  it("lets dom0's way to the broker be where its address is denied and the guest before it is isolated", async () => {
    const { settle, answers, denied, cut } = agent();
    answers["broker.example"] = [BROKER];
    denied.push({ id: "0".repeat(12), to: "10.2.0.0/16", protocol: "any" });
    cut.until = "2126-11-24T12:00:00.000Z";
    await settle({});
    expect([await reaches(8883), await reaches(443)]).toEqual([true, false]);
  });

  it.each(hostile.slice(0, 5))(
    "finds a broker that moved while a section %s, and opens nothing else",
    async (_, draft) => {
      const closing = { ...draft, otherwise: "block" };
      const { settle, answers, clock, told } = agent();
      answers["broker.example"] = ["10.2.0.99"];
      await settle(closing);
      expect(await reaches(8883)).toBe(false);
      clock.lostMs = BROKER_LOST_MS - 1;
      await settle(closing);
      expect(told).toEqual([]);
      clock.lostMs = BROKER_LOST_MS;
      expect(await settle(closing)).toMatchObject({
        outcome: "applied",
        reason: expect.stringContaining("nothing else of the section is loosened"),
        found: { path: "any address" },
      });
      expect([await reaches(8883), await reaches(53), await reaches(443)]).toEqual([true, true, false]);
      expect(told).toEqual([expect.stringContaining("was lost for 120 s")]);
      // the next section narrows it again
      clock.lostMs = 0;
      const next = await settle({ otherwise: "block", rules: [{ name: "next", verdict: "block" }] });
      expect(next).toMatchObject({ outcome: "applied", found: { path: ["10.2.0.99"] } });
      expect([await reaches(8883), await reaches(53)]).toEqual([false, false]);
    },
  );

  it("lets nothing to a guest while a command isolates it, whatever the section allows, and all of it afterwards", async () => {
    const { settle, cut } = agent();
    const open = { mode: "audit", otherwise: "allow" };
    await settle(open);
    expect(await reaches(443)).toBe(true);
    cut.until = "2126-11-24T12:00:00.000Z";
    expect(await settle(open)).toMatchObject({ outcome: "applied", found: { isolatedUntil: cut.until } });
    expect(await reaches(443)).toBe(false);
    delete cut.until;
    expect((await settle(open)).outcome).toBe("audit");
    expect(await reaches(443)).toBe(true);
  });

  /** A connection that the guest begins under one section: whether it goes on without a judgement after `next`. */
  async function goesOn(
    settle: (draft: unknown) => Promise<{ outcome: string }>,
    begin: object,
    next: () => Promise<void>,
  ) {
    expect((await settle(begin)).outcome).toBe("applied");
    const connection = await connected(wire, token++, GUEST_TO_WEB);
    await next();
    const before = await judgedBy("rule-1");
    const judged = async () => (await judgedBy("rule-1")) > before;
    await connection.write("more");
    const came = await until(
      async () => ((await judged()) ? false : connection.arrived() === "more" ? true : undefined),
      () => "it goes on or is judged again",
    );
    await connection.close();
    return came;
  }
  const judgedBy = async (counter: string) =>
    (await wire.peers.dom0.ask({ act: "counters", table: "inet sallyport" })).counters![counter] ?? 0;
  const web = (verdict: string, name: string) => ({ rules: [{ name, verdict, protocol: "tcp", ports: ["443"] }] });

  it("judges a connection again under a section whose digest begins as that of the one before", async () => {
    const begins = (draft: object) => {
      const text = canonicalText(NetworkSection.parse(draft) as unknown as Json);
      const [high, low] = sha256(new TextEncoder().encode(text));
      return ((high! << 8) | low!) % 0xffff;
    };
    const allow = web("allow", "web");
    let at = 0;
    while (begins(web("block", `no web ${at}`)) !== begins(allow)) at += 1;
    const { settle } = agent();
    const next = async () => void expect((await settle(web("block", `no web ${at}`))).outcome).toBe("applied");
    expect(await goesOn(settle, allow, next)).toBe(false);
  });

  it("judges a connection again whose mark comes again after all others were given away", async () => {
    const { settle } = agent();
    const blocks = web("block", "no web");
    await nftRuleset(wire.spaces.dom0("dom0")).remove(TABLE);
    const next = async () => {
      // as after thousands of sections, through which the guest was silent
      const listed = await wire.spaces.run("dom0", "nft", "list table inet sallyport");
      const later = join(folder, "later.nft");
      const text = listed.replace(/marks 1-1 of [0-9a-f]{64}/, `marks 65535-65535 of ${"0".repeat(64)}`);
      expect(text).not.toBe(listed);
      writeFileSync(later, `delete table inet sallyport\n${text}`);
      await wire.spaces.run("dom0", "nft", "-f", later);
      expect((await settle(blocks)).outcome).toBe("applied");
      expect(await wire.spaces.run("dom0", "nft", "list chain inet sallyport about")).toContain("marks 1-1 of");
    };
    expect(await goesOn(settle, web("allow", "web"), next)).toBe(false);
  });

  it("lets a connection go on under its own section, whatever else of the ruleset is another, and forgets none without a mark", async () => {
    const { settle, denied } = agent();
    const draft = web("allow", "web");
    const next = async () => {
      denied.push({ id: "0".repeat(12), to: "198.51.100.0/24", protocol: "any" });
      expect((await settle(draft)).found).toMatchObject({ denied: 1 });
    };
    expect(await goesOn(settle, draft, next)).toBe(true);
    const ruleset = nftRuleset(wire.spaces.dom0("dom0"));
    await wire.spaces.run("dom0", "/usr/bin/python3", CONNECTIONS, "hold", "50");
    const { count } = (await ruleset.connections())!;
    expect(count).toBeGreaterThanOrEqual(50);
    expect(await ruleset.forget()).toEqual(ok(null));
    expect((await ruleset.connections())!.count).toBeGreaterThanOrEqual(50);
  });

  it("forgets every mark there is, of one direction and of both", async () => {
    const ruleset = nftRuleset(wire.spaces.dom0("dom0"));
    const marks = [1, 3, 0xffff, 0x1_0000, 0x1_0001, 0xabcd_1234, 0xffff_ffff].map(String);
    const mark = () => wire.spaces.run("dom0", "/usr/bin/python3", CONNECTIONS, "mark", ...marks);
    const taken = `${marks.length} 0\n`;
    expect(await mark()).toBe(taken);
    expect(await ruleset.forget()).toEqual(ok(null));
    // the kernel takes none twice
    expect(await mark()).toBe(taken);
    expect(await ruleset.forget()).toEqual(ok(null));
  });

  it("leaves the section before in force where the kernel forgets nothing", async () => {
    const { settle, look, refusals } = agent();
    const allow = web("allow", "web");
    await settle(allow);
    await wire.spaces.run("dom0", "nft", "delete rule inet sallyport about handle", await handleOfMarks());
    refusals.push("Operation not permitted");
    await expect(settle(web("block", "no web"))).rejects.toThrow(
      "The kernel refuses the ruleset, and the one before stays in force: connections cannot be forgotten: Operation not permitted",
    );
    expect((await look(allow)).outcome).toBe("failed");
    expect((await settle(allow)).outcome).toBe("applied");
  });

  it("shuts the guests where the kernel forgets nothing of what the section before marked last", async () => {
    const { settle, refusals } = agent();
    const allow = web("allow", "web");
    await settle(allow);
    await wire.spaces.run("dom0", "nft", "delete rule inet sallyport about handle", await handleOfMarks());
    refusals.push("", "Operation not permitted");
    await expect(
      settle({ rules: [...allow.rules, { name: "more", verdict: "block", ports: ["25"] }] }),
    ).rejects.toThrow(
      /^No ruleset was in force, so nothing passes.* connections cannot be forgotten: Operation not permitted$/,
    );
    expect(await wire.spaces.run("dom0", "nft", "list table inet sallyport")).toContain(CLOSED);
    expect((await settle(allow)).outcome).toBe("applied");
  });
  const handleOfMarks = async () => {
    const listed = await wire.spaces.run("dom0", "nft", "-a", "list", "chain", "inet", "sallyport", "about");
    return /"marks .* # handle (\d+)/.exec(listed)![1]!;
  };

  it("leaves a record of a drop that names its rule, within the limit, while the counter has them all", async () => {
    const { settle, look, suppressed, restart } = agent();
    const drops = join(folder, "drops.json");
    // the very file that the package installs
    const conf = readFileSync(new URL("../../../../packages/deb/debian/ulogd.conf", import.meta.url), "utf8")
      .replace("/var/log/sallyport-agent/drops.json", drops)
      .replace("/var/log/sallyport-agent/ulogd.log", join(folder, "ulogd.log"));
    writeFileSync(join(folder, "ulogd.conf"), conf);
    const rules = [
      { name: "no telnet", verdict: "block", protocol: "udp", ports: ["53"] },
      { name: "rest", verdict: "allow" },
    ];
    const loaded = performance.now();
    expect(await settle({ rules })).toMatchObject({
      outcome: "applied",
      reason: expect.stringContaining("Nobody reads the log of drops"),
    });
    wire.spaces.spawn("dom0", "ulogd", ["-c", join(folder, "ulogd.conf")]);
    const running = run(ulogdFile({ path: drops, dom0: realDom0 }), keeper());
    const { guest } = wire.peers;
    const ask = (port: number) => {
      const own = token++;
      const order = { act: "send", family: 4, protocol: "udp", source: "10.1.0.2", to: "192.0.2.1", port, token: own };
      return guest.ask(order).then(() => guest.ask({ act: "close", token: own }));
    };
    const records = () => running.kept.observations.filter(({ kind }) => kind === "net.drop");
    // ulogd listens some time after it was started: until then drops are only counted
    let sent = 0;
    await until(
      async () => {
        await ask(53);
        sent += 1;
        return records().length > 0 ? true : undefined;
      },
      () => "a drop becomes a record",
    );
    expect((await look({ rules })).reason).toBeUndefined();
    // the kernel logged most of these to nobody
    const missed = sent - records().length;
    const { text, body } = records()[0]!;
    expect(body as NetDrop).toMatchObject({
      rule: "rule 1 no telnet",
      source: "10.1.0.2",
      destination: "192.0.2.1",
      destinationPort: 53,
      protocol: "udp",
      in: "vif1.0",
      out: "up0",
    });
    expect(text).toContain("dropped 10.1.0.2:");
    for (let flood = 0; flood < 600; flood++, sent++) await ask(53);
    // what another guest tries meanwhile is not hidden by it
    const { other } = wire.peers;
    const own = token++;
    const order = { family: 4, protocol: "udp", source: "10.2.0.2", to: "192.0.2.1", port: 53, token: own };
    const flooding = (async () => {
      for (let flood = 0; flood < 200; flood++, sent++) await ask(53);
    })();
    await other.ask({ act: "send", ...order });
    await other.ask({ act: "close", token: own });
    sent++;
    await flooding;
    await until(
      () => (records().some(({ body }) => (body as NetDrop).in === "vif-other") ? true : undefined),
      () => "the other's drop is a record",
    );
    const { counters } = (await look({ rules })).found as { counters: Record<string, number> };
    expect(counters["rule-1"]).toBe(sent);
    expect((await look({ rules })).outcome).toBe("applied");
    // whose they are, and what of them is in no record, is known to the packet; it goes on over another ruleset
    type Shown = { drops: Record<string, Record<string, number>> };
    const reason = "rule 1 no telnet";
    const { drops: counted } = (await look({ rules })).found as Shown;
    expect(counted).toMatchObject({ guest: { [reason]: sent - 1 }, other: { [reason]: 1 } });
    const logged = () => records().filter(({ body }) => (body as NetDrop).in === "vif1.0").length;
    const unlogged = suppressed.filter(({ guest }) => guest === "guest").map(({ body }) => body as GuestSuppressed);
    const held = unlogged.reduce((sum, { lines }) => sum + lines, 0);
    expect(unlogged.every(({ via }) => via === "firewall")).toBe(true);
    expect(suppressed.every(({ guest }) => guest === "guest")).toBe(true);
    await until(
      () => (held + logged() + missed >= sent - 1 ? true : undefined),
      () => "each drop is a record or in the count of those that are none",
    );
    expect(held).toBeGreaterThan(0);
    expect(held + logged()).toBeLessThan(sent);
    const more = [...rules, { name: "never", verdict: "block", to: "198.51.100.1" }];
    expect((await settle({ rules: more })).outcome).toBe("applied");
    expect(((await look({ rules: more })).found as Shown).drops).toEqual(counted);
    await ask(53);
    restart();
    expect(((await look({ rules: more })).found as Shown).drops).toMatchObject({ guest: { [reason]: sent } });
    // the bucket of the limit, and what dripped into it since
    const seconds = (performance.now() - loaded) / 1000;
    expect(records().filter(({ body }) => (body as NetDrop).in === "vif1.0").length).toBeLessThanOrEqual(
      LOGGED_BURST + Math.ceil(seconds + 1) * LOGGED_PER_SECOND,
    );
    await running.stop();
  });
});
