/** What two guests are both given in the agent's configuration: there anti-spoofing keeps neither from posing as the other.
 *  Pure. */
import { rangeOf, rangeText } from "@sallyport/shared/policy/network/address.ts";
import { devicesOf, type Vif } from "@sallyport/shared/policy/network/firewall.ts";

const NAMED_MAX = 4;

type Claim = { what: string; vif: Vif };

/** In words for people; nothing where each has its own. Two vifs of one guest may share. */
export function contested(vifs: readonly Vif[]): string | undefined {
  const both = [
    ...sameOf(vifs.flatMap((vif) => devicesOf(vif).map((device) => ({ what: `the device ${device}`, vif })))),
    ...sameOf(
      vifs.flatMap((vif) => (vif.mac === undefined ? [] : [{ what: `the card ${vif.mac.toLowerCase()}`, vif }])),
    ),
    ...overlapsOf(vifs),
  ];
  if (both.length === 0) return undefined;
  const named = both
    .slice(0, NAMED_MAX)
    .map(([one, other, what]) => `${one.guest} and ${other.guest} both have ${what}`);
  const more = both.length > NAMED_MAX ? [`and ${both.length - NAMED_MAX} more`] : [];
  return `Guests can pose as one another: ${[...named, ...more].join("; ")}. Give each to one of them under firewall.vifs.`;
}

type Both = [one: Vif, other: Vif, what: string];

function sameOf(claims: readonly Claim[]): Both[] {
  const first = new Map<string, Vif>();
  return claims.flatMap(({ what, vif }) => {
    const before = first.get(what);
    if (before === undefined) first.set(what, vif);
    return before !== undefined && before.guest !== vif.guest ? [[before, vif, what] satisfies Both] : [];
  });
}

/** A pair of guests once: each range against those before it that reach farthest, one a guest. */
function overlapsOf(vifs: readonly Vif[]): Both[] {
  const ranges = vifs
    .flatMap((vif) => vif.addresses.map((address) => ({ vif, range: rangeOf(address) })))
    .sort(
      (a, b) =>
        a.range.family - b.range.family || (a.range.from < b.range.from ? -1 : a.range.from > b.range.from ? 1 : 0),
    );
  const found = new Map<string, Both>();
  const reaching = new Map<string, (typeof ranges)[number]>();
  for (const each of ranges) {
    for (const { vif, range } of reaching.values()) {
      if (vif.guest === each.vif.guest || range.family !== each.range.family || range.to < each.range.from) continue;
      const to = range.to < each.range.to ? range.to : each.range.to;
      const key = [vif.guest, each.vif.guest].sort().join(" ");
      if (!found.has(key)) found.set(key, [vif, each.vif, rangeText({ ...each.range, to })]);
    }
    const before = reaching.get(each.vif.guest)?.range;
    if (!before || before.family !== each.range.family || before.to < each.range.to) reaching.set(each.vif.guest, each);
  }
  return [...found.values()];
}
