/** Where a destination may lie. An admin of the console must not become, through it, a client inside the site's network or
 *  of the machine that it runs on: what is not a public address is refused unless the site's setting lists it. */
import { lookup } from "node:dns/promises";
import { BlockList, isIP, type LookupFunction } from "node:net";

export const SETTING = "SALLYPORT_ALERT_NETWORKS";

export type Reachable = (address: string) => boolean;

/** IANA's registries of special-purpose addresses, multicast, and one with a public number that leads to the platform which a
 *  machine of Azure runs on. */
const SPECIAL_4 = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
  ...["192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24"],
  ...["198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"],
  "168.63.129.16/32",
];
/** All that is public is in 2000::/3, and of it these are not: Teredo and its like, documentation, 6to4. */
const SPECIAL_6 = ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"];

function list(ranges: readonly string[], bad: (range: string) => Error): BlockList {
  const made = new BlockList();
  for (const range of ranges) {
    const [address = "", prefix = "", ...more] = range.split("/");
    const version = isIP(address);
    const bitsMax = version === 4 ? 32 : 128;
    const bits = prefix === "" && !range.includes("/") ? bitsMax : Number(prefix);
    const isNumber = prefix === "" ? !range.includes("/") : /^\d{1,3}$/.test(prefix);
    if (version === 0 || more.length > 0 || !isNumber || bits > bitsMax) throw bad(range);
    made.addSubnet(address, bits, version === 4 ? "ipv4" : "ipv6");
  }
  return made;
}

const wrong = (range: string) =>
  new Error(`${SETTING}: "${range}" is neither an address nor a range such as 10.20.0.0/16 (docs/alert-delivery.md).`);
const special = list([...SPECIAL_4, ...SPECIAL_6], wrong);
const publicV6 = list(["2000::/3"], wrong);

/** ::ffff:10.0.0.1 is 10.0.0.1, whichever way it is written. */
function unmapped(address: string): string {
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (dotted) return dotted;
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  const [h, l] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [h >> 8, h & 255, l >> 8, l & 255].join(".");
}

/** "10.20.0.0/16, fd00:5::/64" → whether an address may be connected to. @throws a sentence that names what is wrong */
export function reachable(setting: string | undefined): Reachable {
  const allowed = list((setting ?? "").split(/[\s,]+/).filter(Boolean), wrong);
  return (untrusted) => {
    const address = unmapped(untrusted);
    const family = isIP(address) === 4 ? "ipv4" : isIP(address) === 6 ? "ipv6" : undefined;
    if (!family) return false;
    if (allowed.check(address, family)) return true;
    if (special.check(address, family)) return false;
    return family === "ipv4" || publicV6.check(address, family);
  };
}

export type Resolve = (host: string) => Promise<string[]>;

const byName: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** Those that may then be connected to, and nothing is resolved again. @throws a sentence where none may be */
export async function checkedAddresses(host: string, may: Reachable, resolve = byName): Promise<string[]> {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  const addresses = isIP(bare) > 0 ? [bare] : await resolve(bare);
  const found = addresses.filter(may);
  if (found.length > 0) return found;
  if (addresses.length === 0) throw new Error(`${bare} has no address.`);
  throw new Error(
    `${isIP(bare) > 0 ? bare : `${bare} is ${addresses.slice(0, 3).join(", ")}, which`} is not a public address. Where it is meant, list it in ${SETTING}.`,
  );
}

/** Of several one may be dead: each is given so long before the next is tried as well. */
const NEXT_MS = 2_000;

/** For a connection to one of these, whatever name it is for. */
export function toOneOf(addresses: readonly string[]) {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  const lookup: LookupFunction = (_host, { all }, done) =>
    all ? done(null, found) : done(null, found[0]!.address, found[0]!.family);
  return { lookup, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: NEXT_MS };
}
