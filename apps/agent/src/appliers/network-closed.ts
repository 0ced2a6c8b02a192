/** A ruleset that the kernel refuses where none was in force → nothing passes, and that is said. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import { rangeOf } from "@sallyport/shared/policy/network/address.ts";
import { closed } from "@sallyport/shared/policy/network/closed.ts";
import type { BrokerPath, Vif, Wire } from "@sallyport/shared/policy/network/firewall.ts";
import { familyName, TABLE } from "@sallyport/shared/policy/network/nft.ts";
import type { Ruleset, TableName } from "../dom0/ruleset.ts";
import { readTable } from "./network-table.ts";

type Guests = { wire: Wire; vifs: readonly Vif[] };
/** `refused`: why the kernel did not take it. */
export type OtherFound = { about: string | null; refused: string | null };
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

/** The wire that is not the guests': rules of theirs never see a device that is on it all the same (a guest started on a
 *  bridge of a routed dom0, or the other way round). It is shut there, whoever's it is, as one that nobody knows is on theirs;
 *  audit mode lets it be. It takes the place of what the package's unit shut at the start of the machine (closedEverywhere). */
export class OtherWire {
  readonly #ruleset: Ruleset;
  readonly #guests: Guests;
  readonly #hash: Hash;
  readonly #name: TableName;
  #refused: string | undefined;

  constructor(ruleset: Ruleset, { wire, vifs }: Guests, hash: Hash) {
    this.#ruleset = ruleset;
    this.#guests = { wire: wire === "routed" ? "bridged" : "routed", vifs };
    this.#hash = hash;
    this.#name = { family: familyName(this.#guests), table: TABLE };
  }

  /** @throws DoorError where one may not look */
  async look(): Promise<OtherFound> {
    const listing = await this.#ruleset.list(this.#name);
    return {
      about: listing === undefined ? null : (readTable(listing).about ?? ""),
      refused: this.#refused ?? null,
    };
  }

  /** The text in force for the next start of the machine: none where nothing is shut. */
  async make(found: OtherFound, isLenient: boolean, { to, port }: Path): Promise<string> {
    if (isLenient) {
      if (found.about !== null) await this.#ruleset.remove(this.#name);
      return "";
    }
    const way = { ...this.#guests, path: { to: to === "any" ? to : to.map(rangeOf), port } };
    const about = aboutOther(way, this.#hash);
    const text = closed(way, about);
    if (found.about === about) return text;
    const done = await this.#ruleset.load(text);
    this.#refused = done.ok ? undefined : done.error;
    return done.ok ? text : "";
  }
}

/** Whether it stands as it is wanted; a kernel that knows no bridges refuses it, and has no device on one. */
export function isOtherAsWanted(
  found: OtherFound,
  isLenient: boolean,
  guests: Guests,
  { to, port }: Path,
  hash: Hash,
): boolean {
  if (isLenient) return found.about === null;
  const wire = guests.wire === "routed" ? "bridged" : "routed";
  const path = { to: to === "any" ? to : to.map(rangeOf), port };
  return found.refused !== null || found.about === aboutOther({ wire, vifs: guests.vifs, path }, hash);
}

const aboutOther = (way: Guests & { path: BrokerPath }, hash: Hash): string =>
  `other sha256 ${toHex(hash(new TextEncoder().encode(closed(way))))}`;
