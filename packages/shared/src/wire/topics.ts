/** MQTT topics, version first. A workstation writes and reads only its own; the broker's ACL is by certificate name. */
import { WorkstationId } from "../base/ids.ts";
import { fail, ok, type Result } from "../base/result.ts";

export const UP = ["batch", "presence", "reported"] as const;
export const DOWN = ["receipt", "desired", "command", "overlay"] as const;
export type Up = (typeof UP)[number];
export type Down = (typeof DOWN)[number];
/** Of a workstation too, but written by the embedded broker alone and read by the worker: what it refused of that sender. */
export const REFUSED = "refused" as const;
export type Channel = Up | Down | typeof REFUSED;

/** The first two hex digits of the (random) workstation id: 256 shards on any broker, without shared subscriptions. */
export const shardOf = (workstation: WorkstationId): string => workstation.slice(0, 2);

/** `sallyport/1/SHARD/WORKSTATION/CHANNEL` */
export const topic = (workstation: WorkstationId, channel: Channel): string =>
  `sallyport/1/${shardOf(workstation)}/${workstation}/${channel}`;

/** What a worker subscribes to for one shard, or for all with `+`. */
export const shardFilter = (shard: string, channel: Up | typeof REFUSED): string => `sallyport/1/${shard}/+/${channel}`;

/** A topic as a message came by it; the broker's ACL is not believed: shard and id must fit. */
export function readTopic(untrusted: string): Result<{ workstation: WorkstationId; channel: Channel }> {
  const [product, version, shard, id, channel, ...rest] = untrusted.split("/");
  if (product !== "sallyport" || version !== "1" || rest.length > 0) return fail("not a topic of this version");
  const workstation = WorkstationId.safeParse(id);
  if (!workstation.success) return fail("the topic names no workstation");
  if (shard !== shardOf(workstation.data)) return fail("the topic's shard is not the workstation's");
  const known = [...UP, ...DOWN, REFUSED].find((each) => each === channel);
  return known ? ok({ workstation: workstation.data, channel: known }) : fail("the topic's last word is not known");
}
