/** Alerts on their way out: as ingest raises them, by the worker's loop, to receivers that do everything wrong. */
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Severity } from "@sallyport/shared/record/severity.ts";
import type pg from "pg";
import pino from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { migrate } from "../../../prisma/migrate.ts";
import { reachable } from "../src/destination/address.ts";
import { type DeliverDeps, Deliveries } from "../src/destination/deliver.ts";
import { type Given, Target } from "../src/destination/destination.ts";
import { sealWith } from "../src/destination/seal.ts";
import type { DestinationRow } from "../src/destination/store.ts";
import { storeAlerts } from "../src/ingest/project.ts";
import { readCounts } from "../src/overview/store.ts";
import type { Role } from "../src/person/role.ts";
import { readConsoleKey } from "../src/trail/key.ts";
import { consoleRecorder } from "../src/trail/recorder.ts";
import { inTransaction } from "../src/transaction.ts";
import type { Context } from "../src/trpc/context.ts";
import { appRouter } from "../src/trpc/router.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { type Certified, receiveSyslog, receiveWebhooks } from "./receivers.ts";
import { seedGroup, seedPartition, seedWorkstation } from "./seed.ts";
import { ensureKeys } from "./up.ts";

const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), "sallyport-destination-")));
const [stateFolder = "", strangers = ""] = folders;
const seal = sealWith("the session secret of this test");
const SOON = { timeout: 60_000, interval: 20 };
const LINK = "https://console.example.org";
let postgres: TestPostgres;
let pool: pg.Pool;
let workstation: string;
let recordConsole: ReturnType<typeof consoleRecorder>;
const ends: (() => Promise<void>)[] = [];

const key = (name: string, folder = stateFolder) => readFileSync(join(folder, "keys", name));
const certified = (folder = stateFolder): Certified => ({
  key: key("listener.key", folder),
  cert: key("listener.crt", folder),
});
const ca = () => key("ca.crt").toString().trim();

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await seedPartition(pool);
  for (const folder of folders) await ensureKeys(folder);
  recordConsole = consoleRecorder(readConsoleKey(join(stateFolder, "keys", "console.key")));
  workstation = await seedWorkstation(pool, {
    name: "fin-02",
    group: await seedGroup(pool, "finance", new Uint8Array(32)),
  });
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => pool.query("TRUNCATE delivery, destination, alert"));
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** The worker's loop, looking and trying again at a test's pace. */
function work(more: Partial<DeliverDeps> = {}): { stop: () => Promise<void> } {
  const stopping = new AbortController();
  const deliveries = new Deliveries({
    ...{ pool, log: pino({ level: "silent" }), seal, recordConsole, consoleUrl: LINK, host: "console.example.org" },
    may: reachable("127.0.0.0/8, ::1"),
    ...{ firstMs: 40, lookMs: 20, attemptMs: 5_000 },
    ...more,
  });
  const running = deliveries.run(stopping.signal);
  const stop = async () => {
    stopping.abort();
    await running;
  };
  ends.push(stop);
  return { stop };
}

async function webhooks(...asked: Parameters<typeof receiveWebhooks> extends [unknown, ...infer Rest] ? Rest : never) {
  const receiver = await receiveWebhooks(certified(), ...asked);
  ends.push(receiver.stop);
  return receiver;
}

async function syslog(...asked: Parameters<typeof receiveSyslog>) {
  const receiver = await receiveSyslog(...asked);
  ends.push(receiver.stop);
  return receiver;
}

function as(role: Role) {
  const actor = { id: role, email: `${role}@example.org`, name: role, role, session: "s", twoFactor: true };
  const wiring = { pool, recordConsole, seal } as unknown as Context["wiring"];
  return appRouter.createCaller({ wiring, actor, still: async () => actor, origin: {}, host: "x" }).destination;
}

const add = (given: Given, more: { name?: string; severity?: Severity; kinds?: string[] } = {}) =>
  as("admin").add({ name: `to ${randomUUID()}`, severity: "notice", kinds: [], given, ...more });
