/** The detector's applier over a pretend one: tested aside, swapped, counted, rolled back; a blind one is told. */
import { IdsSection } from "@sallyport/shared/policy/ids.ts";
import { bodySchema } from "@sallyport/shared/record/kinds.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { SectionState } from "@sallyport/shared/state/reported.ts";
import { describe, expect, it } from "vitest";
import { sha256 } from "../dom0/crypto.ts";
import { simDetector } from "../sim/detector.ts";
import { idsApplier, unwatched } from "./ids.ts";
import { homeNet } from "./ids-yaml.ts";

const RULE = 'alert udp any any -> any 5000 (msg:"probe"; sid:1000001;)';

function agent() {
  const detector = simDetector();
  const clock = { ms: 0 };
  const told: Observation[] = [];
  const applier = idsApplier({
    detector,
    config: { interface: "xenbr0", folder: "/ids", addresses: ["10.1.0.2"], threads: 1 },
    artifact: async (sha256) => {
      if (!detector.artifacts.has(sha256)) throw new Error("it could not be fetched");
      return sha256;
    },
    hash: sha256,
    now: () => Date.parse("2026-11-24T12:00:00Z") + clock.ms,
    monotonic: () => clock.ms,
    tell: (observation) => void told.push(observation),
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const artifact = (text: string) => {
    const digest = Buffer.from(sha256(Buffer.from(text))).toString("hex");
    detector.artifacts.set(digest, text);
    return digest;
  };
  const look = async (draft: unknown) => {
    const state = applier.judge(IdsSection.parse(draft), await applier.inspect());
    expect(SectionState.safeParse(state).success).toBe(true);
    return state;
  };
  const settle = async (draft: unknown) => {
    const before = await look(draft);
    if (before.outcome !== "failed") return before;
    await applier.apply(IdsSection.parse(draft));
    return look(draft);
  };
  /** Until it is as wanted: a detector whose configuration is new is started again by its unit. */
  const begin = async (draft: unknown) => {
    await settle(draft);
    detector.begin();
    return look(draft);
  };
  return { clock, detector, told, artifact, look, settle, begin };
}

it.each([
  [["10.1.0.2", "2001:db8::2"], [], ["10.1.0.2", "2001:db8::2"]],
  [["10.1.0.2"], ["10.1.0.2", "192.0.2.0/24"], ["10.1.0.2", "192.0.2.0/24"]],
  [[], [], ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]],
  [["0.0.0.0/0"], ["10.2.0.0/16"], ["10.2.0.0/16"]],
  [["0.0.0.0/1", "128.0.0.0/1"], [], ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]],
])("guests at %j, with %j of the policy's, are at home at %j and on their links", (addresses, added, home) => {
  expect(homeNet(addresses, added)).toEqual([...home, "fe80::/10"]);
});

