/** Shards held ↔ what the broker sends. A worker that kept one it has given back would read beside the next one, and what is
 *  refused would be judged twice. */
import { REFUSED, shardFilter, UP } from "@sallyport/shared/wire/topics.ts";
import type { Link } from "../link/link.ts";

type Broker = Pick<Link, "subscribe" | "unsubscribe" | "isConnected">;

export type Subscriptions = {
  held(): string[];
  gained(shards: readonly string[]): Promise<void>;
  lost(shards: readonly string[]): Promise<void>;
  /** The broker has forgotten all of them. */
  connected(): Promise<void>;
};

const filters = (shards: Iterable<string>): string[] =>
  [...shards].flatMap((shard) => [...UP, REFUSED].map((channel) => shardFilter(shard, channel)));

/** One change after the other, each by what is held when its turn comes: they go out in many packets, and what is taken up
 *  again after a reconnection must not come behind what is given back meanwhile. */
export function subscriptions(broker: () => Broker): Subscriptions {
  const shards = new Set<string>();
  let last: Promise<void> = Promise.resolve();
  const inTurn = (act: (link: Broker) => Promise<void>): Promise<void> => {
    const turn = last.then(async () => {
      const link = broker();
      if (link.isConnected()) await act(link);
    });
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    held: () => [...shards],
    gained(some) {
      for (const shard of some) shards.add(shard);
      return inTurn((link) => link.subscribe(filters(some.filter((shard) => shards.has(shard)))));
    },
    lost(some) {
      for (const shard of some) shards.delete(shard);
      return inTurn((link) => link.unsubscribe(filters(some.filter((shard) => !shards.has(shard)))));
    },
    connected: () => inTurn((link) => link.subscribe(filters(shards))),
  };
}
