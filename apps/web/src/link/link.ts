/** The worker's connection to the broker: bytes in with backpressure, bytes out. Nothing here knows what they mean. */
import mqtt from "mqtt";

export type Message = { topic: string; bytes: Uint8Array; retained: boolean };

/** Resolves when there is room for the next message: until then none is read and none is acknowledged. */
export type Receive = (message: Message) => Promise<void>;

export type Link = {
  publish(topic: string, text: string, retain: boolean): Promise<void>;
  subscribe(filters: readonly string[]): Promise<void>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  isConnected(): boolean;
  stop(): Promise<void>;
};

export type LinkOptions = {
  url: string;
  /** PEM: who may be the broker, and who we are. */
  tls: { ca: Buffer; cert: Buffer; key: Buffer } | undefined;
  receive: Receive;
  /** Called at every (re)connection: subscriptions are gone then and are the caller's to make again. */
  onState(state: "connected" | "lost", reason?: string): void;
};

const RECONNECT_DELAY_MS = 500;
const CONNECT_WAIT_MS = 10_000;
const KEEPALIVE_SECONDS = 15;
/** Filters in one SUBSCRIBE: brokers bound its length. */
const FILTERS_MAX = 64;

/** Connects in the background and for ever; what is published while away fails and is the caller's to repeat. */
export function openLink({ url, tls, receive, onState }: LinkOptions): Link {
  const client = mqtt.connect(url, {
    protocolVersion: 4,
    clientId: `worker-${crypto.randomUUID().slice(0, 13)}`,
    clean: true,
    keepalive: KEEPALIVE_SECONDS,
    reconnectPeriod: RECONNECT_DELAY_MS,
    connectTimeout: CONNECT_WAIT_MS,
    resubscribe: false,
    queueQoSZero: false,
    ...(tls && { ...tls, rejectUnauthorized: true }),
  });
  client.handleMessage = (packet, done) => {
    const bytes = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    receive({ topic: packet.topic, bytes, retained: packet.retain }).then(
      () => done(),
      (error: Error) => done(error),
    );
  };
  client.on("connect", () => onState("connected"));
  client.on("close", () => onState("lost"));
  client.on("error", (error) => onState("lost", error.message));

  const inGroups = async (filters: readonly string[], act: (some: string[]) => Promise<unknown>) => {
    for (let at = 0; at < filters.length; at += FILTERS_MAX) await act(filters.slice(at, at + FILTERS_MAX));
  };
  return {
    publish: async (topic, text, retain) => {
      if (!client.connected) throw new Error("the broker is away");
      await client.publishAsync(topic, text, { qos: 1, retain });
    },
    subscribe: (filters) => inGroups(filters, (some) => client.subscribeAsync(some, { qos: 1 })),
    unsubscribe: (filters) => inGroups(filters, (some) => client.unsubscribeAsync(some)),
    isConnected: () => client.connected,
    stop: async () => void (await client.endAsync(true)),
  };
}
