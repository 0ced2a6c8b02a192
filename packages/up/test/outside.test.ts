/** The main path against Debian's own servers, by DATABASE_URL and MQTT_URL, with two workers side by side: prepared and
 *  installed as docs/operations.md says, the console as it is built, and a person who signs in at it. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { topic } from "@sallyport/shared/wire/topics.ts";
import mqtt, { type MqttClient } from "mqtt";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../src/ports.ts";
import { prepare } from "../src/prepare.ts";
import { type Stack, startStack } from "../src/start.ts";
import type { Child } from "../src/supervise.ts";
import { absentPackages, installMosquitto, startDebianPostgres, startMosquitto } from "./debian.ts";
import { Person } from "./person.ts";

const ABSENT = absentPackages();
const GET = `Debian packages are absent: sudo apt-get install ${ABSENT.join(" ")}`;
if (ABSENT.length > 0 && process.env.CI === "true") throw new Error(GET);
if (ABSENT.length > 0) console.warn(GET);

/** Of each of the two tests: together within the burst that the default policy lets one guest have, or the quicker the
 *  machine, the more of them would be suppressed. */
const LINES = 900;
const WAIT_MS = 90_000;
/** The console is built unless another suite did it before, on a machine that others keep busy. */
const BUILD_MS_MAX = 900_000;
const OTHER = WorkstationId.parse("ff6e24d2-9c86-4c93-a1a5-1cf2f2b1c002");