const post = (url: string): Given => ({ kind: "webhook", url, ca: ca() });

const raise = (from: number, to: number, more: { kind?: string; severity?: Severity } = {}) =>
  inTransaction(pool, (tx) =>
    storeAlerts(
      tx,
      Array.from({ length: to - from }, (_, at) => ({
        ...{ key: `scan/${String(from + at).padStart(6, "0")}`, kind: "usb.scan", severity: "error" as const },
        ...{ title: `alert ${from + at}`, reason: "infected", workstation, trail: 1, index: from + at },
        ...more,
      })) as Parameters<typeof storeAlerts>[1],
    ),
  );
const only = async (): Promise<DestinationRow> => (await as("admin").list())[0]!;
const until = (what: () => void | Promise<void>) => vi.waitFor(what, SOON);
const titles = (posted: readonly { body: string }[]) => posted.map(({ body }) => JSON.parse(body).data.alert.title);
const named = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `alert ${from + at}`);

describe("a webhook", () => {
  test("gets an alert as it is raised, signed, with its page's address, and is asked for it no more", async () => {
    const receiver = await webhooks();
    const { secret } = await add(post(receiver.url));
    work();
    await raise(0, 1);
    await until(() => expect(receiver.posted).toHaveLength(1));
    const [{ headers, body, path }] = receiver.posted as [(typeof receiver.posted)[0]];
    expect(path).toBe("/in?k=1");
    const signedText = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const mac = createHmac("sha256", Buffer.from(secret!.slice(6), "base64"))
      .update(signedText)
      .digest("base64");
    expect(headers["webhook-signature"]).toBe(`v1,${mac}`);
    expect(Math.abs(Date.now() / 1_000 - Number(headers["webhook-timestamp"]))).toBeLessThan(60);
    const { rows } = await pool.query("SELECT id FROM alert");
    expect(JSON.parse(body)).toMatchObject({
      type: "alert.raised",
      text: `[error] fin-02: alert 0: infected\n${LINK}/alerts?open=${rows[0].id}`,
      data: { alert: { id: rows[0].id, workstation: { id: workstation, name: "fin-02" } } },
    });
    await until(async () => expect(await only()).toMatchObject({ waiting: 0, failures: 0, lastError: null }));
    expect((await only()).lastSuccessAt).not.toBeNull();
  });

  test("that is down gets everything once it is back, in order, and the error is shown meanwhile", async () => {
    const gone = await webhooks();
    await gone.stop();
    await add(post(gone.url));
    work();
    await raise(0, 5);
    await until(async () =>
      expect(await only()).toMatchObject({ waiting: 5, lastError: expect.stringMatching(/ECONNREFUSED/) }),
    );
    const back = await webhooks(undefined, gone.port);
    await raise(5, 8);
    await until(() => expect(titles(back.posted)).toEqual(named(0, 8)));
    await until(async () => expect(await only()).toMatchObject({ waiting: 0, failingSince: null, failures: 0 }));
  });

  test("that fails gets the same message under the same id until it takes it, and those behind it after that", async () => {
    const receiver = await webhooks((_, at) => ({ status: [500, 503, 502][at] ?? 200 }));
    await add(post(receiver.url));
    work();
    await raise(0, 2);
    await until(() => expect(titles(receiver.posted)).toEqual(["alert 0", "alert 0", "alert 0", "alert 0", "alert 1"]));
    const ids = receiver.posted.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids.slice(0, 4)).size).toBe(1);
    expect(new Set(ids).size).toBe(2);
    expect(new Set(receiver.posted.slice(0, 4).map(({ body }) => body)).size).toBe(1);
  });

  test("that says how long it wants to be left alone is left alone for so long", async () => {
    const receiver = await webhooks(() => ({ status: 429, headers: { "retry-after": "1800" } }));
    await add(post(receiver.url));
    work();
    await raise(0, 1);
    await until(async () => expect(await only()).toMatchObject({ failures: 1, lastError: "It answered 429." }));
    expect(Date.parse((await only()).nextAt) - Date.now()).toBeGreaterThan(1_700_000);
    await raise(1, 2); // wakes the loop
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(receiver.posted).toHaveLength(1);
  });

  test("that redirects elsewhere is a failure, and elsewhere hears nothing", async () => {
    const elsewhere = await webhooks();
    const receiver = await webhooks(() => ({ status: 307, headers: { location: elsewhere.url } }));
    await add(post(receiver.url));
    work();
    await raise(0, 1);
    await until(async () => expect((await only()).lastError).toMatch(/^It answered 307, a redirect/));
    expect(elsewhere.posted).toEqual([]);
  });

  test("with a certificate that is another's, or of another name, is told nothing", async () => {
    const stranger = await receiveWebhooks(certified(strangers));
    ends.push(stranger.stop);
    await add(post(stranger.url), { name: "stranger" });
    const named = await webhooks();
    await add(post(`https://other.example:${named.port}/`), { name: "other" });
    work({ resolve: async () => ["127.0.0.1"] });
    await raise(0, 1);
    await until(async () => {
      const rows = await as("admin").list();
      expect(rows.map(({ lastError }) => lastError)).toEqual([
        expect.stringMatching(/does not match certificate's altnames/),
        expect.stringMatching(/self.signed certificate|unable to verify/),
      ]);
    });
    expect([...stranger.posted, ...named.posted]).toEqual([]);
  });

  test("that says it took a message has taken it, also where what it says then has no end", async () => {
    const receiver = await webhooks(() => ({ status: 200, endless: true }));
    await add(post(receiver.url));
    work({ attemptMs: 2_000 });
    await raise(0, 2);
    await until(async () => expect(await only()).toMatchObject({ waiting: 0, lastError: null }));
    expect(titles(receiver.posted)).toEqual(named(0, 2));
  });

  test("one of whose addresses is dead is reached at another, and no address is tried that may not be", async () => {
    const receiver = await webhooks();
    const siem = await syslog({ tls: certified() });
    const barred = await receiveWebhooks(certified(), undefined, receiver.port, "127.0.0.3");
    ends.push(barred.stop);
    await add(post(receiver.url));
    await add({ kind: "syslog", host: "localhost", port: siem.port, transport: "tls", ca: ca() });
    const resolve = async () => ["127.0.0.3", "127.0.0.2", "127.0.0.1"];
    work({ resolve, may: reachable("127.0.0.1 127.0.0.2") });
    await raise(0, 2);
    await until(async () => expect((await as("admin").list()).map(({ waiting }) => waiting)).toEqual([0, 0]));
    expect((await as("admin").list()).map(({ lastError }) => lastError)).toEqual([null, null]);
    expect([titles(receiver.posted), siem.lines.length, barred.posted]).toEqual([named(0, 2), 2, []]);
  });

  test("at an address of this machine or its network is refused unless the site lists it, and nothing connects", async () => {
    const receiver = await webhooks();
    await add(post(receiver.url));
    work({ may: reachable(undefined) });
    await raise(0, 1);
    await until(async () =>
      expect((await only()).lastError).toMatch(
        /which is not a public address. Where it is meant, list it in SALLYPORT_ALERT_NETWORKS/,
      ),
    );
    expect(receiver.posted).toEqual([]);
  });

  test("that would not have one message gets those behind it, and that one again later", async () => {
    const receiver = await webhooks(({ body }) => ({ status: body.includes("alert 0:") ? 400 : 200 }));
    await add(post(receiver.url));
    work();
    await raise(0, 3);
    await until(() => expect(titles(receiver.posted)).toEqual(["alert 0", "alert 0", "alert 0", "alert 1", "alert 2"]));
    await until(async () => expect(await only()).toMatchObject({ waiting: 1, failingSince: null }));
    await pool.query("UPDATE delivery SET not_before = now()");
    await until(() => expect(titles(receiver.posted).slice(5, 6)).toEqual(["alert 0"]));
  });
});

