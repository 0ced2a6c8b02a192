/** Where a request comes from. Anybody can write `X-Forwarded-For`: it is believed only as far as it was handed on by
 *  proxies that the site names. Pure. */
import { BlockList, isIP } from "node:net";

export type Trusted = (address: string) => boolean;

/** "127.0.0.1, 10.0.0.0/8, ::1" → whether an address is one of these. @throws a sentence that names what is wrong */
export function readTrusted(setting: string | undefined): Trusted {
  const list = new BlockList();
  for (const word of (setting ?? "").split(/[\s,]+/).filter(Boolean)) {
    const [address = "", prefix, ...more] = word.split("/");
    const family = familyOf(address);
    const bits = prefix === undefined ? undefined : Number(prefix);
    const bitsMax = family === "ipv4" ? 32 : 128;
    const fits = bits === undefined || (/^\d{1,3}$/.test(prefix ?? "") && bits <= bitsMax);
    if (!family || !fits || more.length > 0)
      throw new Error(
        `SALLYPORT_TRUSTED_PROXIES: "${word}" is neither an address nor a range such as 10.0.0.0/8 (docs/operations.md).`,
      );
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, bits, family);
  }
  return (address) => {
    const family = familyOf(address);
    return family !== undefined && list.check(address, family);
  };
}

const familyOf = (address: string): "ipv4" | "ipv6" | undefined =>
  isIP(address) === 4 ? "ipv4" : isIP(address) === 6 ? "ipv6" : undefined;

/** A server that listens on both families calls 10.0.0.1 ::ffff:10.0.0.1. */
const plain = (address: string): string => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;

/** As proxies write them: with a port, or an IPv6 one in brackets. */
const bare = (entry: string): string =>
  plain(
    entry
      .trim()
      .replace(/^\[(.*)\](:\d+)?$/, "$1")
      .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1"),
  );

/** The nearest address that is not a trusted proxy's: from the socket back through what each proxy added on the right. */
export function clientAddress(peer: string, forwarded: string | undefined, trusted: Trusted): string {
  let client = plain(peer);
  for (const entry of (forwarded ?? "").split(",").reverse()) {
    if (!trusted(client)) return client;
    const before = bare(entry);
    if (isIP(before) === 0) return client;
    client = before;
  }
  return client;
}