describe.runIf(ABSENT.length === 0)("with Debian's PostgreSQL 15 and Mosquitto, and two workers", () => {
  let folder: string;
  let postgres: Awaited<ReturnType<typeof startDebianPostgres>>;
  let broker: Child;
  let etc: string;
  let brokerPort: number;
  let stack: Stack;
  let pool: pg.Pool;
  const clients: MqttClient[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-outside-"));
    postgres = await startDebianPostgres(folder);
    const made = { names: [], consoleUrl: "http://localhost:3000" };
    await prepare({ stateFolder: folder, databaseUrl: postgres.url, ...made });
    etc = mkdtempSync(join(tmpdir(), "sallyport-outside-etc-"));
    brokerPort = await freePort();
    await installMosquitto(folder, etc, brokerPort);
    broker = await startMosquitto(etc, folder, brokerPort);
    pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
    pool.on("error", () => undefined);
    stack = await startStack({
      ...{ stateFolder: folder, databaseUrl: postgres.url, mqttUrl: `mqtts://localhost:${brokerPort}` },
      ...{ workers: 2, ports: { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 } },
    });
  }, BUILD_MS_MAX);
  afterAll(async () => {
    for (const client of clients) client.end(true);
    await stack?.stop();
    await broker?.stop();
    await pool?.end();
    await postgres?.child.stop();
    for (const each of [folder, etc]) rmSync(each, { recursive: true, force: true });
  });

  async function until<T>(look: () => Promise<T | undefined | false>, what: string): Promise<T> {
    for (const end = Date.now() + WAIT_MS; ; await delay(100)) {
      const found = await look();
      if (found) return found;
      if (Date.now() > end) throw new Error(`not within ${WAIT_MS / 1000} s: ${what}`);
    }
  }

  async function writeLines(mark: string, from: number, to: number): Promise<void> {
    const socket = connect(stack.ports.syslog, "127.0.0.1");
    await once(socket, "connect");
    for (let at = from; at < to; at++) socket.write(`<13>1 2026-11-24T10:00:00Z work test - - - ${mark} ${at}\n`);
    socket.end();
    await once(socket, "close");
  }

  const linesOf = async (mark: string): Promise<number[]> => {
    const { rows } = await pool.query<{ text: string }>(
      `SELECT text FROM record WHERE kind = 'guest.log' AND text LIKE $1 ORDER BY trail, "index"`,
      [`%${mark} %`],
    );
    return rows.map(({ text }) => Number(text.split(`${mark} `)[1]));
  };

  it("stores every line once, in order, while one worker is killed", async () => {
    await writeLines("first", 0, LINES / 2);
    stack.children.get("worker")!.kill("SIGKILL");
    await writeLines("first", LINES / 2, LINES);
    await until(async () => (await linesOf("first")).length >= LINES, `${LINES} lines`);
    expect(await linesOf("first")).toEqual(Array.from({ length: LINES }, (_, at) => at));
  });

  it("stores every line once, in order, while the broker is killed", async () => {
    await writeLines("second", 0, LINES / 2);
    broker.kill("SIGKILL");
    await writeLines("second", LINES / 2, LINES);
    await until(async () => (await linesOf("second")).length >= LINES, `${LINES} lines`);
    expect(await linesOf("second")).toEqual(Array.from({ length: LINES }, (_, at) => at));
  });

  it("runs Mosquitto as its own user, where the test may choose", () => {
    const owner = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${broker.pid}/status`, "utf8"))?.[1];
    const own = /^mosquitto:[^:]*:(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"))?.[1];
    expect(owner).toBe(process.getuid?.() === 0 ? own : String(process.getuid?.()));
  });

  it("lets the first owner in, shows what a search finds, and puts in force what they publish", async () => {
    const person = new Person(`http://localhost:${stack.ports.web}`);
    const code = new URL(stack.setupUrl ?? "").searchParams.get("code");
    await expect(person.ask("policy.groups")).rejects.toThrow(/signed out/i);
    const asked = { name: "Ada Rivest", email: "ada@example.org", password: "correct horse battery staple" };
    await person.tell("person.join", { code, ...asked });
    await person.signIn(asked);
    expect(await person.ask("person.me")).toMatchObject({ email: asked.email, role: "owner" });

    await writeLines("searched", 0, 3);
    const found = await until(async () => {
      const input = { filter: { kind: ["guest.log"], text: ["searched"] } };
      const page = await person.ask<{ rows: { text: string }[] }>("record.list", input);
      return page.rows.length === 3 && page.rows;
    }, "three records by a search");
    expect(found.map(({ text }) => text.slice(-1))).toEqual(["2", "1", "0"]);

    const { workstation } = stack.agent!;
    const inForce = async (digest: string) => {
      const { rows } = await pool.query("SELECT document FROM reported WHERE workstation_id = $1", [workstation]);
      return JSON.stringify(rows[0]?.document ?? "").includes(digest);
    };
    type Groups = { id: string; inForce: { order: number; digest: string } }[];
    const [group] = await person.ask<Groups>("policy.groups");
    await until(() => inForce(group!.inForce.digest), "a report of the first policy");
    const published = await person.tell<{ digest: string }>("policy.publish", {
      ...{ group: group!.id, basedOn: group!.inForce.order, message: "a first change" },
      source: "version: 1\nlog: { lineBytesMax: 4096 }\n",
    });
    expect(published.digest).not.toBe(group!.inForce.digest);
    await until(() => inForce(published.digest), "a report of the policy that was published");
  });

  const certificate = (file: string) => {
    const pem = readFileSync(file, "utf8");
    return { key: pem, cert: pem.slice(pem.indexOf("-----BEGIN CERTIFICATE")) };
  };
  const open = (tls: { key: string | Buffer; cert: string | Buffer }): Promise<MqttClient> => {
    const options = {
      ca: readFileSync(stack.keys.ca),
      reconnectPeriod: 0,
      protocolVersion: 4,
      connectTimeout: 20_000,
    } as const;
    const client = mqtt.connect(`mqtts://localhost:${brokerPort}`, { ...options, ...tls });
    clients.push(client);
    return new Promise((resolve, reject) => {
      client.once("connect", () => resolve(client));
      client.once("close", () => reject(new Error("refused")));
      client.on("error", reject);
    });
  };
  const agentTls = () => certificate(join(stack.agent!.state, "enrolment", "tls.pem"));

  it("lets a workstation write and read only its own topics", async () => {
    const { key, cert } = stack.keys.worker;
    const watch = await open({ key: readFileSync(key), cert: readFileSync(cert) });
    const seen: string[] = [];
    watch.on("message", (to) => seen.push(to));
    await watch.subscribeAsync("sallyport/1/+/+/presence", { qos: 1 });
    const one = await open(agentTls());
    const own = topic(stack.agent!.workstation, "presence");
    await one.publishAsync(topic(OTHER, "presence"), "forged", { qos: 1 });
    await one.publishAsync(own, "not a presence", { qos: 1 });
    await until(async () => seen.includes(own), "its own presence");
    expect(seen).not.toContain(topic(OTHER, "presence"));
    // Mosquitto 2.0 grants any subscription and then delivers nothing that may not be read
    const got: string[] = [];
    one.on("message", (to) => got.push(to));
    await one.subscribeAsync(["sallyport/#", topic(OTHER, "desired")], { qos: 1 });
    await watch.publishAsync(topic(OTHER, "desired"), "another's", { qos: 1 });
    await watch.publishAsync(topic(stack.agent!.workstation, "command"), "own", { qos: 1 });
    await until(async () => got.includes(topic(stack.agent!.workstation, "command")), "its own command");
    expect(got).not.toContain(topic(OTHER, "desired"));
  });

  it("refuses a revoked certificate once Mosquitto has the console's list", async () => {
    await (await open(agentTls())).endAsync();
    await pool.query("UPDATE certificate SET revoked_at = now() WHERE workstation_id = $1", [stack.agent!.workstation]);
    // the worker that was killed may still be on its way back
    const crl = await until(() => fetchCrl().catch(() => undefined), "the list from the listener");
    await broker.stop();
    writeFileSync(join(etc, "certs", "crl.pem"), crl);
    broker = await startMosquitto(etc, folder, brokerPort);
    await expect(open(agentTls())).rejects.toThrow();
    const { key, cert } = stack.keys.worker;
    expect((await open({ key: readFileSync(key), cert: readFileSync(cert) })).connected).toBe(true);
  });

  function fetchCrl(): Promise<string> {
    return new Promise((resolve, reject) => {
      const url = `https://localhost:${stack.ports.listen}/crl`;
      request(url, { ca: readFileSync(stack.keys.ca) }, (response) => {
        let text = "";
        response.on("data", (bytes: Buffer) => {
          text += bytes;
        });
        response.on("end", () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))));
      })
        .on("error", reject)
        .end();
    });
  }
});
