/** policy → network applier → the kernel's ruleset (dom0/ruleset.ts). One table: checked aside by the kernel, loaded
 *  whole, looked at again. The way to the broker lies outside the section: dom0 may always take it to the broker's
 *  addresses, and to any address once the connection has been lost for BROKER_LOST_MS; nothing else is opened by that. */

import { isIP } from "node:net";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { ok } from "@sallyport/shared/base/result.ts";
import { CLOSED } from "@sallyport/shared/policy/network/closed.ts";
import { NFLOG_GROUP } from "@sallyport/shared/policy/network/drops.ts";
import { devicesOf, VIF_PREFIX } from "@sallyport/shared/policy/network/firewall.ts";
import { namesOf } from "@sallyport/shared/policy/network/lower.ts";
import { familyName, TABLE } from "@sallyport/shared/policy/network/nft.ts";
import { tooMuch } from "@sallyport/shared/policy/network/size.ts";
import type { NetworkSection } from "@sallyport/shared/policy/network.ts";
import type { DeniedAddress } from "@sallyport/shared/policy/overlay.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { Cards } from "../dom0/cards.ts";
import type { Log } from "../dom0/log.ts";
import type { ResolveName } from "../dom0/names.ts";
import type { NetDevice, Ruleset } from "../dom0/ruleset.ts";
import type { Applier } from "./applier.ts";
import { KnownCards, unbound } from "./network-cards.ts";
import { close, type OtherFound, OtherWire } from "./network-closed.ts";
import { dropCounter } from "./network-drops.ts";
import type { Found, Seen } from "./network-found.ts";
import { judge } from "./network-judge.ts";
import { LoadedTable } from "./network-loaded.ts";
import { Names } from "./network-names.ts";
import { type ReadTable, readTable } from "./network-table.ts";
import { lookAtRoom, makeWay, type Room } from "./network-untracked.ts";
import { type FirewallConfig, holding, isLenient, sectionDigest, textOf, wayOf } from "./network-wanted.ts";

/** Long enough for a broker's restart, short enough that a workstation is not out of reach for an hour. */
export const BROKER_LOST_MS = 120_000;
/** The text of the largest ruleset there can be is a part of it. */
export const KEPT_BYTES_MAX = 16 * 1024 * 1024;
const BEHIND_STEP_SECONDS = 90;

export type NetworkParts = {
  ruleset: Ruleset;
  config: FirewallConfig;
  broker: { host: string; port: number };
  /** How long the broker has been out of reach; 0 while connected. */
  lostMs: () => number;
  resolve: ResolveName;
  /** What Xen says of guests' devices, where the configuration names no MAC. */
  cards?: Cards;
  hash: Hash;
  now: () => number;
  /** The latest moment known for certain: windows of time are never judged by an earlier one. */
  floor: () => number;
  monotonic: () => number;
  /** The ruleset in force, on disk: what a start of the machine loads before the agent runs. */
  kept: { read(): Promise<string | undefined>; write(text: string): void };
  /** Until when the guests are cut off by a command, whatever the section says (command/). */
  isolatedUntil?: () => string | undefined;
  /** What the deny overlay blocks now. */
  denied: () => readonly DeniedAddress[];
  tell: (observation: Observation) => void;
  log: Log;
};

/** Where no guest's device is named there is nothing to protect, and nothing is touched. */
export const unfiltered = (): Applier<"network"> => ({
  section: "network",
  inspect: async () => null,
  judge: () => ({
    outcome: "not-applied",
    reason:
      "No guest's device is named in the agent's configuration, so nothing is filtered. Name them under firewall.vifs (docs/firewall.md).",
  }),
  apply: async () => {},
});

