/** policy → network applier → the kernel's ruleset (dom0/ruleset.ts). One table: checked aside by the kernel, loaded
 *  whole, looked at again. The way to the broker lies outside the section: dom0 may always take it to the broker's
 *  addresses, and to any address once the connection has been lost for BROKER_LOST_MS; nothing else is opened by that. */

import { isIP } from "node:net";
import { toHex } from "@sallyport/shared/base/bytes.ts";
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { rangeOf } from "@sallyport/shared/policy/network/address.ts";
import { CLOSED } from "@sallyport/shared/policy/network/closed.ts";
import { asideOf, compile, familyName, TABLE } from "@sallyport/shared/policy/network/compile.ts";
import type { BrokerPath, Firewall, Opening, Vif, Wire } from "@sallyport/shared/policy/network/firewall.ts";
import { devicesOf } from "@sallyport/shared/policy/network/firewall.ts";
import { lower, namesOf } from "@sallyport/shared/policy/network/lower.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import type { DeniedAddress } from "@sallyport/shared/policy/overlay.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import type { Cards } from "../dom0/cards.ts";
import type { Log } from "../dom0/log.ts";
import type { ResolveName } from "../dom0/names.ts";
import type { NetDevice, Ruleset } from "../dom0/ruleset.ts";
import type { Applier } from "./applier.ts";
import { KnownCards, unbound, withCards } from "./network-cards.ts";
import { close, openOther } from "./network-closed.ts";
import { dropCounter } from "./network-drops.ts";
import { Names } from "./network-names.ts";
import { differences, hooked, type ReadTable, readTable, type TableContent } from "./network-table.ts";
import { isAsWanted, lookAtRoom, makeWay, type Room, roomWords } from "./network-untracked.ts";

/** Long enough for a broker's restart, short enough that a workstation is not out of reach for an hour. */
export const BROKER_LOST_MS = 120_000;
/** The text of the largest ruleset there can be is a part of it. */
export const KEPT_BYTES_MAX = 16 * 1024 * 1024;
const BEHIND_STEP_SECONDS = 90;
/** Where a copy of a table is checked that judges no packet. */
const ASIDE = `${TABLE}-check`;

export type FirewallConfig = { wire: Wire; vifs: readonly Vif[]; own: readonly Opening[] };
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

/** Nothing passes; what dom0 needs for the broker and takes of guests' logs lies outside the section. */
const CUT = NetworkSection.parse({ mode: "enforce", otherwise: "block", rules: [] });

/** What a look found. Names are part of it, so that judging needs nothing else. */
type Found =
  | { state: "unable"; reason: string }
  | {
      state: "seen";
      names: Record<string, string[]>;
      cards: Record<string, string>;
      unbound: string[];
      unresolved: string[];
      /** Names with more addresses than rules take, with how many. */
      crowded: Record<string, number>;
      path: { to: string[] | "any"; port: number };
      about: string | null;
      differs: string[];
      misplaced: string[];
      room: Room | null;
      nowSeconds: number;
      behindSeconds: number;
      repaired: string | null;
      isolatedUntil: string | null;
      denied: readonly DeniedAddress[];
      counters: Record<string, number>;
      /** By guest and reason, over all rulesets. */
      drops: Record<string, Record<string, number>>;
    };

type Seen = Extract<Found, { state: "seen" }>;

