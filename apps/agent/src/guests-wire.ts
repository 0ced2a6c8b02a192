/** Wires the guests' wire: what filters it, and what watches it. */
import { availableParallelism } from "node:os";
import { ARTIFACT_BYTES_MAX } from "@sallyport/shared/artifact/artifact.ts";
import { deniedAddresses, type OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import { idsApplier, unwatched } from "./appliers/ids.ts";
import { THREADS_MAX } from "./appliers/ids-yaml.ts";
import { KEPT_BYTES_MAX, networkApplier, unfiltered } from "./appliers/network.ts";
import type { Artifacts } from "./artifact/artifacts.ts";
import { type AgentConfig, brokerOf, firewallOf } from "./config.ts";
import { xenCards } from "./dom0/cards.ts";
import { sha256 } from "./dom0/crypto.ts";
import { suricata } from "./dom0/detector.ts";
import type { Dom0 } from "./dom0/dom0.ts";
import { keptText } from "./dom0/kept-text.ts";
import type { Log } from "./dom0/log.ts";
import { resolveName } from "./dom0/names.ts";
import { nftRuleset } from "./dom0/ruleset.ts";
import type { Appliers } from "./reconcile/reconcile.ts";

export type WireNeeds = {
  dom0: Dom0;
  /** Where the rules stay for the next boot. */
  file: string;
  /** The broker's address, whose path no policy may cut. */
  mqtt: string;
  /** How long the broker has been out of reach. */
  lostMs: () => number;
  artifacts: Artifacts;
  isolatedUntil: () => string | undefined;
  denied: () => readonly OverlayEntry[];
  now: () => number;
  floor: () => number;
  monotonic: () => number;
  tell: (observation: Observation) => void;
  log: Log;
};

export function guestsWire(config: AgentConfig, needs: WireNeeds): Pick<Appliers, "network" | "ids"> {
  const { dom0, artifacts, denied, mqtt, file, ...shared } = needs;
  const firewall = firewallOf(config);
  return {
    network: firewall
      ? networkApplier({
          ...shared,
          ruleset: nftRuleset(dom0),
          config: firewall,
          broker: brokerOf(mqtt),
          resolve: resolveName,
          cards: xenCards(dom0),
          hash: sha256,
          kept: keptText(dom0, file, KEPT_BYTES_MAX),
          denied: () => deniedAddresses(denied()),
        })
      : unfiltered(),
    ids: config.ids
      ? idsApplier({
          ...shared,
          detector: suricata(dom0, config.ids),
          config: {
            ...config.ids,
            addresses: guestAddresses(config),
            threads: Math.min(availableParallelism(), THREADS_MAX),
          },
          artifact(rules) {
            artifacts.retain("ids", [rules]);
            return artifacts.get(rules, "The rule set", ARTIFACT_BYTES_MAX["suricata-rules"]);
          },
          hash: sha256,
        })
      : unwatched(),
  };
}

/** What the guests may call themselves, as the firewall and the logs know them. */
const guestAddresses = ({ firewall, guests }: AgentConfig): string[] => [
  ...new Set([
    ...(firewall?.vifs ?? []).flatMap(({ addresses }) => addresses),
    ...guests.flatMap(({ addresses = [] }) => addresses),
  ]),
];
