/** The console's second process: MQTT → Postgres (ingest), Postgres → MQTT (dispatch), and the listener agents enrol at.
 *  This file is its only wiring. Several run side by side. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { REFUSED, readTopic } from "@sallyport/shared/wire/topics.ts";
import pg from "pg";
import pino from "pino";
import { keepExpired } from "./approval/withdraw.ts";
import { keepCertificatesWatched, shownAt } from "./certificate/certificates.ts";
import { reachable } from "./destination/address.ts";
import { Deliveries } from "./destination/deliver.ts";
import { sealWith } from "./destination/seal.ts";
import { CommandDispatch } from "./dispatch/commands.ts";
import { policyDispatch } from "./dispatch/dispatch.ts";
import { listenForChanges, untilThere } from "./dispatch/listen.ts";
import { overlayDispatch } from "./dispatch/overlays.ts";
import { keepEscrowDestroyed } from "./escrow/destroy.ts";
import { ClockWatch, doubtWords } from "./ingest/clock.ts";
import { untilEscrowFilled } from "./ingest/escrow-fill.ts";
import { Ingest } from "./ingest/ingest.ts";
import { keepPartitions } from "./ingest/keep-partitions.ts";
import { openPartitions } from "./ingest/partitions.ts";
import { sendReceipts, standing } from "./ingest/receipts.ts";
import { readRefusal } from "./ingest/refusal.ts";
import { holdShards } from "./ingest/shards.ts";
import { States } from "./ingest/state.ts";
import { subscriptions } from "./ingest/subscriptions.ts";
import { type Message, openLink } from "./link/link.ts";
import { openAuthority } from "./listener/authority.ts";
import { startListener } from "./listener/listener.ts";
import { keepRevokedFile } from "./listener/revoked.ts";
import { keepPruned } from "./person/prune.ts";
import { Gather } from "./replay/gather.ts";
import { Rollouts } from "./rollout/rollouts.ts";
import { readSigner } from "./trail/crypto.ts";
import { consoleRecorder } from "./trail/recorder.ts";
import { type Env, readWorkerEnv } from "./worker-env.ts";

const STOP_MS_MAX = 10_000;
const CONNECTIONS_MAX = 8;

export type Worker = { listenPort: number; stop(): Promise<void> };

export async function startWorker(env: Env): Promise<Worker> {
  const log = pino({ name: "worker", level: env.SALLYPORT_LOG_LEVEL });
  const now = Date.now;
  const stopping = new AbortController();
  const ingestStopping = new AbortController();
  const { signal } = stopping;
  const key = (name: string) => readFileSync(join(env.SALLYPORT_STATE, "keys", name));
  const signer = readSigner(key("console.key"));
  const authority = await openAuthority(key("ca.crt").toString(), key("ca.key").toString());
  const pool = new pg.Pool({
    connectionString: env.DATABASE_URL,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: 10_000,
  });
  const lost = (error: Error) => log.warn({ error: error.message }, "postgres.lost");
  pool.on("error", lost); // a connection that rests
  pool.on("connect", (client) => client.on("error", lost)); // one in use: its query fails as well, and is repeated

  const shards = subscriptions(() => link);
  const receive = async ({ topic, bytes, retained }: Message): Promise<void> => {
    const read = readTopic(topic);
    if (!read.ok) return ingest.refuse({ code: "topic", workstation: undefined, topic, reason: read.error, bytes });
    const { workstation, channel } = read.value;
    switch (channel) {
      case "batch":
        return ingest.receive(workstation, topic, bytes);
      case "presence":
        return states.presence(workstation, topic, bytes);
      case "reported":
        return states.reported(workstation, topic, bytes, retained);
      case REFUSED:
        return ingest.refuse(readRefusal(workstation, topic, bytes));
      default:
        return; // our own way down
    }
  };
  const tls = { ca: key("ca.crt"), cert: key("worker.crt"), key: key("worker.key") };
  const link = openLink({
    url: env.MQTT_URL,
    tls: env.MQTT_URL.startsWith("mqtts") ? tls : undefined,
    receive,
    onState: (state, reason) => {
      log.info({ reason }, `broker.${state}`);
      if (state === "connected")
        shards.connected().catch((error: Error) => log.warn({ error: error.message }, "subscribe.failed"));
    },
  });
  const watch = new ClockWatch(now(), performance.now());
  const clockDoubt = (): string | undefined => {
    const doubt = watch.look(now(), performance.now());
    return doubt && doubtWords(doubt);
  };
  const ingest = new Ingest({ pool, signer, publish: link.publish, log, now, clockDoubt });
  const dispatch = policyDispatch({ pool, log, publish: link.publish, shards: shards.held });
  const overlays = overlayDispatch({ pool, log, publish: link.publish, shards: shards.held });
  const commands = new CommandDispatch({ pool, log, publish: link.publish, shards: shards.held });
  const rollouts = new Rollouts({ pool, log, recordConsole: consoleRecorder(signer) });
  const gather = new Gather({ pool, log });
  const deliveries = new Deliveries({
    ...{ pool, log, recordConsole: consoleRecorder(signer), consoleUrl: env.SALLYPORT_URL },
    seal: sealWith(key("session.secret").toString().trim()),
    may: reachable(env.SALLYPORT_ALERT_NETWORKS),
    host: env.SALLYPORT_URL === undefined ? hostname() : new URL(env.SALLYPORT_URL).hostname,
  });
  const back = async (workstations: WorkstationId[]): Promise<void> => {
    const { epoch, stands, asOf } = await standing(pool, workstations);
    void sendReceipts(link.publish, signer, epoch, stands, asOf);
    overlays.back(workstations);
    dispatch.back(workstations);
  };
  const states = new States({ pool, log, now, back, refuse: (refused) => ingest.refuse(refused) });

  const partitions = await untilThere(() => openPartitions(pool), log, signal);
  log.info({ partitions: partitions?.length }, "postgres.ready");
  const holding = holdShards(
    {
      databaseUrl: env.DATABASE_URL,
      log,
      gained: async (some) => {
        await shards.gained(some);
        dispatch.wake();
        overlays.wake();
      },
      lost: async (some) => {
        await shards.lost(some);
        for (const end = now() + STOP_MS_MAX; !ingest.isIdle() && now() < end; ) await delay(5);
      },
    },
    signal,
  );
  const loops = [
    ingest.run(ingestStopping.signal),
    states.run(signal),
    dispatch.run(signal),
    overlays.run(signal),
    commands.run(signal),
    rollouts.run(signal),
    gather.run(signal),
    deliveries.run(signal),
    keepRevokedFile(pool, env.SALLYPORT_STATE, log, signal),
    keepPartitions(pool, ingest, { clockDoubt, now }, log, signal),
    keepPruned(pool, log, signal),
    untilEscrowFilled(pool, log, signal),
    keepEscrowDestroyed(pool, consoleRecorder(signer), log, signal),
    keepExpired(pool, consoleRecorder(signer), log, signal),
    keepCertificatesWatched(
      {
        ...{ pool, log, now: () => new Date() },
        read: (name) => key(`${name}.crt`),
        shown: () => shownAt(env.MQTT_URL, tls),
      },
      signal,
    ),
    listenForChanges(
      env.DATABASE_URL,
      {
        ...{ publication: dispatch, overlay: overlays, rollout: rollouts, command: commands, record: gather },
        ...{ alert: deliveries, destination: deliveries },
      },
      log,
      signal,
    ),
  ];
  const listener = await startListener(
    { pool, signer, authority, mqttUrl: env.SALLYPORT_MQTT_URL ?? env.MQTT_URL, now: () => new Date(), log },
    // the chain shows the CA: that is how an enrolling agent finds the one its token pins
    { key: key("listener.key"), cert: Buffer.concat([key("listener.crt"), key("ca.crt")]) },
    env.SALLYPORT_BIND,
    env.SALLYPORT_LISTEN_PORT,
  );
  log.info({ listenPort: listener.port }, "worker.ready");

  const stop = async (): Promise<void> => {
    log.info("worker.stopping");
    stopping.abort();
    await listener.stop();
    await holding; // unsubscribes, lets what waits go in, gives the shards back
    ingestStopping.abort();
    await Promise.all(loops);
    await link.stop();
    await pool.end();
    log.info("worker.stopped");
  };
  return { listenPort: listener.port, stop };
}

if (import.meta.main) {
  try {
    const worker = await startWorker(readWorkerEnv(process.env));
    for (const name of ["SIGINT", "SIGTERM"] as const)
      process.once(name, () => void worker.stop().then(() => process.exit(0)));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const port = process.env.SALLYPORT_LISTEN_PORT ?? "8443";
    process.stderr.write(
      code === "EADDRINUSE" ? `Port ${port} is taken. Set SALLYPORT_LISTEN_PORT to a free one.\n` : `${message}\n`,
    );
    process.exit(1);
  }
}
