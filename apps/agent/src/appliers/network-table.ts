/** A listing of one table → what can be compared, and in words what differs. Pure. */
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import { ABOUT_CHAIN, hooksOf } from "@sallyport/shared/policy/network/compile.ts";

/** By place (`chain out, rule 3`), what stands there, without what the kernel counts or numbers. */
export type TableContent = Record<string, string>;
export type Counter = { packets: number; bytes: number };
export type ReadTable = { about: string | undefined; content: TableContent; counters: Record<string, Counter> };

type Entry = { [key: string]: Json };
const isEntry = (value: Json | undefined): value is Entry =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function readTable(listing: Json): ReadTable {
  const read: ReadTable = { about: undefined, content: {}, counters: {} };
  const places = new Map<string, number>();
  const list = isEntry(listing) && Array.isArray(listing.nftables) ? listing.nftables : [];
  for (const item of list) {
    const [kind, entry] = isEntry(item) ? (Object.entries(item)[0] ?? []) : [];
    if (!kind || !isEntry(entry) || kind === "metainfo" || kind === "table") continue;
    if (kind === "rule") {
      const chain = String(entry.chain);
      if (chain === ABOUT_CHAIN && typeof entry.comment === "string") read.about = entry.comment;
      const place = (places.get(chain) ?? 0) + 1;
      places.set(chain, place);
      read.content[`chain ${chain}, rule ${place}`] = canonicalText(plain(entry));
      continue;
    }
    const name = String(entry.name);
    if (kind === "counter") read.counters[name] = { packets: Number(entry.packets), bytes: Number(entry.bytes) };
    read.content[`${kind} ${name}`] = canonicalText(plain(entry));
  }
  return read;
}

/** Handles are the kernel's own, counts move, what a set with an expiry holds is what packets put there, and a table under
 *  another name is the same table. */
function plain(entry: Entry): Entry {
  const { handle: _handle, table: _table, packets: _packets, bytes: _bytes, ...rest } = entry;
  const { elem: _elem, ...emptied } = rest;
  // a list, or a word where there is one
  return JSON.stringify(rest.flags ?? "").includes('"timeout"') ? emptied : rest;
}

/** The content of a table that is hooked nowhere, as it would be hooked. */
export const hooked = (content: TableContent, family: "inet" | "bridge"): TableContent => ({
  ...content,
  ...Object.fromEntries(hooksOf(family).map((hook) => [`chain ${hook.name}`, canonicalText({ family, ...hook })])),
});

const DIFFERENCES_MAX = 8;

/** Nothing where both are the same. */
export function differences(wanted: TableContent, found: TableContent): string[] {
  const words = [
    ...Object.keys(wanted).flatMap((place) =>
      found[place] === undefined ? [`${place} is gone`] : found[place] === wanted[place] ? [] : [`${place} is another`],
    ),
    ...Object.keys(found).flatMap((place) => (wanted[place] === undefined ? [`${place} was added`] : [])),
  ];
  return words.length <= DIFFERENCES_MAX
    ? words
    : [...words.slice(0, DIFFERENCES_MAX), `and ${words.length - DIFFERENCES_MAX} more`];
}
