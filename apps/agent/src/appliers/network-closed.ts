/** A ruleset that the kernel refuses where none was in force → nothing passes, and that is said. */
import { rangeOf } from "@sallyport/shared/policy/network/address.ts";
import { CLOSED, closed } from "@sallyport/shared/policy/network/closed.ts";
import type { Vif, Wire } from "@sallyport/shared/policy/network/firewall.ts";
import { familyName, TABLE } from "@sallyport/shared/policy/network/nft.ts";
import type { Ruleset } from "../dom0/ruleset.ts";
import { readTable } from "./network-table.ts";

type Guests = { wire: Wire; vifs: readonly Vif[] };
type Path = { to: readonly string[] | "any"; port: number };

/** What came of it, in words. A second attempt has no more than the guests' devices in it. */
export async function close(ruleset: Ruleset, guests: Guests, { to, port }: Path): Promise<string> {
  const path = { to: to === "any" ? to : to.map(rangeOf), port };
  if ((await ruleset.load(closed({ ...guests, path }))).ok)
    return "No ruleset was in force, so nothing passes to or from a guest; dom0's way to the broker is open.";
  const bare = await ruleset.load(closed({ ...guests, path: undefined }));
  return bare.ok
    ? "No ruleset was in force, so nothing passes to or from a guest."
    : `No ruleset is in force, and the guests' devices CANNOT BE CLOSED: ${bare.error}`;
}

/** What the package's unit closed at the start of the machine, of the wire that is not the guests' (closedEverywhere). */
export async function openOther(ruleset: Ruleset, { wire }: Pick<Guests, "wire">): Promise<void> {
  const other = { family: familyName({ wire: wire === "routed" ? "bridged" : "routed" }), table: TABLE };
  const listing = await ruleset.list(other);
  if (listing !== undefined && readTable(listing).about === CLOSED) await ruleset.remove(other);
}
