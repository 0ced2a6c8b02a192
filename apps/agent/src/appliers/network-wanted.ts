/** The `network` section and what a look found → the table that is to be in force. Pure. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { rangeOf } from "@sallyport/shared/policy/network/address.ts";
import { compile } from "@sallyport/shared/policy/network/compile.ts";
import type { BrokerPath, Opening, Vif, Wire } from "@sallyport/shared/policy/network/firewall.ts";
import { lower } from "@sallyport/shared/policy/network/lower.ts";
import { marksOf, marksText } from "@sallyport/shared/policy/network/marks.ts";
import { NetworkSection } from "@sallyport/shared/policy/network.ts";
import { withCards } from "./network-cards.ts";
import type { Seen } from "./network-found.ts";
import type { Way } from "./network-untracked.ts";

export type FirewallConfig = { wire: Wire; vifs: readonly Vif[]; own: readonly Opening[] };

/** Nothing passes; what dom0 needs for the broker and takes of guests' logs lies outside the section. */
const CUT = NetworkSection.parse({ mode: "enforce", otherwise: "block", rules: [] });

/** While a command cuts the guests off, it holds instead of the section. */
export const holding = (wanted: NetworkSection, { isolatedUntil }: Pick<Seen, "isolatedUntil">): NetworkSection =>
  isolatedUntil === null ? wanted : CUT;

/** Audit mode acts on nothing, unless something is blocked all the same. */
export const isLenient = (wanted: NetworkSection, found: Seen): boolean =>
  holding(wanted, found).mode === "audit" && found.denied.length === 0;

/** `about` names the text without it, and is said in the text. `again`: see marksOf. */
export function textOf(
  wanted: NetworkSection,
  found: Seen,
  config: FirewallConfig,
  hash: Hash,
): { text: string; about: string; again: boolean } {
  const section = holding(wanted, found);
  const { again, ...marks } = marksOf(section, sectionDigest(section, hash), found.marks ?? undefined);
  const firewall = lower(section, {
    ...config,
    vifs: withCards(config.vifs, found.cards),
    names: found.names,
    gone: found.gone,
    crowded: Object.keys(found.crowded),
    path: pathOf(found),
    generation: marks.first,
    nowSeconds: found.nowSeconds,
    behindSeconds: found.behindSeconds,
    denied: found.denied,
  });
  const about = `sha256 ${toHex(hash(new TextEncoder().encode(compile(firewall))))}`;
  return { text: compile(firewall, about, marksText(marks)), about, again };
}

/** dom0's way to the broker, past the table of connections where that is nearly full. */
export const wayOf = (found: Seen, { vifs, wire }: FirewallConfig): Way => ({ path: pathOf(found), vifs, wire });

export const sectionDigest = (section: NetworkSection, hash: Hash): string =>
  toHex(hash(new TextEncoder().encode(canonicalText(section as unknown as Json))));

const pathOf = ({ path: { to, port } }: Pick<Seen, "path">): BrokerPath => ({
  to: to === "any" ? "any" : to.map(rangeOf),
  port,
});
