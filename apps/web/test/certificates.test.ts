/** Certificates that are left alone, on a clock of the test's: alerts as they come and go. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { listAlerts } from "../src/alert/store.ts";
import { lookAtCertificates, shownAt } from "../src/certificate/certificates.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup, seedWorkstation } from "./seed.ts";
import { ensureKeys, startBroker } from "./up.ts";

const DAY_MS = 86_400_000;
const stateFolder = mkdtempSync(join(tmpdir(), "sallyport-certificates-"));
const START = Date.now();
let postgres: TestPostgres;
let pool: pg.Pool;
let workstation: string;
let dayNow = 0;

const key = (name: string) => readFileSync(join(stateFolder, "keys", name));
const look = (day: number, shown?: Date) => {
  dayNow = day;
  const now = () => new Date(START + dayNow * DAY_MS);
  const read = (name: string) => key(`${name}.crt`);
  return lookAtCertificates({ pool, log: pino({ level: "silent" }), now, read, shown: async () => shown });
};
const told = async () =>
  (await listAlerts(pool, { state: "open" })).rows
    .map(({ title, severity }) => `${severity} ${/of (.*) end/.exec(title)?.[1]}`)
    .sort();
const certify = (serial: string, endDay: number) =>
  pool.query("INSERT INTO certificate (serial, workstation_id, not_before, not_after) VALUES ($1, $2, now(), $3)", [
    ...[serial, workstation, new Date(START + endDay * DAY_MS)],
  ]);

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await ensureKeys(stateFolder);
  workstation = await seedWorkstation(pool, {
    name: "lab-07",
    group: await seedGroup(pool, "lab", new Uint8Array(32)),
  });
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
  rmSync(stateFolder, { recursive: true, force: true });
});

test("a workstation that did not renew is told before its end and after, and no more once it did", async () => {
  await certify("01", 90);
  await look(75);
  expect(await told()).toEqual([]);
  await look(77);
  expect(await told()).toEqual(["error lab-07"]);
  await look(91);
  expect(await told()).toEqual(["critical lab-07"]);
  await certify("02", 190);
  expect(await look(92)).toEqual({ raised: 0, closed: 1 });
  expect(await told()).toEqual([]);
  const { rows } = await listAlerts(pool, { state: "closed" });
  expect(rows.map(({ by, note }) => [by, note?.slice(0, 27)])).toEqual(
    Array(2).fill(["the console", "The certificate was renewed"]),
  );
  await pool.query("UPDATE workstation SET state = 'revoked', state_reason = 'sold' WHERE id = $1", [workstation]);
});

test("the console's own are told 60 and 14 days before their end, once, and are closed when they are made anew", async () => {
  expect(await look(336)).toEqual({ raised: 0, closed: 0 });
  expect(await look(338)).toEqual({ raised: 3, closed: 0 });
  expect(await told()).toEqual(["warning the broker", "warning the listener", "warning the worker"]);
  await pool.query("UPDATE alert SET state = 'acknowledged' WHERE state = 'open'");
  expect(await look(340)).toEqual({ raised: 0, closed: 0 });
  expect(await look(384)).toEqual({ raised: 3, closed: 3 });
  expect(await told()).toEqual(["error the broker", "error the listener", "error the worker"]);
  await ensureKeys(stateFolder, [], new Date(START + 384 * DAY_MS));
  expect(await look(384)).toEqual({ raised: 0, closed: 3 });
});

test("a broker that still shows an old certificate is told, whatever the file says", async () => {
  await look(385, new Date(START + 395 * DAY_MS));
  expect(await told()).toEqual(["error the broker"]);
  await look(385, new Date(START + 700 * DAY_MS));
  expect(await told()).toEqual([]);
});

test("what a broker shows is read from its handshake; a broker that is away, or has no TLS, shows nothing", async () => {
  const broker = await startBroker({ stateFolder, host: "127.0.0.1", port: 0 });
  const tls = { ca: key("ca.crt"), cert: key("worker.crt"), key: key("worker.key") };
  const end = await shownAt(`mqtts://127.0.0.1:${broker.port}`, tls);
  expect(end?.getTime()).toBeGreaterThan(START + 390 * DAY_MS);
  await broker.stop();
  expect(await shownAt(`mqtts://127.0.0.1:${broker.port}`, tls)).toBeUndefined();
  expect(await shownAt("mqtt://127.0.0.1:1883", {})).toBeUndefined();
});
