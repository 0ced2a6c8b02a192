/** Addresses and prefixes as ranges of numbers, and back as nftables writes them. Pure. */

export type Range = { family: 4 | 6; from: bigint; to: bigint };

const BITS = { 4: 32n, 6: 128n } as const;

/** `192.0.2.0/24`, `2001:db8::1`. The text has passed the policy's schema; host bits are cleared. @throws where it has not */
export function rangeOf(text: string): Range {
  const [address, length] = text.split("/");
  const family = address!.includes(":") ? 6 : 4;
  const value = family === 4 ? fourOf(address!) : sixOf(address!);
  const bits = BITS[family];
  const prefix = length === undefined ? bits : BigInt(length);
  if (prefix > bits) throw new RangeError(`${text} is no prefix`);
  const rest = (1n << (bits - prefix)) - 1n;
  const from = value & ~rest;
  return { family, from, to: from | rest };
}

function fourOf(text: string): bigint {
  const parts = text.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255))
    throw new RangeError(`${text} is no IPv4 address`);
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function sixOf(text: string): bigint {
  // a zone is this machine's business; the last 32 bits may be written as IPv4
  const plain = text.replace(/%.*$/, "").replace(/(\d+\.\d+\.\d+\.\d+)$/, (four) => {
    const value = fourOf(four);
    return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
  });
  const [head, tail, ...more] = plain.split("::");
  const groupsOf = (part: string | undefined) => (part ? part.split(":") : []);
  const left = groupsOf(head);
  const right = groupsOf(tail);
  const absent = 8 - left.length - right.length;
  if (more.length > 0 || (tail === undefined ? absent !== 0 : absent < 0))
    throw new RangeError(`${text} is no IPv6 address`);
  const groups = [...left, ...Array<string>(absent).fill("0"), ...right];
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) throw new RangeError(`${text} is no IPv6 address`);
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** Sorted, with neighbours and overlaps joined: an nftables set refuses intervals that touch twice. */
export function joinRanges(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges].sort((a, b) => a.family - b.family || (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const joined: Range[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last && last.family === range.family && range.from <= last.to + 1n) {
      if (range.to > last.to) joined[joined.length - 1] = { ...last, to: range.to };
    } else joined.push(range);
  }
  return joined;
}

export const holds = (ranges: readonly Range[], { family, from }: Range): boolean =>
  ranges.some((range) => range.family === family && range.from <= from && from <= range.to);

export const familyOf = (ranges: readonly Range[], family: 4 | 6): Range[] =>
  ranges.filter((range) => range.family === family);

export function addressText(family: 4 | 6, value: bigint): string {
  const [groups, width, base, mark] = family === 4 ? [4, 8n, 10, "."] : [8, 16n, 16, ":"];
  const mask = (1n << (width as bigint)) - 1n;
  return Array.from({ length: groups as number }, (_, place) =>
    ((value >> ((width as bigint) * BigInt((groups as number) - 1 - place))) & mask).toString(base as number),
  ).join(mark as string);
}

export const rangeText = ({ family, from, to }: Range): string =>
  from === to ? addressText(family, from) : `${addressText(family, from)}-${addressText(family, to)}`;
