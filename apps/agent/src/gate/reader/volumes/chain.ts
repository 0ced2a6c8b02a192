/** A file's clusters, each of which names the next (FAT, exFAT), in bounds that no crafted table makes longer. */
import { addExtent, Damaged, type Extent } from "../source.ts";

/** The cluster after this one, null at the chain's end. */
export type Next = (cluster: number) => number | null;

/** A sound table has each of its entries in one chain, a damaged one some of them in a few. */
const SHARED_MAX = 4;
const STEPS_MIN = 65_536;

/** Ends where chains share so much of a table of that many entries that reading them all takes for ever. */
export function counted(next: Next, entries: number): Next {
  let left = SHARED_MAX * entries + STEPS_MIN;
  return (cluster) => {
    left -= 1;
    if (left < 0) throw new Damaged("lies in clusters in which many others lie too");
    return next(cluster);
  };
}

/** At most `count` clusters.
 *  @param place where one lies, in bytes
 *  @throws Damaged where the chain comes back to itself, or leaves the volume */
export function chain(
  first: number,
  count: number,
  next: Next,
  place: (cluster: number) => number,
  bytes: number,
): Extent[] {
  const extents: Extent[] = [];
  // where it comes to the one that it had at the last power of two, it runs in a circle (Brent)
  let mark = first;
  let power = 1;
  let cluster: number | null = first;
  for (let at = 0; at < count && cluster !== null; at++) {
    addExtent(extents, place(cluster), bytes);
    if (at + 1 === count) break;
    cluster = next(cluster);
    if (cluster === mark) throw new Damaged("has a chain of clusters that runs in a circle");
    if (cluster !== null && at + 1 === power) {
      mark = cluster;
      power *= 2;
    }
  }
  return extents;
}
