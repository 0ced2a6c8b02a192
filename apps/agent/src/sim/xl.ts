/** A pretend Xen: domains in memory, with xl's promises. */

import type { Card } from "../dom0/cards.ts";
import { DoorError } from "../dom0/dom0.ts";
import type { Domain, Xl } from "../dom0/xl.ts";

export type SimXl = Xl & {
  /** Starts a guest; its number is one that no other had, and so is a device's name that is not chosen. */
  start(name: string, vifs?: readonly { vifname?: string; mac: string }[]): number;
  /** As xenstore has them (dom0/cards.ts). */
  cards(): Promise<Card[]>;
  /** What was asked for, in order. */
  asked: string[];
};

export function simXl(): SimXl {
  const domains = new Map<number, Domain>([[0, { name: "Domain-0", id: 0, isPaused: false }]]);
  const vifsOf = new Map<number, readonly { vifname?: string; mac: string }[]>();
  const asked: string[] = [];
  let next = 1;
  const guest = (act: string, id: number): Domain => {
    const found = id < 1 ? undefined : domains.get(id);
    if (!found) throw new DoorError(`xl ${act} ${id}: ${id} is an invalid domain identifier`);
    asked.push(`${act} ${id}`);
    return found;
  };
  return {
    asked,
    cards: async () =>
      [...vifsOf].flatMap(([id, vifs]) =>
        vifs.map(({ vifname, mac }, place) => ({ device: vifname ?? `vif${id}.${place}`, mac })),
      ),
    start(name, vifs = []) {
      domains.set(next, { name, id: next, isPaused: false });
      vifsOf.set(next, vifs);
      return next++;
    },
    domains: async () => [...domains.values()].map((domain) => ({ ...domain })),
    async pause(id) {
      guest("pause", id).isPaused = true;
    },
    async unpause(id) {
      guest("unpause", id).isPaused = false;
    },
    async destroy(id) {
      guest("destroy", id);
      domains.delete(id);
      vifsOf.delete(id);
    },
  };
}
