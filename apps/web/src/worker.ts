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
import { z } from "zod";
import { keepExpired } from "./approval/withdraw.ts";
import { keepCertificatesWatched, shownAt } from "./certificate/certificates.ts";
import { reachable } from "./destination/address.ts";
import { Deliveries } from "./destination/deliver.ts";
import { sealWith } from "./destination/seal.ts";
import { CommandDispatch } from "./dispatch/commands.ts";
import { policyDispatch } from "./dispatch/dispatch.ts";
import { overlayDispatch } from "./dispatch/overlays.ts";
import { keepEscrowDestroyed } from "./escrow/destroy.ts";
import { ClockWatch, doubtWords } from "./ingest/clock.ts";
import { apartWords, raiseClock } from "./ingest/clock-alert.ts";
import { untilEscrowFilled } from "./ingest/escrow-fill.ts";
import { Ingest } from "./ingest/ingest.ts";
import { openPartitions, sealEnded, splitFull } from "./ingest/partitions.ts";
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

const Env = z.object({
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, "a postgresql:// address"),
  MQTT_URL: z.url({ protocol: /^mqtts?$/ }),
  SALLYPORT_STATE: z.string().min(1),
  /** 0 takes any free port. */
  SALLYPORT_LISTEN_PORT: z.coerce.number().int().min(0).max(65_535).default(8443),
  /** Absent: every address of this machine. */
  SALLYPORT_BIND: z.string().min(1).optional(),
  /** Where agents reach the broker, if not as the worker does. */
  SALLYPORT_MQTT_URL: z.url({ protocol: /^mqtts$/ }).optional(),
  /** Where people reach the console: in the links of alerts that are sent. */
  SALLYPORT_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Addresses and ranges beside the public ones to which alerts may be sent. */
  SALLYPORT_ALERT_NETWORKS: z.string().optional(),
  SALLYPORT_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
});
type Env = z.infer<typeof Env>;

const PARTITIONS_LOOK_MS = 30_000;
const LISTEN_RETRY_MS = 1_000;
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

/** A database that is not there yet is waited for. */
async function untilThere<T>(act: () => Promise<T>, log: pino.Logger, signal: AbortSignal): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await act();
    } catch (error) {
      log.warn({ error: (error as Error).message }, "postgres.waiting");
      await delay(LISTEN_RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}

/** Partitions are opened and sealed by the database's clock: neither that nor this machine's may be in doubt. */
async function keepPartitions(
  pool: pg.Pool,
  ingest: Ingest,
  { clockDoubt, now }: { clockDoubt: () => string | undefined; now: () => number },
  log: pino.Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await delay(PARTITIONS_LOOK_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const doubt = clockDoubt() ?? (await apartWords(pool, now));
      if (doubt) {
        log.error({ reason: doubt }, "clock.doubted");
        await raiseClock(pool, doubt, new Date(now()));
        continue;
      }
      await openPartitions(pool);
      const split = await splitFull(pool);
      const sealed = await sealEnded(pool);
      if (split || sealed.length > 0) log.info({ split, sealed }, "partitions.changed");
      ingest.partitionsChanged();
    } catch (error) {
      log.warn({ error: (error as Error).message }, "partitions.failed");
    }
  }
}

/** LISTEN → wakes. What is missed while the connection is away is found by the timers. */
async function listenForChanges(
  databaseUrl: string,
  wakes: Readonly<Record<string, { wake(): void }>>,
  log: pino.Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const client = new pg.Client({ connectionString: databaseUrl, keepAlive: true });
    try {
      const gone = new Promise<void>((resolve) => {
        client.on("error", () => resolve());
        client.on("end", () => resolve());
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      client.on("notification", ({ channel }) => wakes[channel]?.wake());
      await client.connect();
      for (const [channel, loop] of Object.entries(wakes)) {
        await client.query(`LISTEN ${channel}`);
        loop.wake();
      }
      await gone;
    } catch (error) {
      log.warn({ error: (error as Error).message }, "listen.failed");
      await delay(LISTEN_RETRY_MS, undefined, { signal }).catch(() => undefined);
    } finally {
      await client.end().catch(() => undefined); // gone already
    }
  }
}

export function readWorkerEnv(untrusted: Record<string, string | undefined>): Env {
  const env = Env.safeParse(untrusted);
  if (env.success) return env.data;
  const faults = env.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`The worker cannot start. Set these in its environment (docs/operations.md): ${faults.join("; ")}`);
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