describe("one destination", () => {
  test("that never answers holds up neither another nor what raises alerts", async () => {
    const slow = await webhooks(() => ({ delayMs: 600_000 }));
    const quick = await webhooks();
    await add(post(slow.url), { name: "a slow" });
    await add(post(quick.url), { name: "b quick" });
    work({ attemptMs: 2_000 });
    const started = Date.now();
    await raise(0, 50);
    expect(Date.now() - started).toBeLessThan(2_000);
    await until(() => expect(titles(quick.posted)).toEqual(named(0, 50)));
    await until(async () => {
      const [a, b] = await as("admin").list();
      expect([a?.waiting, b?.waiting]).toEqual([50, 0]);
      expect(a?.lastError).toBe("It did not answer within 2 s.");
    });
  });

  test("gets no alert that is milder or of another kind than it wants", async () => {
    const all = await webhooks();
    const some = await webhooks();
    await add(post(all.url));
    await add(post(some.url), { severity: "error", kinds: ["usb.scan", "ids.alert"] });
    work();
    await raise(0, 1, { severity: "warning" });
    await raise(1, 2, { kind: "agent.gap" });
    await raise(2, 3, { kind: "ids.alert", severity: "critical" });
    await until(() => expect(titles(all.posted)).toEqual(named(0, 3)));
    await until(() => expect(titles(some.posted)).toEqual(["alert 2"]));
  });

  test("is told again of an alert that was closed and happened again, and not of one that only counts up", async () => {
    const receiver = await webhooks();
    await add(post(receiver.url));
    work();
    await raise(0, 1);
    await until(() => expect(receiver.posted).toHaveLength(1));
    await raise(0, 1);
    await pool.query("UPDATE alert SET state = 'acknowledged'");
    await raise(0, 1);
    await pool.query("UPDATE alert SET state = 'closed'");
    await pool.query("UPDATE alert SET state = 'open'"); // by a person
    await pool.query("UPDATE alert SET state = 'closed'");
    await raise(0, 1);
    await raise(1, 2);
    await until(() => expect(titles(receiver.posted)).toEqual(["alert 0", "alert 0", "alert 1"]));
    expect(JSON.parse(receiver.posted[1]!.body).data.alert.count).toBe(4);
    expect(receiver.posted[0]!.headers["webhook-id"]).not.toBe(receiver.posted[1]!.headers["webhook-id"]);
  });
});

