/** Which shards a worker reads, by a real broker. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { SHARDS, shardName } from "../src/ingest/shards.ts";
import { subscriptions } from "../src/ingest/subscriptions.ts";
import { type Link, openLink } from "../src/link/link.ts";
import { ensureKeys, startBroker } from "./up.ts";

const stateFolder = mkdtempSync(join(tmpdir(), "sallyport-subscriptions-"));
const ALL = Array.from({ length: SHARDS }, (_, shard) => shardName(shard));
let broker: Awaited<ReturnType<typeof startBroker>>;
const links: Link[] = [];

beforeAll(async () => {
  await ensureKeys(stateFolder);
  broker = await startBroker({ stateFolder, host: "127.0.0.1", port: 0 });
});
afterAll(async () => {
  for (const link of links) await link.stop();
  await broker?.stop();
  rmSync(stateFolder, { recursive: true, force: true });
});

/** A worker's link, and what came by it. */
async function opened(): Promise<{ link: Link; came: string[] }> {
  const key = (name: string) => readFileSync(join(stateFolder, "keys", name));
  const came: string[] = [];
  const link = openLink({
    url: `mqtts://localhost:${broker.port}`,
    tls: { ca: key("ca.crt"), cert: key("worker.crt"), key: key("worker.key") },
    receive: async ({ bytes }) => void came.push(Buffer.from(bytes).toString()),
    onState: () => undefined,
  });
  links.push(link);
  await vi.waitFor(() => expect(link.isConnected()).toBe(true), { timeout: 60_000 });
  return { link, came };
}
const batchOf = (shard: string): string => {
  const id = shard + randomUUID().slice(2);
  return `sallyport/1/${shard}/${id}/batch`;
};

test("a shard that is given back while all are taken up again after a reconnection is read no more, and one that comes back is", async () => {
  const { link, came } = await opened();
  const other = await opened();
  const shards = subscriptions(() => link);
  await shards.gained(ALL);
  const [given, again] = [ALL.slice(128), ALL.slice(192)];
  const taking = shards.connected();
  await new Promise(setImmediate); // its first packet is on its way
  await Promise.all([taking, shards.lost(given), shards.gained(again)]);
  expect(shards.held()).toHaveLength(192);
  for (const shard of ["00", "80", "bf", "c0", "ff", "7f"])
    await other.link.publish(batchOf(shard), `from ${shard}`, false);
  await vi.waitFor(() => expect(came.at(-1)).toBe("from 7f"), { timeout: 60_000 });
  expect(came).toEqual(["from 00", "from c0", "from ff", "from 7f"]);
});

test("while the broker is away nothing is asked of it, and what failed before stops nothing", async () => {
  const asked: string[] = [];
  let isThere = false;
  const shards = subscriptions(() => ({
    isConnected: () => isThere,
    subscribe: async (filters) => {
      asked.push(...filters);
      if (asked.length === filters.length) throw new Error("gone in the middle");
    },
    unsubscribe: async () => undefined,
  }));
  await shards.gained(["00", "01"]);
  expect(asked).toEqual([]);
  isThere = true;
  await expect(shards.connected()).rejects.toThrow("gone in the middle");
  asked.push("again:");
  await shards.connected();
  expect(asked.slice(asked.indexOf("again:") + 1)).toEqual(asked.slice(0, asked.indexOf("again:")));
});