export function networkApplier(parts: NetworkParts): Applier<"network"> {
  const { config, hash, ruleset, log } = parts;
  const names = new Names(parts.resolve, parts.monotonic);
  const broker = new Names(parts.resolve, parts.monotonic);
  const cards = new KnownCards(parts.cards ?? (async () => undefined));
  const drops = dropCounter(config.vifs, parts);
  const name = { family: familyName(config), table: TABLE } as const;
  const other = new OtherWire(ruleset, config, hash);
  const loaded = new LoadedTable(ruleset, name.family, () => parts.kept.read());
  let asked: string[] = [];
  let uses = 0;
  let section: string | undefined;
  /** Until another section comes. */
  let widened = false;
  let repaired: string | null = null;
  /** In force, and not taken by the disk. */
  let unkept: { text: string; why: string } | undefined;
  /** What another changed and audit mode lets stand: told once. */
  let left = "";

  /** What is in force is in force, whether the disk is full or not. */
  function keep(text: string): void {
    try {
      parts.kept.write(text);
      unkept = undefined;
    } catch (error) {
      const why = (error as Error).message;
      if (!unkept) log.error({ error: why }, "network.not-kept");
      unkept = { text, why };
    }
  }

  async function inspect(): Promise<Found> {
    if (unkept) keep(unkept.text);
    let table: ReadTable | undefined;
    let devices: NetDevice[];
    let room: Room | null;
    let beside: OtherFound;
    let isHeard: boolean;
    try {
      const listing = await ruleset.list(name);
      table = listing === undefined ? undefined : readTable(listing);
      devices = await ruleset.devices();
      room = await lookAtRoom(ruleset);
      beside = await other.look();
      isHeard = (await ruleset.isHeard(NFLOG_GROUP)) ?? true;
    } catch (error) {
      return { state: "unable", reason: `${(error as Error).message}. The firewall needs nftables and root.` };
    }
    if (table) drops.look(table, drops.hasBegun ? undefined : await parts.kept.read(), isHeard);
    await names.ask(asked, uses);
    await cards.look(config.vifs);
    if (table && !widened && parts.lostMs() >= BROKER_LOST_MS) {
      widened = true;
      log.warn({ lostMs: parts.lostMs() }, "network.path-widened");
      tellWidened();
    }
    const known = Object.entries(names.known);
    return {
      state: "seen",
      names: Object.fromEntries(known.map(([each, { addresses }]) => [each, addresses])),
      cards: cards.learnt,
      unbound: unbound(config.vifs, cards.learnt, cards.failed),
      unresolved: known.flatMap(([, { failed }]) => failed ?? []),
      gone: known.flatMap(([each, { isGone }]) => (isGone ? [each] : [])),
      crowded: Object.fromEntries(known.flatMap(([each, { of }]) => (of === undefined ? [] : [[each, of]]))),
      path: {
        to: widened ? "any" : await brokerAddresses(),
        port: parts.broker.port,
      },
      about: table?.about ?? null,
      marks: table?.marks ?? null,
      differs: table ? await loaded.differsFrom(table) : [],
      other: beside,
      misplaced: misplaced(config, devices),
      strays: strays(config, devices),
      room,
      isHeard,
      nowSeconds: Math.floor(Math.max(parts.now(), parts.floor()) / 1000),
      behindSeconds: clockBehind(),
      repaired,
      unkept: unkept?.why ?? null,
      isolatedUntil: parts.isolatedUntil?.() ?? null,
      denied: parts.denied(),
      drops: drops.shown(),
      counters: Object.fromEntries(
        Object.entries(table?.counters ?? {}).flatMap(([each, { packets }]) => (packets > 0 ? [[each, packets]] : [])),
      ),
    };
  }

  async function brokerAddresses(): Promise<string[]> {
    const { host } = parts.broker;
    if (isIP(host)) return [host];
    await broker.ask([host]);
    return broker.known[host]?.addresses ?? [];
  }

  function tellDrift(found: readonly string[], action: "put-back" | "left"): void {
    const did = action === "left" ? "audit mode leaves it so" : "it is put back";
    parts.tell({
      kind: "policy.drift",
      severity: "warning",
      time: parts.now(),
      text: `The firewall's rules were changed from outside, and ${did}: ${found.join("; ")}`.slice(0, 500),
      body: { section: "network", action, found: found.map((words) => words.slice(0, 256)) },
    });
  }

  /** A workstation is not looser than its last good policy; where it has none in force, nothing passes. */
  async function refused(
    wanted: NetworkSection,
    found: Seen,
    why: string,
    what = "The kernel refuses the ruleset",
  ): Promise<Error> {
    const isOpen = found.about === null || found.about === CLOSED;
    if (!isOpen) return new Error(`${what}, and the one before stays in force: ${why}`);
    const then = isLenient(wanted, found)
      ? "None is in force: audit mode acts on nothing."
      : await close(ruleset, config, found.path);
    if (!isLenient(wanted, found)) await other.make(found.other, false, found.path);
    log.error({ why, then }, "network.refused");
    return new Error(`${then} ${what}: ${why}`);
  }

  function tellWidened(): void {
    const { host, port } = parts.broker;
    const found = `dom0's way to ${host}, port ${port}, was lost for ${Math.floor(parts.lostMs() / 1000)} s`;
    parts.tell({
      kind: "policy.drift",
      severity: "warning",
      time: parts.now(),
      text: `${found}: it is open to any address on that port, and to port 53; nothing else of the section is loosened`,
      body: { section: "network", action: "put-back", found: [found] },
    });
  }

  let behind = 0;
  /** Two clocks drift: what stands is kept until it is a minute and a half off. */
  function clockBehind(): number {
    const seconds = Math.max(0, Math.round((parts.floor() - parts.now()) / 1000));
    if (Math.abs(seconds - behind) >= BEHIND_STEP_SECONDS || seconds === 0)
      behind = seconds < BEHIND_STEP_SECONDS ? 0 : seconds;
    return behind;
  }

  return {
    section: "network",
    inspect: async () => (await inspect()) as unknown as Json,
    judge: (wanted, untrustedFound) => judge(wanted, untrustedFound as unknown as Found, config, hash),
    async apply(wanted) {
      asked = namesOf(wanted, parts.denied());
      uses = [...wanted.rules, ...parts.denied()].filter(({ host }) => host !== undefined).length;
      const next = sectionDigest(wanted, hash);
      if (section !== undefined && next !== section) widened = false;
      section = next;
      const found = await inspect();
      if (found.state === "unable") return;
      const noWay = await makeWay(ruleset, hash, found.room, wayOf(found, config));
      await applyTable(wanted, found);
      if (noWay !== undefined) throw new Error(noWay);
    },
  };

  async function applyTable(wanted: NetworkSection, found: Seen): Promise<void> {
    const over = tooMuch(holding(wanted, found));
    if (over.length > 0) throw await refused(wanted, found, over.join("; "), "The section is too large");
    const { text, about, again } = textOf(wanted, found, config, hash);
    const shut = () => other.make(found.other, isLenient(wanted, found), found.path);
    // what another changed is told and let be
    if (found.about === about && found.differs.length > 0 && isLenient(wanted, found)) {
      if (left !== found.differs.join("; ")) tellDrift(found.differs, "left");
      left = found.differs.join("; ");
      return void (await shut());
    }
    left = "";
    if (found.about === about && found.differs.length === 0) return void (await shut());
    const checked = await ruleset.check(text);
    if (!checked.ok) throw await refused(wanted, found, checked.error);
    const content = await loaded.aside(text);
    if (!content) throw await refused(wanted, found, "not even as a copy that no packet meets");
    const drifted = loaded.driftOf(found);
    const forgotten = again ? await ruleset.forget() : ok(null);
    if (!forgotten.ok) throw await refused(wanted, found, `connections cannot be forgotten: ${forgotten.error}`);
    // what the table counted until now is not to go with it
    const last = await ruleset.list(name);
    if (last !== undefined) drops.look(readTable(last), undefined, found.isHeard);
    const done = await ruleset.load(text);
    if (!done.ok) throw await refused(wanted, found, done.error);
    // what the table before it put on some meanwhile is not known either; that one is gone, so none stays in force
    const rest = again ? await ruleset.forget() : ok(null);
    if (!rest.ok)
      throw await refused(wanted, { ...found, about: null }, `connections cannot be forgotten: ${rest.error}`);
    const beside = await shut();
    loaded.isNow(about, content);
    keep(drops.carry(text) + beside);
    if (drifted.length > 0) {
      repaired = `Changed from outside and put back at ${new Date(parts.now()).toISOString()}: ${drifted.join("; ")}.`;
      log.warn({ differs: drifted }, "network.repaired");
      tellDrift(drifted, "put-back");
    }
    log.info({ about, rules: wanted.rules.length, vifs: config.vifs.length }, "network.loaded");
  }
}

/** Devices of nobody's that are not on the guests' wire. */
const strays = ({ wire, vifs }: FirewallConfig, devices: readonly NetDevice[]): string[] => {
  const own = new Set(vifs.flatMap(devicesOf));
  return devices.flatMap(({ name, bridge }) =>
    name.startsWith(VIF_PREFIX) && !own.has(name) && (bridge !== undefined) !== (wire === "bridged") ? [name] : [],
  );
};

/** Rules of one wire never see packets of the other: a firewall that is blind to a guest is not applied. */
function misplaced({ wire, vifs }: FirewallConfig, devices: readonly NetDevice[]): string[] {
  const own = new Set(vifs.flatMap(devicesOf));
  return devices
    .filter(({ name, bridge }) => own.has(name) && (bridge !== undefined) !== (wire === "bridged"))
    .map(({ name, bridge }) =>
      bridge === undefined
        ? `${name} is routed, but the firewall is set to bridged: set firewall.wire to routed`
        : `${name} is a port of ${bridge}, but the firewall is set to routed: set firewall.wire to bridged`,
    );
}
