/** A pretend Xen: domains in memory, with xl's promises. */
import type { Card } from "../dom0/cards.ts";
import { DoorError } from "../dom0/dom0.ts";
import type { Domain, Xl } from "../dom0/xl.ts";

export type SimXl = Xl & {
  /** Starts a guest; its number is one that no other had, and so is a device's name that is not chosen. */
  start(name: string, vifs?: readonly { vifname?: string; mac: string }[]): number;
  /** Puts a configuration file there. */
  lay(file: string, name: string): void;
  /** Starts by that file do not come to their end until it is let go; what asked for them may be gone by then. */
  hold(file: string): { release(): void };
  /** As xenstore has them (dom0/cards.ts). */
  cards(): Promise<Card[]>;
  /** What was asked for, in order. */
  asked: string[];
};

export function simXl(): SimXl {
  const domains = new Map<number, Domain>([[0, { name: "Domain-0", id: 0, isPaused: false, isOver: false }]]);
  const files = new Map<string, string>();
  const held = new Set<string>();
  const creating = new Map<string, PromiseWithResolvers<void>>();
  const vifsOf = new Map<number, readonly { vifname?: string; mac: string }[]>();
  const asked: string[] = [];
  let next = 1;
  const guest = (act: string, id: number): Domain => {
    const found = id < 1 ? undefined : domains.get(id);
    if (!found) throw new DoorError(`xl ${act} ${id}: ${id} is an invalid domain identifier`);
    asked.push(`${act} ${id}`);
    return found;
  };
  const nameIn = (file: string): string => {
    const name = files.get(file);
    if (name === undefined) throw new DoorError(`Failed to stat config file: ${file}: No such file or directory`);
    return name;
  };
  const start: SimXl["start"] = (name, vifs = []) => {
    domains.set(next, { name, id: next, isPaused: false, isOver: false });
    vifsOf.set(next, vifs);
    return next++;
  };
  return {
    asked,
    lay: (file, name) => void files.set(file, name),
    hold(file) {
      held.add(file);
      return {
        release() {
          held.delete(file);
          const underWay = creating.get(file);
          if (!underWay) return;
          creating.delete(file);
          // as xl does it: from the first moment it is there, and goes on when it is whole
          for (const domain of domains.values()) if (domain.name === nameIn(file)) domain.isPaused = false;
          underWay.resolve();
        },
      };
    },
    nameIn: async (file) => nameIn(file),
    isCreating: async (file) => creating.has(file),
    async create(file, how, signal) {
      if (creating.has(file)) asked.push(`join ${file}`);
      else {
        const name = nameIn(file);
        const stands = [...domains.values()].some((domain) => domain.name === name);
        if (stands && how === "join") return;
        asked.push(`create ${file}`);
        if (stands) throw new DoorError(`xl create ${file}: Domain with name "${name}" already exists.`);
        const id = start(name);
        if (!held.has(file)) return;
        domains.get(id)!.isPaused = true;
        creating.set(file, Promise.withResolvers());
      }
      const gone = new Promise<never>((_, reject) =>
        signal?.addEventListener("abort", () => reject(new DoorError(`xl create ${file}: no longer waited for`))),
      );
      await Promise.race([creating.get(file)!.promise, gone]);
    },
    cards: async () =>
      [...vifsOf].flatMap(([id, vifs]) =>
        vifs.map(({ vifname, mac }, place) => ({ device: vifname ?? `vif${id}.${place}`, mac })),
      ),
    start,
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
