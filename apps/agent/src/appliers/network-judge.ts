/** What a look at the firewall found → whether the `network` section is true. Pure. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { CLOSED } from "@sallyport/shared/policy/network/closed.ts";
import { NFLOG_GROUP } from "@sallyport/shared/policy/network/drops.ts";
import { namesOf } from "@sallyport/shared/policy/network/lower.ts";
import { tooMuch } from "@sallyport/shared/policy/network/size.ts";
import type { NetworkSection } from "@sallyport/shared/policy/network.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import { withCards } from "./network-cards.ts";
import { isOtherAsWanted } from "./network-closed.ts";
import { contested } from "./network-contested.ts";
import type { Found, Seen } from "./network-found.ts";
import { isAsWanted, roomWords } from "./network-untracked.ts";
import { type FirewallConfig, holding, isLenient, textOf, wayOf } from "./network-wanted.ts";

const UNHEARD = `Nobody reads the log of drops (NFLOG group ${NFLOG_GROUP}): what is dropped is counted and is no record. Start sallyport-drops (apt-get install ulogd2 ulogd2-json).`;

export function judge(wanted: NetworkSection, found: Found, config: FirewallConfig, hash: Hash): SectionState {
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
  const over = tooMuch(holding(wanted, found));
  if (over.length > 0) return failed(`the section is too large: ${over.join("; ")}`);
  if (found.about !== textOf(wanted, found, config, hash).about)
    return failed("the ruleset in force is of another policy, or its names or times have moved on");
  if (found.differs.length > 0) return failed(`the ruleset was changed from outside: ${found.differs.join("; ")}`);
  if (!isOtherAsWanted(found.other, isLenient(wanted, found), config, found.path, hash))
    return failed(
      "a guest's device on another wire than the firewall's is not shut, or is where audit mode shuts nothing",
    );
  const { refused } = found.other;
  if (refused !== null && found.strays.length > 0 && !isLenient(wanted, found))
    return failed(`${found.strays.join(", ")}: no guest's as far as is known, and not shut: ${refused}`);
  if (!isAsWanted(hash, found.room, wayOf(found, config)))
    return failed("dom0's way to the broker does not yet go as the room in the table of connections asks");
  const shared = contested(withCards(config.vifs, found.cards));
  if (shared !== undefined) return failed(`${shared} The rules are in force all the same.`);
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
    ...(found.isHeard ? [] : [UNHEARD]),
    ...(found.repaired ? [found.repaired] : []),
    ...(found.unkept === null
      ? []
      : [`It is not on disk yet, so a start of the machine would begin with the rules before: ${found.unkept}.`]),
  ];
  return {
    outcome: holding(wanted, found).mode === "audit" ? "audit" : "applied",
    ...(words.length > 0 && { reason: words.join(" ").slice(0, 1024) }),
    found: shown(found),
  };
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
