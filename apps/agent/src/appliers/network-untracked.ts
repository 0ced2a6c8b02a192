/** dom0's way to the broker while the kernel's table of connections is nearly full (policy/network/untracked.ts). What is
 *  wanted follows from what is there, so that an agent that begins goes on where the one before stood. */
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { BrokerPath, Vif, Wire } from "@sallyport/shared/policy/network/firewall.ts";
import {
  NEARLY_FULL,
  ROOM_AGAIN,
  UNTRACKED,
  UNTRACKED_BRIDGE,
  untracked,
} from "@sallyport/shared/policy/network/untracked.ts";
import type { Ruleset } from "../dom0/ruleset.ts";
import { readTable } from "./network-table.ts";

/** `inForce`: what the table says of itself, where it is loaded. */
export type Room = { count: number; max: number; inForce: string | null };
export type Way = { path: BrokerPath; vifs: readonly Vif[]; wire: Wire };

/** @throws DoorError where one may not look */
export async function lookAtRoom(ruleset: Ruleset): Promise<Room | null> {
  const room = await ruleset.connections();
  if (!room) return null;
  const listing = await ruleset.list(UNTRACKED);
  return { ...room, inForce: listing === undefined ? null : (readTable(listing).about ?? "") };
}

const isNearlyFull = ({ count, max, inForce }: Room): boolean =>
  count >= max * (inForce === null ? NEARLY_FULL : ROOM_AGAIN);

const aboutOf = (hash: Hash, way: Way): string => `sha256 ${toHex(hash(new TextEncoder().encode(untracked(way))))}`;

export const isAsWanted = (hash: Hash, room: Room | null, way: Way): boolean =>
  room === null || room.inForce === (isNearlyFull(room) ? aboutOf(hash, way) : null);

/** Why it could not be. */
export async function makeWay(ruleset: Ruleset, hash: Hash, room: Room | null, way: Way): Promise<string | undefined> {
  if (room === null || isAsWanted(hash, room, way)) return undefined;
  if (!isNearlyFull(room)) {
    await ruleset.remove(UNTRACKED);
    if (way.wire === "bridged") await ruleset.remove(UNTRACKED_BRIDGE);
    return undefined;
  }
  const done = await ruleset.load(untracked(way, aboutOf(hash, way)));
  return done.ok
    ? undefined
    : `dom0's way to the broker cannot be taken out of the table of connections: ${done.error}`;
}

/** While it stands; without the number, which is another at each look. */
export const roomWords = (room: Room | null): string[] =>
  room === null || room.inForce === null
    ? []
    : [
        "The kernel's table of connections is nearly full, so dom0's way to the broker goes past it: a guest has begun very many (docs/firewall.md).",
      ];
