/** Which MAC binds each guest's device: the configuration's, else the one that Xen gave it. What was learnt stays while the
 *  guest is away, so that its rules stand before its first packet. */
import type { Vif } from "@sallyport/shared/policy/network/firewall.ts";
import type { Cards } from "../dom0/cards.ts";

export class KnownCards {
  readonly #cards: Cards;
  readonly #learnt = new Map<string, string>();
  #failed: string | undefined;

  constructor(cards: Cards) {
    this.#cards = cards;
  }

  async look(vifs: readonly Vif[]): Promise<void> {
    if (vifs.every(({ mac }) => mac !== undefined)) return;
    try {
      const found = (await this.#cards()) ?? [];
      this.#failed = undefined;
      for (const { device, mac } of found) if (vifs.some(({ name }) => name === device)) this.#learnt.set(device, mac);
    } catch (error) {
      this.#failed = (error as Error).message.slice(0, 200);
    }
  }

  /** By device, of those that the configuration names no MAC of. */
  get learnt(): Record<string, string> {
    return Object.fromEntries([...this.#learnt].sort());
  }

  get failed(): string | undefined {
    return this.#failed;
  }
}

export const withCards = (vifs: readonly Vif[], learnt: Readonly<Record<string, string>>): Vif[] =>
  vifs.map((vif) => {
    const mac = vif.mac ?? learnt[vif.name];
    return { ...vif, ...(mac !== undefined && { mac }) };
  });

/** In words for people; nothing where each is bound. */
export function unbound(vifs: readonly Vif[], learnt: Readonly<Record<string, string>>, failed?: string): string[] {
  const names = withCards(vifs, learnt).flatMap(({ name, mac }) => (mac === undefined ? [name] : []));
  if (names.length === 0) return [];
  const why = failed ? `xenstore does not answer (${failed})` : "neither the configuration nor Xen names its MAC";
  return [
    `NOT BOUND to a card, so that its guest may use any MAC: ${names.join(", ")}; ${why}. Set firewall.vifs[].mac.`,
  ];
}
