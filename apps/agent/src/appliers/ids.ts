/** policy → ids applier → Suricata (dom0/detector.ts). Rules are tested aside, swapped, reloaded and counted; where fewer
 *  are loaded than there are, the ones before come back. What is found is asked of the running detector: one that does
 *  not run, or has no rules, is blind, and that is an alert. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import type { IdsSection } from "@sallyport/shared/policy/ids.ts";
import { countRules, readRules, thresholdText, whyNotEnough } from "@sallyport/shared/policy/ids-files.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { z } from "zod";
import type { Detector } from "../dom0/detector.ts";
import { DoorError } from "../dom0/dom0.ts";
import type { Log } from "../dom0/log.ts";
import { type Applier, NotYet } from "./applier.ts";
import { blindness, type Found, judge, type Running } from "./ids-judge.ts";
import { Restarts } from "./ids-restarts.ts";
import { type DetectorConfig, detectorYaml } from "./ids-yaml.ts";

export type IdsParts = {
  detector: Detector;
  config: DetectorConfig;
  /** Where the artifact lies. @throws NotYet, or why it is not here */
  artifact: (sha256: Sha256) => Promise<string>;
  hash: Hash;
  now: () => number;
  monotonic: () => number;
  tell: (observation: Observation) => void;
  log: Log;
};

const Stats = z.array(z.object({ rules_loaded: z.number(), rules_failed: z.number() })).min(1);
const InterfaceStat = z.object({ pkts: z.number(), drop: z.number() });
/** More than this part of the packets unseen is as good as blind, judged over so many of them at a time. */
const BLIND_SHARE = 0.5;
const JUDGED_PACKETS_LEAST = 100;
/** It writes its statistics each 30 s, whatever it sees (ids-yaml.ts). */
const MUTE_MS = 150_000;

/** Where no interface is named nothing is watched, and nothing is touched. */
export const unwatched = (): Applier<"ids"> => ({
  section: "ids",
  inspect: async () => null,
  judge: () => ({
    outcome: "not-applied",
    reason:
      "No interface is named for the detector in the agent's configuration, so nothing is watched. Name it under ids.interface (docs/ids.md).",
  }),
  apply: async () => {},
});

