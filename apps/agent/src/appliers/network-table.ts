/** A listing of one table → what can be compared, and in words what differs. Pure. */
import { canonicalText, type Json } from "@sallyport/shared/base/canonical.ts";
import { hooksOf } from "@sallyport/shared/policy/network/compile.ts";
import { COUNTING_SET } from "@sallyport/shared/policy/network/drops.ts";
import { type MarkRange, readMarks } from "@sallyport/shared/policy/network/marks.ts";
import { ABOUT_CHAIN } from "@sallyport/shared/policy/network/nft.ts";

/** By place (`chain out, rule 3`), what stands there, without what the kernel counts or numbers. */
export type TableContent = Record<string, string>;
export type Counter = { packets: number; bytes: number };
/** Devices that a packet came from and went to; empty where it is dom0's own. */
export type Pair = { in: string; out: string };
export type ReadTable = {
  about: string | undefined;
  /** Those it puts on connections. */
  marks: MarkRange | undefined;
  content: TableContent;
  counters: Record<string, Counter>;
  /** By counter and pair of devices: what was dropped, and what of it was logged. */
  dropped: Record<string, (Pair & Counter)[]>;
  logged: Record<string, (Pair & Counter)[]>;
  /** By counter, its prefix in a drop's record. */
  labels: Record<string, string>;
};

type Entry = { [key: string]: Json };
const isEntry = (value: Json | undefined): value is Entry =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function readTable(listing: Json): ReadTable {
  const read: ReadTable = {
    about: undefined,
    marks: undefined,
    content: {},
    counters: {},
    dropped: {},
    logged: {},
    labels: {},
  };
  const places = new Map<string, number>();
  const list = isEntry(listing) && Array.isArray(listing.nftables) ? listing.nftables : [];
  for (const item of list) {
    const [kind, entry] = isEntry(item) ? (Object.entries(item)[0] ?? []) : [];
    if (!kind || !isEntry(entry) || kind === "metainfo" || kind === "table") continue;
    if (kind === "rule") {
      const chain = String(entry.chain);
      if (chain === ABOUT_CHAIN && typeof entry.comment === "string") {
        const marks = readMarks(entry.comment);
        if (marks) read.marks = marks;
        else read.about = entry.comment;
      }
      const place = (places.get(chain) ?? 0) + 1;
      places.set(chain, place);
      read.content[`chain ${chain}, rule ${place}`] = canonicalText(plain(entry));
      const label = prefixOf(entry);
      if (label !== undefined) read.labels[chain.replace(/^drop-/, "")] = label;
      continue;
    }
    const name = String(entry.name);
    const [, what, counter] = (kind === "set" && COUNTING_SET.exec(name)) || [];
    if (counter !== undefined) {
      read[what === "by" ? "dropped" : "logged"][counter] = pairsOf(entry);
      read.content[`${kind} ${name}`] = canonicalText(plain({ ...entry, elem: [] }));
      continue;
    }
    if (kind === "counter") read.counters[name] = { packets: Number(entry.packets), bytes: Number(entry.bytes) };
    read.content[`${kind} ${name}`] = canonicalText(plain(entry));
  }
  return read;
}

function prefixOf({ expr }: Entry): string | undefined {
  const log = (Array.isArray(expr) ? expr : []).flatMap((each) =>
    isEntry(each) && isEntry(each.log) ? [each.log] : [],
  )[0];
  return typeof log?.prefix === "string" ? log.prefix.replace(/^audit /, "") : undefined;
}

/** `{ elem: { val: { concat: [in, out] }, counter: { packets, bytes } } }`, each. */
function pairsOf({ elem }: Entry): (Pair & Counter)[] {
  return (Array.isArray(elem) ? elem : []).flatMap((each) => {
    const one = isEntry(each) && isEntry(each.elem) ? each.elem : undefined;
    const pair = one && isEntry(one.val) && Array.isArray(one.val.concat) ? one.val.concat : undefined;
    if (!one || !pair || !isEntry(one.counter)) return [];
    const { packets, bytes } = one.counter;
    return [{ in: String(pair[0]), out: String(pair[1]), packets: Number(packets), bytes: Number(bytes) }];
  });
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