describe("the detector's applier", () => {
  it("puts an artifact's rules in force and reports what the running detector says", async () => {
    const { artifact, begin, settle, detector } = agent();
    const rules = artifact(`${RULE}\n`);
    expect(await begin({ rules })).toMatchObject({
      outcome: "applied",
      found: { running: { loaded: 1, failed: 0, packets: 100, drops: 0 }, rules: { sha256: rules, count: 1 } },
    });
    const next = artifact(`${RULE}\n${RULE.replace("1;", "2;")}\n`);
    const before = detector.state.reloads;
    expect(await settle({ rules: next })).toMatchObject({ outcome: "applied", found: { running: { loaded: 2 } } });
    expect(detector.state.reloads).toBe(before + 1);
  });
  it("writes suppressions and thresholds, and reloads for them", async () => {
    const { artifact, begin, settle, detector } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    const suppress = [{ signatureId: 1000001, reason: "known" }];
    expect((await settle({ rules, suppress })).outcome).toBe("applied");
    expect(detector.files.get("threshold.config")).toContain("sig_id 1000001");
  });
  it("names the signatures of suppressions and thresholds that the set has not: the detector passes over them", async () => {
    const { artifact, begin, settle } = agent();
    const rules = artifact(`${RULE}\n#${RULE.replace("1;", "2;")}\n`);
    const suppress = [1_000_001, 1_000_002].map((signatureId) => ({ signatureId, reason: "known" }));
    const bound = { kind: "limit", count: 1, seconds: 60 };
    expect(await begin({ rules, suppress })).toMatchObject({
      outcome: "applied",
      reason: "Suppressed or bounded, and not in the rule set, so that nothing comes of it: signature 1000002.",
      found: { rules: { sha256: rules, count: 1 } },
    });
    const thresholds = Array.from({ length: 10 }, (_, at) => ({ signatureId: 7 + at, ...bound }));
    expect((await settle({ rules, suppress, thresholds })).reason).toMatch(
      /: signatures 1000002, 7, 8, 9, 10, 11, 12, 13 and 3 more\.$/,
    );
    expect((await settle({ rules, suppress: suppress.slice(0, 1) })).reason).toBeUndefined();
  });
  it("writes a set of the workstation's own without the byte order mark it begins with", async () => {
    const { begin, detector } = agent();
    detector.files.set("detector.rules", `\uFEFF${RULE}\n`);
    expect(await begin({})).toMatchObject({
      outcome: "applied",
      found: { rules: { count: 1 }, running: { loaded: 1 } },
    });
    expect(detector.files.get("detector.rules")).toBe(`${RULE}\n`);
  });
  it("tells of one that ended and was started again between two looks, and of none that the agent told to end", async () => {
    const { artifact, begin, clock, look, detector, told } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    await begin({ rules, homeNet: ["192.0.2.0/24"] });
    expect(told.filter(({ text }) => text.includes("started again"))).toEqual([]);
    clock.ms += 600_000;
    detector.state.upSeconds += 600;
    detector.state.events += 1;
    await look({ rules });
    told.length = 0;
    clock.ms += 20_000;
    detector.begin();
    await look({ rules });
    expect(told).toMatchObject([
      {
        kind: "ids.alert",
        severity: "error",
        text: "The intrusion detector ended and was started again, and not by the agent: what passed meanwhile was not seen.",
        body: { signature: "The intrusion detector ended", signatureId: 0 },
      },
    ]);
    expect(bodySchema("ids.alert")!.safeParse(told[0]!.body).success).toBe(true);
  });
  it("is blind where nothing of what it sees is written any more, and has it open its file anew", async () => {
    const { artifact, begin, clock, look, settle, detector, told } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    const after = (seconds: number) => {
      clock.ms += seconds * 1_000;
      detector.state.upSeconds += seconds;
      return look({ rules });
    };
    for (let at = 0; at < 10; at++) {
      detector.state.events += 1;
      expect((await after(100)).outcome).toBe("applied");
    }
    told.length = 0;
    expect((await after(100)).outcome).toBe("applied");
    expect(await after(100)).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("nothing of what it sees"),
    });
    await after(100);
    expect(told.map(({ text }) => text)).toEqual([
      expect.stringContaining("The intrusion detector is blind: it runs,"),
    ]);
    expect((await settle({ rules })).outcome).toBe("applied");
  });
  it("leaves everything as it is when the rules do not stand the test", async () => {
    const { artifact, begin, settle, detector } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    await expect(settle({ rules: artifact("alert broken\n") })).rejects.toThrow(
      "those before stay in force: 0 of 1 rules are loaded, and more than one in a hundred is not; the rule alert broken: no such keyword",
    );
    expect(detector.files.get("detector.rules")).toBe(`${RULE}\n`);
  });
  it("brings the rules before back when fewer are loaded than there are", async () => {
    const { artifact, begin, settle, look } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    await expect(settle({ rules: artifact(`${RULE}\nalert late\n`) })).rejects.toThrow(
      "1 of 2 rules are loaded, and more than one in a hundred is not; the rules before are in force again",
    );
    expect((await look({ rules })).outcome).toBe("applied");
  });
  it("takes a large set of which a few rules are not understood and names them, but not where the policy wants all", async () => {
    const { artifact, begin, settle, look } = agent();
    const many = Array.from({ length: 200 }, (_, at) => RULE.replace("1000001", String(1_000_001 + at)));
    const before = artifact(`${RULE}\n`);
    await begin({ rules: before });
    const rules = artifact(`${[...many, "alert broken", "alert late"].join("\n")}\n`);
    await expect(settle({ rules, strict: true })).rejects.toThrow(
      "those before stay in force: 201 of 202 rules are loaded, and the policy wants all; the rule alert broken: no such keyword",
    );
    expect((await look({ rules: before })).outcome).toBe("applied");
    expect(await settle({ rules })).toMatchObject({
      outcome: "applied",
      reason:
        "2 of 202 rules are not understood by the detector and are not in force: the rule alert broken: no such keyword.",
      found: { running: { loaded: 200, failed: 2 } },
    });
    expect(await look({ rules, strict: true })).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("the policy wants all"),
    });
  });
  it("a policy that adds to the guests' side changes the configuration, which is no drift", async () => {
    const { artifact, begin, settle, detector, told } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    told.length = 0;
    const homeNet = ["192.0.2.0/24"];
    await settle({ rules, homeNet });
    expect(detector.files.get("suricata.yaml")).toContain('HOME_NET: "[10.1.0.2,192.0.2.0/24,fe80::/10]"');
    detector.state.running = true;
    await detector.ask("ruleset-reload-rules");
    expect((await settle({ rules, homeNet })).outcome).toBe("applied");
    expect(told.filter(({ kind }) => kind === "policy.drift")).toEqual([]);
    detector.files.set("suricata.yaml", "%YAML 1.1\n");
    await settle({ rules, homeNet });
    expect(told.filter(({ kind }) => kind === "policy.drift")).toMatchObject([
      { body: { found: ["the detector's configuration is another"] } },
    ]);
  });
  it("refuses an artifact that is absent or damaged", async () => {
    const { detector, settle } = agent();
    const digest = "0".repeat(64);
    await expect(settle({ rules: digest })).rejects.toThrow("it could not be fetched");
    detector.artifacts.set(digest, RULE);
    await expect(settle({ rules: digest })).rejects.toThrow("was changed on this workstation's disk");
  });
  it("tells of a blind detector once for each time it goes blind", async () => {
    const { artifact, begin, look, detector, told } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    told.length = 0;
    detector.state.running = false;
    expect(await look({ rules })).toMatchObject({ outcome: "failed", reason: expect.stringContaining("blind") });
    await look({ rules });
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ kind: "ids.alert", severity: "error", body: { signatureId: 0 } });
    expect(bodySchema("ids.alert")!.safeParse(told[0]!.body).success).toBe(true);
    detector.state.running = true;
    await look({ rules });
    detector.files.set("detector.rules", "");
    await detector.ask("ruleset-reload-rules");
    expect(await look({ rules })).toMatchObject({ reason: expect.stringContaining("no rules") });
    expect(told).toHaveLength(2);
  });
  it("says how many packets were not seen", async () => {
    const { artifact, begin, look, detector } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    detector.state.drops = 30;
    expect(await look({ rules })).toMatchObject({ outcome: "applied", reason: "30 of 100 packets were not seen." });
  });
  it("is blind while its interface is down or gone, and loads no rules then", async () => {
    const { artifact, begin, look, settle, detector, told } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    told.length = 0;
    detector.state.link = "down";
    const reason = "The intrusion detector is blind: xenbr0 is down, so it sees no packet.";
    expect(await look({ rules })).toMatchObject({ outcome: "failed", reason });
    const reloads = detector.state.reloads;
    await expect(settle({ rules })).rejects.toThrow("The rules are loaded once the detector sees packets again");
    expect(detector.state.reloads).toBe(reloads);
    detector.state.link = "absent";
    expect(await look({ rules })).toMatchObject({ reason: expect.stringContaining("there is no interface xenbr0") });
    detector.state.link = "up";
    expect((await look({ rules })).outcome).toBe("applied");
    expect(told.filter(({ text }) => text.includes("blind"))).toHaveLength(2);
  });
  it("is blind where most packets go by it, until it keeps up again or is started again", async () => {
    const { artifact, begin, look, detector, told } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    told.length = 0;
    Object.assign(detector.state, { packets: 1100, drops: 600 });
    expect(await look({ rules })).toMatchObject({ outcome: "failed", reason: expect.stringContaining("keep up") });
    Object.assign(detector.state, { packets: 1150, drops: 600 }); // too few to say
    expect(await look({ rules })).toMatchObject({ outcome: "failed" });
    expect(told).toMatchObject([{ kind: "ids.alert", severity: "error" }]);
    Object.assign(detector.state, { packets: 2100, drops: 610 });
    expect(await look({ rules })).toMatchObject({ outcome: "applied", reason: expect.stringContaining("not seen") });
    Object.assign(detector.state, { packets: 200, drops: 150 }); // started again
    expect(await look({ rules })).toMatchObject({ outcome: "failed" });
    expect(told).toHaveLength(2);
  });
  it("does not believe files that another changed: they are put back, and that is told", async () => {
    const { artifact, begin, look, settle, detector, told } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    expect((await settle({ rules: artifact(`${RULE}\n# more\n`) })).outcome).toBe("applied");
    expect((await settle({ rules })).outcome).toBe("applied");
    told.length = 0;
    detector.files.set("detector.rules", "# none\n");
    detector.files.set("threshold.config", "suppress gen_id 1, sig_id 1000001\n");
    expect((await look({ rules })).outcome).toBe("failed");
    expect((await settle({ rules })).outcome).toBe("applied");
    expect(told).toMatchObject([
      {
        kind: "policy.drift",
        severity: "warning",
        body: {
          section: "ids",
          action: "put-back",
          found: ["the rule set is another", "suppressions and thresholds are others"],
        },
      },
    ]);
    expect(bodySchema("policy.drift")!.safeParse(told[0]!.body).success).toBe(true);
    await settle({ rules });
    expect(told).toHaveLength(1);
  });
  it("changes nothing in audit mode, and says what is otherwise", async () => {
    const { artifact, begin, settle, detector } = agent();
    const rules = artifact(`${RULE}\n`);
    await begin({ rules });
    const files = new Map(detector.files);
    expect(await settle({ mode: "audit", rules: "0".repeat(64) })).toMatchObject({
      outcome: "audit",
      reason: expect.stringContaining("the rule set in force is"),
    });
    expect(detector.files).toEqual(files);
  });
  it("says that nothing is watched where no interface is named", async () => {
    const applier = unwatched();
    expect(applier.judge(IdsSection.parse({}), await applier.inspect())).toMatchObject({
      outcome: "not-applied",
      reason: expect.stringContaining("ids.interface"),
    });
  });
});