describe("the worker", () => {
  test("stopped between an attempt and its answer sends again under the same id, so that a receiver can drop the second", async () => {
    const receiver = await webhooks((_, at) => ({ delayMs: at === 0 ? 600_000 : 0 }));
    await add(post(receiver.url));
    const first = work({ attemptMs: 60_000 });
    await raise(0, 2);
    await until(() => expect(receiver.posted).toHaveLength(1)); // taken, and not answered
    await first.stop();
    work();
    await until(() => expect(titles(receiver.posted)).toEqual(["alert 0", "alert 0", "alert 1"]));
    const [one, again] = receiver.posted;
    expect(again?.headers["webhook-id"]).toBe(one?.headers["webhook-id"]);
    const once = new Map(receiver.posted.map((posted) => [posted.headers["webhook-id"], posted]));
    expect(titles([...once.values()])).toEqual(named(0, 2));
  });

  test("that died keeps its claim for a minute, and then another goes on", async () => {
    const receiver = await webhooks();
    await add(post(receiver.url));
    await pool.query(
      "UPDATE destination SET claimed_by = gen_random_uuid(), claimed_until = now() + interval '1 minute'",
    );
    work();
    await raise(0, 1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(receiver.posted).toEqual([]);
    await pool.query("UPDATE destination SET claimed_until = now() - interval '1 second'");
    await until(() => expect(receiver.posted).toHaveLength(1));
  });

  test("sends a burst of 1,000 once and in order to each destination, with another worker beside it", async () => {
    const receiver = await webhooks();
    const siem = await syslog({ tls: certified() });
    await add(post(receiver.url));
    await add({ kind: "syslog", host: "localhost", port: siem.port, transport: "tls", ca: ca() });
    work();
    work();
    for (let from = 0; from < 1_000; from += 250) await raise(from, from + 250);
    const all = () => expect(receiver.posted.length + siem.lines.length).toBeGreaterThanOrEqual(2_000);
    await vi.waitFor(all, { ...SOON, timeout: 100_000 });
    expect(titles(receiver.posted)).toEqual(named(0, 1_000));
    expect(siem.lines.map((line) => /\ufeff(alert \d+):/.exec(line)?.[1])).toEqual(named(0, 1_000));
    expect(new Set(receiver.posted.map(({ headers }) => headers["webhook-id"])).size).toBe(1_000);
    await until(async () => expect((await as("admin").list()).map(({ waiting }) => waiting)).toEqual([0, 0]));
  });

  test("that fails at what is around the sending looks again at its own pace", async () => {
    await add(post("https://hooks.example.org/"));
    await raise(0, 1);
    await pool.query("UPDATE delivery SET queued_at = now() - interval '73 hours'");
    let told = 0;
    const recordConsole = async () => {
      told++;
      throw new Error("no trail");
    };
    work({ recordConsole, lookMs: 600_000 });
    await until(() => expect(told).toBe(1));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(told).toBe(1);
  });

  test("that never comes to the end of what waits gives up what is old all the same", async () => {
    const { promise: after, resolve: answer } = Promise.withResolvers<void>();
    const receiver = await webhooks((_, at) => (at === 0 ? { after } : {}));
    await add(post(receiver.url));
    await raise(0, 250);
    work();
    await until(() => expect(receiver.posted).toHaveLength(1));
    await pool.query("UPDATE delivery SET queued_at = now() - interval '73 hours'");
    answer();
    await until(async () => expect((await only()).waiting).toBe(0));
    const sent = receiver.posted.length;
    expect(sent).toBeLessThan(250);
    expect((await only()).leftOut).toBe(250 - sent);
  });

  test("gives up what waited for three days, or behind ten thousand, and that is counted and on the trail", async () => {
    const receiver = await webhooks();
    const { id } = await add(post(receiver.url));
    await raise(0, 3);
    await pool.query(
      "UPDATE delivery SET queued_at = now() - interval '73 hours' WHERE id < (SELECT max(id) FROM delivery)",
    );
    work();
    await until(() => expect(titles(receiver.posted)).toEqual(["alert 2"]));
    expect(await only()).toMatchObject({ leftOut: 2, leftOutAt: expect.any(String) });
    const told = await pool.query(
      "SELECT kind, text FROM record WHERE kind = 'console.alerts-left-out' ORDER BY index DESC LIMIT 1",
    );
    expect(told.rows).toEqual([
      {
        kind: "console.alerts-left-out",
        text: expect.stringMatching(/^2 alerts were not sent to the destination to .*72 hours/),
      },
    ]);
    await pool.query("UPDATE destination SET next_at = now() + interval '1 hour' WHERE id = $1", [id]);
    await pool.query(
      "INSERT INTO delivery (destination_id, alert_id) SELECT $1, max(id) FROM alert, generate_series(1, 10003) GROUP BY generate_series",
      [id],
    );
    await pool.query("UPDATE destination SET next_at = now() WHERE id = $1", [id]);
    await until(async () => expect((await only()).leftOut).toBe(5));
  });

  test("tells when alerts have not arrived for ten minutes, to the others as well, and closes that once they do", async () => {
    const gone = await webhooks();
    await gone.stop();
    const other = await webhooks();
    await add(post(gone.url), { name: "pager" });
    await add(post(other.url), { name: "chat", kinds: ["console.delivery"] });
    work();
    await raise(0, 1);
    await until(async () => expect((await as("admin").list())[1]?.failures).toBeGreaterThan(0));
    expect((await readCounts(pool)).undelivered).toBe(0);
    await pool.query("UPDATE destination SET failing_since = now() - interval '11 minutes' WHERE name = 'pager'");
    expect((await readCounts(pool)).undelivered).toBe(1);
    await until(() => expect(titles(other.posted)).toEqual(["Alerts do not reach the destination pager"]));
    const back = await webhooks(undefined, gone.port);
    await until(() => expect(back.posted).toHaveLength(2));
    await until(async () => {
      const { rows } = await pool.query("SELECT state, note FROM alert WHERE kind = 'console.delivery'");
      expect(rows).toEqual([{ state: "closed", note: "It arrives again." }]);
    });
    expect((await readCounts(pool)).undelivered).toBe(0);
  });

  test("tells that also of one that asked to be left alone for longer", async () => {
    const receiver = await webhooks(() => ({ status: 429, headers: { "retry-after": "3600" } }));
    await add(post(receiver.url), { name: "pager" });
    work();
    await raise(0, 1);
    await until(async () => expect((await only()).failures).toBe(1));
    const told = async () => (await pool.query("SELECT state FROM alert WHERE kind = 'console.delivery'")).rows;
    expect(await told()).toEqual([]);
    await pool.query("UPDATE destination SET failing_since = now() - interval '11 minutes'");
    await until(async () => expect(await told()).toEqual([{ state: "open" }]));
    expect(receiver.posted).toHaveLength(1);
  });

  test("with another session secret than the console's says so and sends nothing", async () => {
    const receiver = await webhooks();
    await add(post(receiver.url));
    work({ seal: sealWith("another") });
    await raise(0, 1);
    await until(async () =>
      expect((await only()).lastError).toMatch(/cannot be opened with this console's session secret/),
    );
    expect(receiver.posted).toEqual([]);
  });
});

describe("syslog", () => {
  test.each(["tls", "tcp"] as const)(
    "over %s arrives in frames, and counts once the receiver has read to the end",
    async (transport) => {
      const siem = await syslog(transport === "tls" ? { tls: certified() } : {});
      await add({
        kind: "syslog",
        host: "127.0.0.1",
        port: siem.port,
        transport,
        ...(transport === "tls" && { ca: ca() }),
      });
      work();
      await raise(0, 3);
      await until(() => expect(siem.lines).toHaveLength(3));
      expect(siem.lines[0]).toMatch(
        /^<83>1 \S+Z console\.example\.org sallyport - usb\.scan \[sallyport@32473 message="[0-9a-f-]{36}" alert="\d+" kind="usb\.scan" rule="usb\.scan" severity="error" count="1" workstation="fin-02" workstationId="[0-9a-f-]{36}" record="1\.0" link="https:\/\/console\.example\.org\/alerts\?open=\d+"\] \ufeffalert 0: infected$/,
      );
      await until(async () => expect(await only()).toMatchObject({ waiting: 0, lastError: null }));
    },
  );

  test("that is cut after it was read is sent again, each message under its id", async () => {
    const siem = await syslog({ cut: (connection) => connection < 2 });
    await add({ kind: "syslog", host: "127.0.0.1", port: siem.port, transport: "tcp" });
    work();
    await raise(0, 2);
    await until(async () => expect((await only()).waiting).toBe(0));
    expect(siem.connections()).toBe(3);
    const ids = siem.lines.map((line) => /message="([^"]+)"/.exec(line)?.[1]);
    expect(ids.slice(-2)).toEqual(ids.slice(0, 2));
    expect(new Set(ids).size).toBe(2);
  });

  test("to a receiver with another's certificate says nothing", async () => {
    const siem = await syslog({ tls: certified(strangers) });
    await add({ kind: "syslog", host: "127.0.0.1", port: siem.port, transport: "tls", ca: ca() });
    work();
    await raise(0, 1);
    await until(async () => expect((await only()).lastError).toMatch(/self.signed certificate|unable to verify/));
    expect(siem.lines).toEqual([]);
  });
});

describe("an admin", () => {
  const records = async () => {
    const { rows } = await pool.query<{ kind: string; text: string; content: Buffer }>(
      "SELECT kind, text, content FROM record WHERE kind LIKE 'person.destination-%' ORDER BY index",
    );
    return rows;
  };

  test("sees neither address nor secret again, each act is on the trail without them, and nobody below may any of it", async () => {
    const receiver = await webhooks();
    const before = (await records()).length;
    const url = `https://localhost:${receiver.port}/services/very-secret`;
    const { id, secret } = await add(post(url), { name: "chat" });
    await as("owner").change({ id, name: "the chat", severity: "error", kinds: ["usb.scan"] });
    const { secret: next } = await as("admin").retarget({ id, given: post(`${url}-too`) });
    expect(next).not.toBe(secret);
    await as("admin").enable({ id, enabled: false });
    await as("admin").enable({ id, enabled: true });
    await as("admin").test({ id });
    const listed = JSON.stringify(await as("admin").list());
    expect(listed).toContain(`https://localhost:${receiver.port}/…`);
    await as("admin").remove({ id });
    const told = (await records()).slice(before);
    expect(told.map(({ kind }) => kind.slice(19))).toEqual([
      ...["added", "changed", "moved", "switched", "switched", "tested", "removed"],
    ]);
    for (const text of [listed, ...told.map(({ content }) => content.toString())])
      expect(text).not.toMatch(/very-secret|whsec_|BEGIN CERTIFICATE/);
    const { rows } = await pool.query("SELECT octet_length(sealed) AS bytes, removed_at FROM destination");
    expect(rows).toEqual([{ bytes: 0, removed_at: expect.any(Date) }]);
    expect(await as("admin").list()).toEqual([]);
    for (const role of ["viewer", "responder", "auditor"] as const)
      for (const act of [
        () => as(role).list(),
        () => as(role).test({ id }),
        () => as(role).remove({ id }),
        () => as(role).add({ name: "x", severity: "error", kinds: [], given: post(url) }),
      ])
        await expect(act()).rejects.toThrow(`As ${role} you may not decide where alerts are sent.`);
  });

  test("switches one off and what waits is dropped; moves one and what waits goes to the new place at once", async () => {
    const gone = await webhooks();
    await gone.stop();
    const { id } = await add(post(gone.url));
    work({ firstMs: 600_000 });
    await raise(0, 2);
    await until(async () => expect(await only()).toMatchObject({ failures: 1, waiting: 2 }));
    const receiver = await webhooks();
    await as("admin").retarget({ id, given: post(receiver.url) });
    await until(() => expect(titles(receiver.posted)).toEqual(named(0, 2)));
    await as("admin").retarget({ id, given: post(gone.url) });
    await raise(2, 4);
    await until(async () => expect((await only()).failures).toBe(1));
    await as("admin").enable({ id, enabled: false });
    expect((await records()).at(-1)?.text).toMatch(/ off; 2 alerts that waited were dropped$/);
    await raise(4, 5);
    expect(await only()).toMatchObject({ waiting: 0, enabled: false });
  });

  test("moves one whose old place has not answered yet, and that gets nothing more, whatever it answers then", async () => {
    const answers: (() => void)[] = [];
    const held = () => ({ after: new Promise<void>((resolve) => answers.push(resolve)) });
    const old = await webhooks(held);
    const { id } = await add(post(old.url));
    work();
    await raise(0, 3);
    await until(() => expect(old.posted).toHaveLength(1));
    const next = await webhooks((_, at) => (at === 0 ? held() : {}));
    await as("admin").retarget({ id, given: post(next.url) });
    await until(() => expect(next.posted).toHaveLength(1));
    for (const answer of answers) answer();
    await until(async () => expect((await only()).waiting).toBe(0));
    expect(titles(next.posted)).toEqual(named(0, 3));
    expect(old.posted).toHaveLength(1);
  });

  test("moves one, and what its old place would not have goes to the new one at once as well", async () => {
    const old = await webhooks(() => ({ status: 400 }));
    const { id } = await add(post(old.url));
    work();
    await raise(0, 1);
    await until(() => expect(old.posted).toHaveLength(3));
    await until(async () => expect((await only()).failures).toBe(3));
    const next = await webhooks();
    await as("admin").retarget({ id, given: post(next.url) });
    await until(() => expect(titles(next.posted)).toEqual(named(0, 1)));
  });

  test("moves one that is being tested, and reads nothing of how the old place answers", async () => {
    const { promise: after, resolve: answer } = Promise.withResolvers<void>();
    const old = await webhooks(() => ({ status: 403, after }));
    const { id } = await add(post(old.url));
    const { stop } = work();
    await as("admin").test({ id });
    await until(() => expect(old.posted).toHaveLength(1));
    await as("admin").retarget({ id, given: post("https://hooks.example.org/") });
    answer();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await stop();
    expect((await only()).test).toEqual({ asked: false, at: null, error: null });
  });

  test("switches one on again, and an alert that was being raised as it was switched off is not among what goes", async () => {
    const receiver = await webhooks();
    const { id } = await add(post(receiver.url));
    await inTransaction(pool, async (tx) => {
      const alert = { key: "scan/0", kind: "usb.scan", severity: "error", title: "alert 0", reason: "" } as const;
      await storeAlerts(tx, [{ ...alert, workstation, trail: 1, index: 0 }]);
      await as("admin").enable({ id, enabled: false });
    });
    await as("admin").enable({ id, enabled: true });
    await raise(1, 2);
    await as("admin").enable({ id, enabled: true }); // is on already
    work();
    await until(() => expect(titles(receiver.posted)).toEqual(["alert 1"]));
    await until(async () => expect((await only()).waiting).toBe(0));
  });

  test("has a test sent past what waits, to one that is off as well, and reads how it went", async () => {
    const receiver = await webhooks((_, at) => ({ status: at === 0 ? 200 : 403 }));
    const { id } = await add(post(receiver.url));
    await as("admin").enable({ id, enabled: false });
    work();
    await as("admin").test({ id });
    await until(async () => expect((await only()).test).toEqual({ asked: false, at: expect.any(String), error: null }));
    expect(JSON.parse(receiver.posted[0]!.body)).toMatchObject({ type: "test", text: expect.stringMatching(/A test/) });
    await as("admin").test({ id });
    await until(async () => expect((await only()).test.error).toBe("It answered 403."));
  });

  test("is told of a name that stands already and of an address that is none; twenty are the most", async () => {
    await add(post("https://hooks.example.org/"), { name: "one" });
    await expect(add(post("https://hooks.example.org/"), { name: "one" })).rejects.toThrow(
      "There is one by that name already",
    );
    await expect(add(post("http://hooks.example.org/"))).rejects.toThrow(/an https:\/\/ address/);
    for (let at = 1; at < 19; at++) await add(post("https://hooks.example.org/"));
    const together = await Promise.allSettled([0, 1, 2, 3].map(() => add(post("https://hooks.example.org/"))));
    expect(together.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(add(post("https://hooks.example.org/"))).rejects.toThrow("There are 20 destinations, the most.");
  });

  test("keeps what is sealed readable for the console alone", async () => {
    const { id } = await add(post("https://hooks.example.org/x"));
    const { rows } = await pool.query<{ sealed: Buffer }>("SELECT sealed FROM destination");
    expect(rows[0]!.sealed.toString("latin1")).not.toContain("hooks.example.org");
    expect(Target.parse(seal.open(id, rows[0]!.sealed))).toMatchObject({ url: "https://hooks.example.org/x" });
  });
});
