/** Which guest spoke, by the way it came: address, console or socket. Never by what it says. */
import { createHash } from "node:crypto";
import { isIP, isIPv6, SocketAddress } from "node:net";
import { GuestId } from "@sallyport/shared/base/ids.ts";
import { holds, type Range, rangeOf } from "@sallyport/shared/policy/network/address.ts";
import { devicesOf } from "@sallyport/shared/policy/network/firewall.ts";

export type GuestMap = {
  byAddress(address: string): GuestId;
  byConsole(name: string): GuestId;
  bySocket(path: string): GuestId;
  /** Those that are known by an address. */
  senders: readonly { id: GuestId; addresses: readonly string[] }[];
};

/** What dom0 knows of one guest. */
export type KnownGuest = { id: GuestId; addresses?: readonly string[]; console?: string; sockets?: readonly string[] };

/** Who is not known gets an id that is always the same for the same way, and says of itself that it is derived. What two
 *  guests are given is neither's. */
export function guestMap(known: readonly KnownGuest[]): GuestMap {
  const by = (of: (guest: KnownGuest) => readonly string[]) => {
    const found = new Map<string, GuestId | undefined>();
    for (const guest of known)
      for (const key of of(guest)) found.set(key, found.has(key) && found.get(key) !== guest.id ? undefined : guest.id);
    return found;
  };
  const addresses = by((guest) => (guest.addresses ?? []).map(asKernelWrites));
  const consoles = by((guest) => (guest.console === undefined ? [] : [guest.console]));
  const sockets = by((guest) => guest.sockets ?? []);
  return {
    byAddress: (address) => {
      const plain = plainAddress(address);
      return addresses.get(plain) ?? derived("unknown", `address ${plain}`);
    },
    byConsole: (name) => consoles.get(name) ?? derived("guest", `console ${name}`),
    bySocket: (path) => sockets.get(path) ?? derived("unknown", `socket ${path}`),
    senders: known.flatMap(({ id, addresses = [] }) => (addresses.length > 0 ? [{ id, addresses }] : [])),
  };
}

/** An IPv4 address that came over an IPv6 socket is that IPv4 address; a zone is this machine's business. */
export function plainAddress(address: string): string {
  return address
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, "")
    .replace(/%.*$/, "");
}

/** In whatever form a person wrote it. */
function asKernelWrites(address: string): string {
  const plain = plainAddress(address);
  return isIPv6(plain) ? plainAddress(new SocketAddress({ address: plain, family: "ipv6" }).address) : plain;
}

const remembered = new Map<string, GuestId>();
const REMEMBERED_MAX = 4096;

function derived(prefix: "unknown" | "guest", way: string): GuestId {
  const known = remembered.get(way);
  if (known) return known;
  const id = GuestId.parse(`${prefix}-${createHash("sha256").update(way).digest("hex").slice(0, 12)}`);
  if (remembered.size >= REMEMBERED_MAX) remembered.clear();
  remembered.set(way, id);
  return id;
}

/** Whose packets these are, as the firewall knows it: by the device they came from, or by an address that is some guest's. */
export type WhoseAddress = (address: string) => GuestId | undefined;
export type WhoseDevice = (device: string) => GuestId | undefined;
type Vif = { name: string; guest: GuestId; addresses: readonly string[] };

export function whoseAddress(known: readonly KnownGuest[], vifs: readonly Vif[]): WhoseAddress {
  const all = [...known, ...vifs.map(({ guest, addresses }) => ({ id: guest, addresses }))].flatMap(
    ({ id, addresses = [] }) => addresses.map((address) => ({ id, range: rangeOf(asKernelWrites(address)) })),
  );
  const found = new Map<string, GuestId | undefined>();
  return (address) => {
    if (found.has(address)) return found.get(address);
    const guest = isIP(address) === 0 ? undefined : narrowest(all, rangeOf(address));
    if (found.size >= REMEMBERED_MAX) found.clear();
    found.set(address, guest);
    return guest;
  };
}

/** Nobody's where that is two guests'. */
function narrowest(all: readonly { id: GuestId; range: Range }[], address: Range): GuestId | undefined {
  const sizeOf = ({ range: { from, to } }: (typeof all)[number]) => to - from;
  const holding = all.filter(({ range }) => holds([range], address));
  const ids = new Set(holding.filter((each) => !holding.some((one) => sizeOf(one) < sizeOf(each))).map(({ id }) => id));
  return ids.size === 1 ? [...ids][0] : undefined;
}

export const whoseDevice = (vifs: readonly Vif[]): WhoseDevice => {
  const guests = new Map(vifs.flatMap((vif) => devicesOf(vif).map((device) => [device, vif.guest] as const)));
  return (device) => guests.get(device);
};