const holding = (wanted: NetworkSection, { isolatedUntil }: { isolatedUntil: string | null }): NetworkSection =>
  isolatedUntil === null ? wanted : CUT;

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
  let asked: string[] = [];
  let uses = 0;
  /** The section whose table we loaded last, and what the kernel made of its text. */
  let loaded: { about: string; content: TableContent } | undefined;
  let generation: number | undefined;
  /** Until another section comes. */
  let widened = false;
  let repaired: string | null = null;
  /** What another changed and audit mode lets stand: told once. */
  let left = "";

  const generationOf = (section: NetworkSection): number => {
    const [high, low] = hash(new TextEncoder().encode(canonicalText(section as unknown as Json)));
    return (((high! << 8) | low!) % 0xffff) + 1;
  };

  async function inspect(): Promise<Found> {
    const name = { family: familyName(config), table: TABLE } as const;
    let table: ReadTable | undefined;
    let devices: NetDevice[];
    let room: Room | null;
    try {
      const listing = await ruleset.list(name);
      table = listing === undefined ? undefined : readTable(listing);
      devices = await ruleset.devices();
      room = await lookAtRoom(ruleset);
    } catch (error) {
      return { state: "unable", reason: `${(error as Error).message}. The firewall needs nftables and root.` };
    }
    if (table) drops.look(table, drops.hasBegun ? undefined : await parts.kept.read());
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
      crowded: Object.fromEntries(known.flatMap(([each, { of }]) => (of === undefined ? [] : [[each, of]]))),
      path: {
        to: widened ? "any" : await brokerAddresses(),
        port: parts.broker.port,
      },
      about: table?.about ?? null,
      differs: table ? await differsFrom(table) : [],
      misplaced: misplaced(config, devices),
      room,
      nowSeconds: Math.floor(Math.max(parts.now(), parts.floor()) / 1000),
      behindSeconds: clockBehind(),
      repaired,
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

  /** Against what the kernel made of the same text; after a restart that is learnt from the text on disk. */
  async function differsFrom(table: ReadTable): Promise<string[]> {
    if (table.about !== undefined && loaded?.about !== table.about) {
      const text = await parts.kept.read();
      if (text?.includes(`comment "${table.about}"`)) {
        const content = await aside(text);
        if (content) loaded = { about: table.about, content };
      }
    }
    if (!loaded || loaded.about !== table.about) return ["the table was loaded by another"];
    return differences(loaded.content, table.content);
  }

  /** What the kernel makes of a table's text: loaded under another name and hooked nowhere, listed, and taken away. */
  async function aside(text: string): Promise<TableContent | undefined> {
    const family = familyName(config);
    const name = { family, table: ASIDE } as const;
    try {
      if (!(await ruleset.load(asideOf(text, family, ASIDE))).ok) return undefined;
      const listing = await ruleset.list(name);
      return listing === undefined ? undefined : hooked(readTable(listing).content, family);
    } finally {
      await ruleset.remove(name);
    }
  }

  /** Against what we loaded last, in this life or, by the text on disk, in the one before. */
  function driftOf({ about, differs }: Seen): string[] {
    if (!loaded) return [];
    if (about === null) return ["our table is gone"];
    return about === loaded.about ? differs : ["another table stands in its place"];
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
  async function refused(wanted: NetworkSection, found: Seen, why: string): Promise<Error> {
    const isOpen = found.about === null || found.about === CLOSED;
    if (!isOpen) return new Error(`The kernel refuses the ruleset, and the one before stays in force: ${why}`);
    const then = isLenient(wanted, found)
      ? "None is in force: audit mode acts on nothing."
      : await close(ruleset, config, found.path);
    log.error({ why, then }, "network.refused");
    return new Error(`${then} The kernel refuses the ruleset: ${why}`);
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

  const textOf = (wanted: NetworkSection, found: Seen): { text: string; about: string } => {
    const section = holding(wanted, found);
    const firewall: Firewall = lower(section, {
      ...config,
      vifs: withCards(config.vifs, found.cards),
      names: found.names,
      crowded: Object.keys(found.crowded),
      path: pathOf(found),
      generation: generationOf(section),
      nowSeconds: found.nowSeconds,
      behindSeconds: found.behindSeconds,
      denied: found.denied,
    });
    const about = `sha256 ${toHex(hash(new TextEncoder().encode(compile(firewall))))}`;
    return { text: compile(firewall, about), about };
  };

  const wayOf = (found: Seen) => ({ path: pathOf(found), vifs: config.vifs, wire: config.wire });

  return {
    section: "network",
    inspect: async () => (await inspect()) as unknown as Json,
    judge(wanted, untrustedFound): SectionState {
      const found = untrustedFound as unknown as Found;
      if (found.state === "unable") return { outcome: "not-applied", reason: found.reason };
      const failed = (reason: string): SectionState => ({
        outcome: "failed",
        reason: reason.slice(0, 1024),
        found: shown(found),
      });
      if (found.misplaced.length > 0) return failed(found.misplaced.join("; "));
      if (found.about === null) return failed("no ruleset of ours is loaded");
      if (found.about === CLOSED) return failed("no policy is in force yet: nothing passes to or from a guest");
      if (namesOf(holding(wanted, found), found.denied).some((name) => found.names[name] === undefined))
        return failed("names are not asked yet");
      if (found.about !== textOf(wanted, found).about)
        return failed("the ruleset in force is of another policy, or its names or times have moved on");
      if (found.differs.length > 0) return failed(`the ruleset was changed from outside: ${found.differs.join("; ")}`);
      if (!isAsWanted(hash, found.room, wayOf(found)))
        return failed("dom0's way to the broker does not yet go as the room in the table of connections asks");
      const words = [
        ...roomWords(found.room),
        ...(found.isolatedUntil === null ? [] : [`Isolated by a command until ${found.isolatedUntil}.`]),
        ...(found.path.to === "any"
          ? [
              "The way to the broker was lost and is open to any address on its port, and to port 53; nothing else of the section is loosened.",
            ]
          : []),
        ...(found.unresolved.length > 0 ? [`Names without an answer: ${found.unresolved.join("; ")}.`] : []),
        ...crowdWords(holding(wanted, found), found),
        ...found.unbound,
        ...(found.repaired ? [found.repaired] : []),
      ];
      return {
        outcome: holding(wanted, found).mode === "audit" ? "audit" : "applied",
        ...(words.length > 0 && { reason: words.join(" ").slice(0, 1024) }),
        found: shown(found),
      };
    },
    async apply(wanted) {
      asked = namesOf(wanted, parts.denied());
      uses = [...wanted.rules, ...parts.denied()].filter(({ host }) => host !== undefined).length;
      const next = generationOf(wanted);
      if (generation !== undefined && next !== generation) widened = false;
      generation = next;
      const found = await inspect();
      if (found.state === "unable") return;
      const noWay = await makeWay(ruleset, hash, found.room, wayOf(found));
      await applyTable(wanted, found);
      if (noWay !== undefined) throw new Error(noWay);
    },
  };

  async function applyTable(wanted: NetworkSection, found: Seen): Promise<void> {
    const { text, about } = textOf(wanted, found);
    if (found.about === about && mayStand(wanted, found)) {
      if (left !== found.differs.join("; ")) tellDrift(found.differs, "left");
      left = found.differs.join("; ");
      return;
    }
    left = "";
    if (found.about === about && found.differs.length === 0) return;
    const checked = await ruleset.check(text);
    if (!checked.ok) throw await refused(wanted, found, checked.error);
    const content = await aside(text);
    if (!content) throw await refused(wanted, found, "not even as a copy that no packet meets");
    const drifted = driftOf(found);
    // what the table counted until now is not to go with it
    const last = await ruleset.list({ family: familyName(config), table: TABLE });
    if (last !== undefined) drops.look(readTable(last), undefined);
    const done = await ruleset.load(text);
    if (!done.ok) throw await refused(wanted, found, done.error);
    await openOther(ruleset, config);
    loaded = { about, content };
    parts.kept.write(drops.carry(text));
    if (drifted.length > 0) {
      repaired = `Changed from outside and put back at ${new Date(parts.now()).toISOString()}: ${drifted.join("; ")}.`;
      log.warn({ differs: drifted }, "network.repaired");
      tellDrift(drifted, "put-back");
    }
    log.info({ about, rules: wanted.rules.length, vifs: config.vifs.length }, "network.loaded");
  }
}

const pathOf = ({ path: { to, port } }: Pick<Seen, "path">): BrokerPath => ({
  to: to === "any" ? "any" : to.map(rangeOf),
  port,
});

/** Audit mode acts on nothing: what another changed is told and let be, unless something is blocked all the same. */
const mayStand = (wanted: NetworkSection, found: Seen): boolean => found.differs.length > 0 && isLenient(wanted, found);
const isLenient = (wanted: NetworkSection, found: Seen): boolean =>
  holding(wanted, found).mode === "audit" && found.denied.length === 0;

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

/** A name of which a rule cannot take all addresses: a block then holds for every address, an allowance for some. */
const crowdWords = ({ rules }: NetworkSection, { crowded, names }: Pick<Seen, "crowded" | "names">): string[] =>
  rules.flatMap(({ host, verdict }, at) => {
    const of = host === undefined ? undefined : crowded[host.toLowerCase()];
    if (of === undefined) return [];
    const taken = names[host!.toLowerCase()]?.length ?? 0;
    const does = verdict === "block" ? "blocks every address" : `allows the ${taken} seen last`;
    return [`${host} has ${of} addresses, more than are taken of one name: rule ${at + 1} ${does}.`];
  });

/** Names that the overlay denies and that have no address: nothing is blocked by them. */
const unanswered = ({ denied, names }: Pick<Seen, "denied" | "names">): string[] =>
  denied.flatMap(({ host }) => (host !== undefined && !names[host.toLowerCase()]?.length ? [host] : []));

/** What people get to see of it. */
const shown = ({ about, path, counters, differs, isolatedUntil, ...found }: Seen): Json => ({
  table: about,
  ...(isolatedUntil !== null && { isolatedUntil }),
  ...(found.denied.length > 0 && {
    denied: found.denied.length,
    unanswered: unanswered(found),
    crowded: found.crowded,
  }),
  path: path.to === "any" ? "any address" : path.to,
  differs,
  ...(found.room?.inForce && { connections: { count: found.room.count, max: found.room.max } }),
  ...(Object.keys(found.cards).length > 0 && { cards: found.cards }),
  ...(found.unbound.length > 0 && { unbound: found.unbound }),
  ...(Object.keys(found.drops).length > 0 && { drops: found.drops }),
  counters,
});
