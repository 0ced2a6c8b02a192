/** Workstations that have a spool full of a guest's lines, and send it as agents do. */
import { randomUUID } from "node:crypto";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { openReceipt } from "@sallyport/shared/trail/receipt.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import type mqtt from "mqtt";
import type pg from "pg";
import { verify } from "../src/trail/crypto.ts";
import { enrolled, Machine } from "../test/machine.ts";

export const MACHINES = 20;
const BATCH = 500;
/** As the policy's default for agents. */
const WINDOW = 8;
/** Agents wait 4 s and then twice as long each time; a whole fleet that comes back at once waits longer. */
const RECEIPT_WAIT_MS = 20_000;

export type Loaded = { machine: Machine; batches: Uint8Array[] };

/** Together at least so many records, in whole batches. */
export async function makeMachines(pool: pg.Pool, group: string, records: number): Promise<Loaded[]> {
  const each = Math.ceil(records / MACHINES / BATCH) * BATCH;
  const loaded: Loaded[] = [];
  for (let at = 0; at < MACHINES; at++) {
    const machine = new Machine(randomUUID() as string as WorkstationId);
    await enrolled(pool, machine, group);
    machine.open();
    while (machine.records.length < each) machine.say(line(machine.records.length));
    const batches = [];
    for (let from = 0; from < each; from += BATCH) batches.push(machine.batch(from, from + BATCH));
    loaded.push({ machine, batches });
  }
  return loaded;
}

export function line(at: number) {
  const message = `session ${at} opened for user u${at % 97} by (uid=0) from 10.0.${at % 256}.${(at * 7) % 256} port ${20_000 + (at % 40_000)}`;
  const raw = `<86>1 2026-11-24T09:00:00.000Z guest sshd ${at} - - ${message}`;
  const body = {
    via: "udp",
    from: "vif1.0",
    format: "rfc5424",
    facility: 10,
    level: 6,
    app: "sshd",
    process: `${at}`,
    message,
    raw,
  };
  return { guest: "work", text: `sshd: ${message}`, body };
}

/** Go-back-N with the agent's window for every machine at once. */
export async function ingestAll(
  link: mqtt.MqttClient,
  consoleKey: Uint8Array,
  loaded: Loaded[],
  ready: () => void,
): Promise<undefined> {
  const bySize = new Map(loaded.map((each) => [each.machine.id as string, { ...each, sent: 0, done: 0, again: -1 }]));
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const pump = (id: string) => {
    const state = bySize.get(id)!;
    for (; state.sent < state.batches.length && state.sent * BATCH < state.done + WINDOW * BATCH; state.sent++)
      link.publish(topic(state.machine.id, "batch"), Buffer.from(state.batches[state.sent]!), { qos: 1 });
  };
  const onMessage = (_: string, bytes: Buffer) => {
    const receipt = openReceipt(verify, consoleKey, bytes.toString());
    const state = receipt.ok && bySize.get(receipt.value.workstation);
    if (!receipt.ok || !state) return;
    const { answer, size, reason } = receipt.value;
    if (answer !== "new" && answer !== "duplicate" && answer !== "ahead")
      throw new Error(`a receipt says ${answer}: ${reason}`);
    state.done = size;
    // something before it was missing (the worker had not subscribed to this shard yet): once back to there, as agents do
    if (answer === "ahead" && state.again !== size) {
      state.again = size;
      state.sent = Math.floor(size / BATCH);
    }
    pump(receipt.value.workstation);
    if ([...bySize.values()].every(({ done, batches }) => done === batches.length * BATCH)) finish();
  };
  await link.subscribeAsync(
    loaded.map(({ machine }) => topic(machine.id, "receipt")),
    { qos: 1 },
  );
  link.on("message", onMessage);
  // no receipt in a time: again from the last one, as agents do
  const before = new Map<string, number>();
  const again = setInterval(() => {
    for (const [id, state] of bySize) {
      if (state.done < state.batches.length * BATCH && before.get(id) === state.done) {
        state.sent = Math.floor(state.done / BATCH);
        pump(id);
      }
      before.set(id, state.done);
    }
  }, RECEIPT_WAIT_MS);
  ready();
  for (const id of bySize.keys()) pump(id);
  await finished;
  clearInterval(again);
  link.off("message", onMessage);
}
