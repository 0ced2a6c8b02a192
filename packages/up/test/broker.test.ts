import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Refusal } from "@sallyport/shared/wire/refusal.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startBroker } from "../src/broker.ts";
import { ensureKeys, type KeyFiles } from "../src/keys.ts";

const ONE = WorkstationId.parse("0a6e24d2-9c86-4c93-a1a5-1cf2f2b1c001");
const TWO = WorkstationId.parse("ff6e24d2-9c86-4c93-a1a5-1cf2f2b1c002");

describe("the embedded broker", () => {
  let folder: string;
  let keys: KeyFiles;
  let broker: Awaited<ReturnType<typeof startBroker>>;
  const clients: MqttClient[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-broker-"));
    keys = await ensureKeys(folder);
    for (const id of [ONE, TWO]) certify(id);
    broker = await startBroker({ stateFolder: folder, host: "127.0.0.1", port: 0 });
  });
  afterAll(async () => {
    for (const client of clients) client.end(true);
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A client certificate by the console's CA, made with another tool than ours. */
  function certify(name: string): void {
    const at = (ending: string) => join(folder, `${name}.${ending}`);
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at("key"));
    openssl("req", "-new", "-key", at("key"), "-subj", `/CN=${name}`, "-out", at("csr"));
    openssl(
      "x509",
      "-req",
      "-in",
      at("csr"),
      "-CA",
      keys.ca,
      "-CAkey",
      keys.caKey,
      "-CAcreateserial",
      "-days",
      "2",
      "-out",
      at("crt"),
    );
  }

  const files = (name: string) =>
    name === "worker" ? keys.worker : { key: join(folder, `${name}.key`), cert: join(folder, `${name}.crt`) };

  function connect(name: string, id = "1"): Promise<MqttClient> {
    const { key, cert } = files(name);
    return open({ key: readFileSync(key), cert: readFileSync(cert), clientId: id });
  }

  /** Connected, or refused: a refusal shows as an error or as a connection that ends before it is accepted. */
  function open(options: IClientOptions): Promise<MqttClient> {
    const fixed = {
      ca: readFileSync(keys.ca),
      protocolVersion: 4,
      reconnectPeriod: 0,
      connectTimeout: 30_000,
    } as const;
    const client = mqtt.connect(`mqtts://localhost:${broker.port}`, { ...fixed, ...options });
    clients.push(client);
    return new Promise((resolve, reject) => {
      client.once("connect", () => resolve(client));
      client.once("close", () => reject(new Error("refused")));
      client.on("error", reject);
    });
  }

  const closed = (client: MqttClient) => new Promise<void>((resolve) => client.once("close", () => resolve()));
  const next = (client: MqttClient) =>
    new Promise<[string, string]>((resolve) => client.once("message", (to, bytes) => resolve([to, bytes.toString()])));

  it("carries a workstation's batch to the worker and the worker's receipt back", async () => {
    const [worker, one] = [await connect("worker"), await connect(ONE)];
    await worker.subscribeAsync("sallyport/1/+/+/batch", { qos: 1 });
    await one.subscribeAsync(topic(ONE, "receipt"), { qos: 1 });
    const [up, down] = [next(worker), next(one)];
    await one.publishAsync(topic(ONE, "batch"), "records", { qos: 1 });
    await worker.publishAsync(topic(ONE, "receipt"), "committed", { qos: 1 });
    expect(await up).toEqual([topic(ONE, "batch"), "records"]);
    expect(await down).toEqual([topic(ONE, "receipt"), "committed"]);
  });

  it("cuts off a workstation that publishes under another's name", async () => {
    const worker = await connect("worker", "watch");
    const seen: string[] = [];
    worker.on("message", (to) => seen.push(to));
    await worker.subscribeAsync("sallyport/1/+/+/batch", { qos: 1 });
    const one = await connect(ONE, "forger");
    const gone = closed(one);
    one.publish(topic(TWO, "batch"), "forged", { qos: 1 });
    await gone;
    const two = await connect(TWO, "honest");
    const got = next(worker);
    await two.publishAsync(topic(TWO, "batch"), "true", { qos: 1 });
    expect((await got)[1]).toBe("true");
    expect(seen).toHaveLength(1);
  });

  it("tells a worker who tried to publish under whose name, if it comes later too", async () => {
    for (let attempt = 1; attempt <= 3; attempt++) {
      const two = await connect(TWO, `forger-${attempt}`);
      const gone = closed(two);
      two.publish(topic(ONE, "batch"), `forged ${attempt}`, { qos: 1 });
      await gone;
    }
    const worker = await connect("worker", "reads refusals");
    const told = next(worker);
    await worker.subscribeAsync("sallyport/1/ff/+/refused", { qos: 1 });
    const [to, text] = await told;
    expect(to).toBe(topic(TWO, "refused"));
    const refusal = Refusal.parse(JSON.parse(text));
    expect(refusal).toMatchObject({ topic: topic(ONE, "batch"), count: 3, size: 8 });
    expect(Buffer.from(refusal.bytes, "base64").toString()).toBe("forged 3");
  });

  it("lets no workstation say what was refused, not of itself and not of another", async () => {
    const worker = await connect("worker", "hears none");
    const seen: string[] = [];
    worker.on("message", (to, bytes) => seen.push(`${to} ${bytes}`));
    await worker.subscribeAsync(["sallyport/1/0a/+/refused", "sallyport/1/ff/+/refused"], { qos: 1 });
    for (const [at, of] of [ONE, TWO].entries()) {
      const one = await connect(ONE, `liar-${at}`);
      const gone = closed(one);
      one.publish(topic(of, "refused"), "a lie", { qos: 1 });
      await gone;
    }
    // the broker says itself who told them
    const last = `"topic":"${topic(TWO, "refused")}"`;
    await vi.waitFor(() => expect(seen.join("\n")).toContain(last), { timeout: 60_000 });
    expect(seen.filter((each) => each.includes("a lie"))).toEqual([]);
    expect(seen.every((each) => each.startsWith(topic(ONE, "refused")))).toBe(true);
  });

  it("refuses a workstation what is another's, and any wildcard", async () => {
    const one = await connect(ONE, "curious");
    for (const filter of [topic(TWO, "desired"), "sallyport/#", "#", topic(ONE, "batch"), "$SYS/#"]) {
      await expect(one.subscribeAsync(filter, { qos: 1 }), filter).rejects.toThrow();
    }
  });

  it("keeps a retained message for a workstation that comes later", async () => {
    const worker = await connect("worker", "dispatch");
    await worker.publishAsync(topic(TWO, "desired"), "policy", { qos: 1, retain: true });
    const two = await connect(TWO, "late");
    const got = next(two);
    await two.subscribeAsync(topic(TWO, "desired"), { qos: 1 });
    expect((await got)[1]).toBe("policy");
  });

  it("does not let one certificate take over another's session by its client id", async () => {
    const one = await connect(ONE, "same");
    const two = await connect(TWO, "same");
    await two.subscribeAsync(topic(TWO, "receipt"), { qos: 1 });
    await one.subscribeAsync(topic(ONE, "receipt"), { qos: 1 });
    expect([one.connected, two.connected]).toEqual([true, true]);
  });

  it("cuts off a packet beyond a batch's size before it has it all", async () => {
    const one = await connect(ONE, "large");
    const gone = closed(one);
    one.publish(topic(ONE, "batch"), Buffer.alloc(1_100_000), { qos: 1 });
    await gone;
  });

  it("refuses a client without a certificate, and one of another CA", async () => {
    await expect(open({})).rejects.toThrow();
    const otherFolder = mkdtempSync(join(tmpdir(), "sallyport-other-"));
    const { worker } = await ensureKeys(otherFolder);
    await expect(open({ key: readFileSync(worker.key), cert: readFileSync(worker.cert) })).rejects.toThrow();
    rmSync(otherFolder, { recursive: true, force: true });
  });

  it("throws a revoked workstation out and refuses it from then on; the others stay", async () => {
    const [one, two] = [await connect(ONE, "revoked"), await connect(TWO, "stays")];
    const serial = execFileSync("openssl", ["x509", "-in", files(ONE).cert, "-noout", "-serial"], { encoding: "utf8" });
    const gone = closed(one);
    writeFileSync(join(folder, "revoked.json"), JSON.stringify([serial.trim().replace("serial=", "").toLowerCase()]));
    await gone;
    await expect(connect(ONE, "again")).rejects.toThrow();
    expect(two.connected).toBe(true);
  });

  it("lets only the worker in while the list of revoked certificates cannot be read", async () => {
    writeFileSync(join(folder, "revoked.json"), "{torn");
    await expect(connect(TWO, "unsure")).rejects.toThrow();
    expect((await connect("worker", "sure")).connected).toBe(true);
  });
});
