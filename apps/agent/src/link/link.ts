/** uplink, policy, report ↔ broker. The only importer of mqtt: one connection at a time, clean sessions, TLS by our own
 *  certificate and the pinned CA alone. What is lost with a connection is sent again by those who own it. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { DOWN, type Down, topic, type Up } from "@sallyport/shared/wire/topics.ts";
import { connect as connectMqtt, type MqttClient } from "mqtt";
import type { Log } from "../dom0/log.ts";
import { RECONNECT_DELAY_MS, RECONNECT_DELAY_MS_MAX } from "../limits.ts";
import { jittered, pause } from "../pace.ts";

export type Credentials = { key: string; certificate: string; cas: string[] };
export type LinkParts = {
  url: string;
  workstation: WorkstationId;
  /** Unique per process, so that a broker can tell a late will. */
  clientId: string;
  credentials: () => Credentials;
  will: () => string;
  log: Log;
};
export type LinkEvents = {
  /** Subscribed to everything; what was in flight before is gone. */
  connected(): void;
  disconnected(reason: string): void;
  message(channel: Down, bytes: Uint8Array): void;
};
export type Published = "sent" | "not-connected";

const CONNECT_TIMEOUT_MS = 15_000;
/** A broker that takes longer to acknowledge has lost the packet or itself: a new connection begins from what is safe. */
const ACKNOWLEDGED_MS_MAX = 20_000;
const KEEPALIVE_SECONDS = 30;
/** A connection that held this long was a good one: the next delay begins small again. */
const GOOD_AFTER_MS = 30_000;

export class Link {
  readonly #parts: LinkParts;
  #client: MqttClient | undefined;
  #connected = false;
  #overlayRefused: string | undefined;
  #drop = () => {};

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  /** QoS 1. Resolves when the broker has it, or at once where there is no connection. A broker that does not say so in
   *  time loses its connection: no caller waits for ever. */
  async publish(channel: Up, bytes: string | Uint8Array, retain = false): Promise<Published> {
    const client = this.#client;
    if (!client || !this.#connected) return "not-connected";
    try {
      const message = typeof bytes === "string" ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      await inTime(client.publishAsync(topic(this.#parts.workstation, channel), message, { qos: 1, retain }));
      return "sent";
    } catch (error) {
      // the connection ended first, and disconnected() tells of it; or it lives and is of no use
      if (error instanceof Unacknowledged) {
        this.#parts.log.warn({ channel, waitedMs: ACKNOWLEDGED_MS_MAX }, "link.unacknowledged");
        if (this.#client === client) this.#drop();
      }
      return "not-connected";
    }
  }

  /** Why overlays cannot reach us; nothing where they can. */
  get overlayRefused(): string | undefined {
    return this.#overlayRefused;
  }

  async #subscribeLater(client: MqttClient): Promise<void> {
    const filter = topic(this.#parts.workstation, LATER);
    try {
      await inTime(client.subscribeAsync(filter, { qos: 1 }));
      this.#overlayRefused = undefined;
    } catch (error) {
      if (error instanceof Unacknowledged) throw error;
      this.#overlayRefused = `the broker refuses ${filter}, so nothing that is blocked everywhere reaches this workstation: its rules are older than the agent (docs/operations.md)`;
      this.#parts.log.error({ topic: filter, error: (error as Error).message }, "link.overlay-refused");
    }
  }

  /** Ends this connection; run() makes the next, with the credentials of then. */
  reconnect(): void {
    this.#drop();
  }

  /** Until the signal. @throws never for the network's or the broker's fault */
  async run(events: LinkEvents, signal: AbortSignal): Promise<void> {
    let delay = RECONNECT_DELAY_MS;
    while (!signal.aborted) {
      const began = performance.now();
      // key and certificate that do not fit throw at once; a renewal may mend them
      const reason = await this.#once(events, signal).catch((error: Error) => error.message);
      if (signal.aborted) return;
      if (performance.now() - began > GOOD_AFTER_MS) delay = RECONNECT_DELAY_MS;
      this.#parts.log.warn({ reason, delayMs: delay }, "link.lost");
      await pause(jittered(delay), signal);
      delay = Math.min(delay * 2, RECONNECT_DELAY_MS_MAX);
    }
  }

  /** One connection, to its end; returns why it ended. */
  #once(events: LinkEvents, signal: AbortSignal): Promise<string> {
    return new Promise((resolve) => {
      const { url, workstation, clientId, credentials, will, log } = this.#parts;
      const { key, certificate, cas } = credentials();
      let reason = "the connection ended";
      const client = connectMqtt(url, {
        protocolVersion: 4,
        clientId,
        clean: true,
        keepalive: KEEPALIVE_SECONDS,
        connectTimeout: CONNECT_TIMEOUT_MS,
        reconnectPeriod: 0,
        resubscribe: false,
        queueQoSZero: false,
        key,
        cert: certificate,
        ca: cas,
        rejectUnauthorized: true,
        will: { topic: topic(workstation, "presence"), payload: Buffer.from(will()), qos: 1, retain: true },
      });
      this.#client = client;
      // from here on nothing is published: its end is told by "close", which may be some turns away
      const drop = () => {
        this.#connected = false;
        client.end(true);
      };
      this.#drop = drop;
      signal.addEventListener("abort", drop, { once: true });
      if (signal.aborted) drop();
      client.on("error", (error) => {
        reason = error.message || (error as { code?: string }).code || "refused";
        drop();
      });
      client.on("message", (name, bytes) => {
        const channel = DOWN.find((each) => topic(workstation, each) === name);
        if (!channel) return log.warn({ topic: name }, "link.unknown-topic");
        try {
          events.message(channel, bytes);
        } catch (error) {
          // what came is not taken, on a full disk say; the console says it again, and the agent goes on
          log.error({ channel, error: (error as Error).message }, "link.not-taken");
        }
      });
      client.on("connect", () => {
        const filters = DOWN.filter((channel) => channel !== LATER).map((channel) => topic(workstation, channel));
        inTime(client.subscribeAsync(filters, { qos: 1 }))
          .then(() => this.#subscribeLater(client))
          .then(() => {
            this.#connected = true;
            log.info({ url }, "link.connected");
            events.connected();
          })
          .catch((error: Error) => {
            reason = `the broker refused the subscription: ${error.message}`;
            drop();
          });
      });
      client.once("close", () => {
        signal.removeEventListener("abort", drop);
        client.end(true);
        if (this.#client === client) this.#client = undefined;
        this.#connected = false;
        events.disconnected(reason);
        resolve(reason);
      });
    });
  }
}

/** Came after the others: a broker whose rules are older refuses it, and nothing else may end by that. */
const LATER = "overlay" satisfies Down;

class Unacknowledged extends Error {
  override name = "Unacknowledged";
}

/** @throws Unacknowledged */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const tooLate = () => reject(new Unacknowledged(`no acknowledgement within ${ACKNOWLEDGED_MS_MAX / 1000} s`));
    timer = setTimeout(tooLate, ACKNOWLEDGED_MS_MAX);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