export function idsApplier({ detector, config, artifact, hash, now, monotonic, tell, log }: IdsParts): Applier<"ids"> {
  const sum = (text: string): string => toHex(hash(new TextEncoder().encode(text)));
  let known: string | null = null;
  /** The configuration we wrote last, by its sum: another that the policy brings is no drift. */
  let written: string | undefined;
  /** The rules that a set's test did not understand, with the reasons; asked of the detector for a set it had before us. */
  let notUnderstood: { of: string; first: string[] } | undefined;
  let told: string | undefined;
  let counted = { packets: 0, drops: 0 };
  let overrun = false;
  const restarts = new Restarts();
  /** What its file of events was last seen to be, and since when it is that. */
  let events: { mark: string | undefined; since: number } | undefined;

  /** Counters since the detector's start → whether it keeps up now. Too few packets change nothing. */
  function keepsUp({ packets, drops }: Running): void {
    if (packets < counted.packets || drops < counted.drops) counted = { packets: 0, drops: 0 }; // it was started again
    const came = packets - counted.packets;
    if (came < JUDGED_PACKETS_LEAST) return;
    overrun = drops - counted.drops > came * BLIND_SHARE;
    counted = { packets, drops };
  }

  async function running(): Promise<Running> {
    const version = z.string().parse(await detector.ask("version"));
    const before = now();
    const upSeconds = z.number().parse(await detector.ask("uptime"));
    tellRestarts(restarts.look({ before, upSeconds, after: now() }));
    const [stats] = Stats.parse(await detector.ask("ruleset-stats"));
    const seen = InterfaceStat.parse(await detector.ask("iface-stat", { iface: config.interface }));
    return { version, loaded: stats!.rules_loaded, failed: stats!.rules_failed, packets: seen.pkts, drops: seen.drop };
  }

  /** A detector whose interface is down or gone counts its rules and its packets on as if nothing were. */
  async function unseeingOf(): Promise<string | undefined> {
    const name = config.interface;
    try {
      const link = await detector.link(name);
      if (link === "up") return undefined;
      const what = link === "down" ? `${name} is down` : `there is no interface ${name}`;
      return `${what}, so it sees no packet.`;
    } catch (error) {
      if (error instanceof DoorError) return error.message;
      throw error;
    }
  }

  /** One whose file was taken away, or whose disk is full, goes on as if nothing were. */
  async function isMute(): Promise<boolean> {
    const mark = await detector.events().catch((error: unknown) => {
      if (error instanceof DoorError) return undefined;
      throw error;
    });
    if (mark !== events?.mark || events === undefined) events = { mark, since: monotonic() };
    return monotonic() - events.since > MUTE_MS;
  }

  async function inspect(): Promise<Found> {
    const rules = await detector.read("detector.rules");
    const thresholds = await detector.read("threshold.config");
    const yaml = await detector.read("suricata.yaml");
    let alive: Running | null = null;
    let why = "";
    try {
      alive = await running();
    } catch (error) {
      if (!(error instanceof DoorError) && !(error instanceof z.ZodError)) throw error;
      why = error instanceof DoorError ? error.message : "its answer is not understood";
    }
    if (alive) keepsUp(alive);
    else restarts.expect(now());
    if (!alive) events = undefined; // it counts from when it answers again
    const unseeing = alive ? await unseeingOf() : undefined;
    const found: Found = {
      running: alive,
      ...(unseeing !== undefined && { unseeing }),
      isMute: alive !== null && (await isMute()),
      overrun,
      why,
      notUnderstood: alive && alive.failed > 0 ? await notUnderstoodOf(sum(rules ?? "")) : [],
      rules: rules === undefined ? null : setOf(rules),
      thresholds: thresholds === undefined ? null : sum(thresholds),
      yaml: yaml === undefined ? null : sum(yaml),
      known,
    };
    tellBlind(blindness(found));
    return found;
  }

  /** Read once: it is the same at each look. */
  let set: NonNullable<Found["rules"]> | undefined;
  function setOf(rules: string): NonNullable<Found["rules"]> {
    const sha256 = sum(rules);
    if (set?.sha256 !== sha256) set = { sha256, ...readRules(rules) };
    return set;
  }

  async function notUnderstoodOf(set: string): Promise<string[]> {
    if (notUnderstood?.of === set) return notUnderstood.first;
    try {
      notUnderstood = { of: set, first: await detector.notUnderstood() };
      return notUnderstood.first;
    } catch (error) {
      if (error instanceof DoorError) return [];
      throw error;
    }
  }

  /** Once for each cause, and again when it comes back after it was cured. */
  function tellBlind(reason: string | undefined): void {
    if (reason === told) return;
    told = reason;
    if (reason === undefined) return;
    log.error({ reason }, "ids.blind");
    alert("The intrusion detector is blind", reason);
  }

  function tellRestarts(count: number): void {
    if (count === 0) return;
    const often = count === 1 ? "" : ` ${count} times`;
    const reason = `The intrusion detector ended and was started again${often}, and not by the agent: what passed meanwhile was not seen.`;
    log.error({ count }, "ids.restarted");
    alert("The intrusion detector ended", reason);
  }

  function alert(signature: string, reason: string): void {
    const event = { source: "agent", reason };
    const eventTime = new Date(now()).toISOString();
    tell({
      kind: "ids.alert",
      severity: "error",
      time: now(),
      text: reason,
      body: { eventTime, signature, signatureId: 0, category: reason, event },
    });
  }

  /** What another changed since we loaded it. A rule set that policy does not name is the workstation's own to change. */
  function changedOf(wanted: IdsSection, rules: string | undefined, thresholds: string | undefined, yaml: boolean) {
    if (known === null) return [];
    const [ruleSum, thresholdSum] = known.split(" ");
    return [
      ...(wanted.rules !== undefined && sum(rules ?? "") !== ruleSum ? ["the rule set is another"] : []),
      ...(sum(thresholds ?? "") === thresholdSum ? [] : ["suppressions and thresholds are others"]),
      ...(yaml ? ["the detector's configuration is another"] : []),
    ];
  }

  function tellDrift(found: readonly string[]): void {
    if (found.length === 0) return;
    log.warn({ differs: found }, "ids.repaired");
    tell({
      kind: "policy.drift",
      severity: "warning",
      time: now(),
      text: `The detector's files were changed from outside, and are put back: ${found.join("; ")}`,
      body: { section: "ids", action: "put-back", found: [...found] },
    });
  }

  async function rulesFor(wanted: IdsSection): Promise<string> {
    // with a byte order mark the detector would not know the first of them
    if (wanted.rules === undefined) return ((await detector.read("detector.rules")) ?? "").replace(/^\uFEFF+/, "");
    const rules = await detector.artifact(await artifact(wanted.rules));
    if (rules === undefined || sum(rules) !== wanted.rules)
      throw new Error(`The rule set ${wanted.rules} was changed on this workstation's disk.`);
    return rules;
  }

  /** Both files, then the reload, then the count. What is wrong, or nothing. */
  async function swap(wanted: IdsSection, rules: string, thresholds: string): Promise<string | undefined> {
    await detector.write("detector.rules", rules);
    await detector.write("threshold.config", thresholds);
    known = null;
    await detector.ask("ruleset-reload-rules");
    const [stats] = Stats.parse(await detector.ask("ruleset-stats"));
    const few = whyNotEnough(wanted, countRules(rules), stats!.rules_loaded);
    if (few) return few;
    known = `${sum(rules)} ${sum(thresholds)}`;
    return undefined;
  }

  return {
    section: "ids",
    inspect: async () => (await inspect()) as unknown as Json,
    judge: (wanted, untrustedFound) => judge(wanted, untrustedFound as unknown as Found, config, sum),
    async apply(wanted) {
      if (wanted.mode === "audit") return;
      const rules = await rulesFor(wanted);
      const thresholds = thresholdText(wanted);
      await detector.write("suricata.yaml", detectorYaml(config, wanted, true), true);
      await detector.write("detector.rules", rules, true);
      await detector.write("threshold.config", thresholds, true);
      if (await isMute()) await detector.ask("reopen-log-files");
      const count = countRules(rules);
      if (count > 0) {
        const tested = await detector.test();
        if (!tested.ok)
          throw new Error(`The detector refuses the rules, and those before stay in force: ${tested.error}`);
        const few = whyNotEnough(wanted, count, tested.value.loaded);
        if (few)
          throw new Error(
            `The detector refuses the rules, and those before stay in force: ${[few, ...tested.value.first].join("; ")}`,
          );
        notUnderstood = { of: sum(rules), first: tested.value.first };
      }
      const before = {
        rules: await detector.read("detector.rules"),
        thresholds: await detector.read("threshold.config"),
      };
      const yaml = detectorYaml(config, wanted, false);
      const stands = await detector.read("suricata.yaml");
      const restart = stands !== yaml;
      const isForeign = restart && written !== undefined && sum(stands ?? "") !== written;
      const changed = changedOf(wanted, before.rules, before.thresholds, isForeign);
      if (restart) await detector.write("suricata.yaml", yaml);
      written = sum(yaml);
      const alive = await detector.ask("version").then(
        () => true,
        () => false,
      );
      if (!alive || restart) {
        // it reads its files when it starts; its unit starts it again when it ends
        await detector.write("detector.rules", rules);
        await detector.write("threshold.config", thresholds);
        known = `${sum(rules)} ${sum(thresholds)}`;
        tellDrift(changed);
        restarts.expect(now());
        if (alive) await detector.ask("shutdown");
        return;
      }
      const unseeing = await unseeingOf();
      // it would wait for a packet until it answers again
      if (unseeing !== undefined)
        throw new NotYet(`The rules are loaded once the detector sees packets again: ${unseeing}`);
      const wrong = await swap(wanted, rules, thresholds);
      if (wrong === undefined) {
        tellDrift(changed);
        log.info({ rules: sum(rules), count }, "ids.reloaded");
        return;
      }
      const again = await swap({ ...wanted, strict: false }, before.rules ?? "", before.thresholds ?? "");
      log.error({ wrong, again }, "ids.rolled-back");
      throw new Error(
        `${wrong}; the rules before ${again === undefined ? "are in force again" : `could not be restored: ${again}`}.`,
      );
    },
  };
}
