/** Records ingested → inputs → a replay says what flips: through the API, by roles and tokens, and as `sallyport policy
 *  replay` puts it. */
import "reflect-metadata";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import type { ReplayResult } from "@sallyport/shared/replay/result.ts";
import type pg from "pg";
import pino from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newSigner } from "../../../packages/shared/test/keys.ts";
import { migrate } from "../../../prisma/migrate.ts";
import { Slots } from "../src/export/slots.ts";
import { Ingest } from "../src/ingest/ingest.ts";
import { openPartitions } from "../src/ingest/partitions.ts";
import { makeToken } from "../src/person/api-token.ts";
import type { Role } from "../src/person/role.ts";
import { publish } from "../src/policy/publish.ts";
import { catchUp, Gather } from "../src/replay/gather.ts";
import { DAYS_MAX, pruneInputs } from "../src/replay/gathered.ts";
import { respondReplay } from "../src/replay/respond.ts";
import { runSallyport } from "./command-line.ts";
import { enrolled, Machine } from "./machine.ts";
import { openPool, startPostgres, type TestPostgres } from "./postgres.ts";
import { seedGroup } from "./seed.ts";

const RUNS_MS_MAX = 600_000;
const folder = mkdtempSync(join(tmpdir(), "sallyport-replay-"));
const consoleKey = newSigner();
const never = new AbortController().signal;

let postgres: TestPostgres;
let pool: pg.Pool;
let server: Server;
let url: string;
let group: string;
let token: string;
const machine = new Machine();
const replaySlots = new Slots(2);

const DEVICE = {
  port: "1-2",
  bus: 1,
  address: 7,
  id: "0951:1666",
  serial: "A1\u0000",
  name: "stick",
  maker: "m",
  interfaces: ["08:06:50"],
  interfaceCount: 1,
  speed: "480",
  connectType: "hotplug",
  descriptors: "a".repeat(64),
  hash: "h",
  parentHash: "p",
};
const SHA = "c".repeat(64);
const file = { path: "a.txt", size: 1, md5: null, sha256: SHA, type: "text/plain", finding: "clean" };
const drop = {
  source: "10.1.0.2",
  destination: "192.0.2.1",
  destinationPort: 443,
  protocol: "tcp",
  in: "vif1.0",
  out: "up0",
  rule: "otherwise out",
  event: {},
};
const alert = { eventTime: "", signature: "noise", signatureId: 2100498, source: "10.1.0.2", event: {} };
const hour = (ago: number) => new Date(Date.now() - ago * 3_600_000).toISOString();

/** Twelve decisions of now, and one of three days ago. */
function say(machine: Machine): void {
  machine.open();
  machine.say({ kind: "net.drop", guest: "work", body: drop, time: hour(72) });
  for (let at = 0; at < 3; at++) machine.say({ kind: "net.drop", guest: "work", body: { ...drop, sourcePort: at } });
  machine.say({ kind: "usb.device", body: { stick: "s", device: DEVICE } });
  machine.say({ kind: "usb.step", body: { stick: "s", step: "classified", reason: "one storage interface" } });
  machine.say({
    kind: "usb.scan",
    body: {
      manifest: [file],
      scanner: { engine: "clamav", definitions: "1", date: hour(1) },
      verdict: "allow",
      reason: "1 file, clean",
    },
  });
  for (let at = 0; at < 2; at++) machine.say({ kind: "ids.alert", severity: "notice", guest: "work", body: alert });
  for (let at = 0; at < 5; at++) machine.say({ guest: "work" });
  machine.say({ kind: "agent.health", body: { nobody: "reads it" } });
  machine.sayRaw("net.drop", '{"body":{"event":7},"text":"a body that cannot be read"}');
}

beforeAll(async () => {
  postgres = await startPostgres();
  await migrate(postgres.url);
  pool = openPool(postgres.url);
  await openPartitions(pool);
  group = await seedGroup(pool, "floor", consoleKey.publicKey);
  await enrolled(pool, machine, group);
  say(machine);
  const stop = new AbortController();
  const signer = { sign: consoleKey.sign, publicKey: consoleKey.publicKey };
  const ingest = new Ingest({
    pool,
    signer,
    publish: async () => undefined,
    log: pino({ level: "silent" }),
    now: Date.now,
  });
  const running = ingest.run(stop.signal);
  await ingest.receive(machine.id, "batch", machine.batch(0, 5));
  await ingest.receive(machine.id, "batch", machine.batch(5, machine.records.length));
  await vi.waitFor(() => expect(ingest.isIdle()).toBe(true), { timeout: 60_000 });
  stop.abort();
  await running;
  for (const [id, role] of [
    ["nora", "viewer"],
    ["otto", "auditor"],
  ])
    await pool.query("INSERT INTO person (id, name, email, role) VALUES ($1, $1, $1 || '@example.org', $2::role)", [
      id,
      role,
    ]);
  token = (await makeToken(pool, { person: "nora", name: "t", scopes: ["policy:read"], days: 1 })).token;
  server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const headers = incoming.headers as Record<string, string>;
    const request = new Request(new URL(incoming.url ?? "/", "http://localhost"), {
      method: "POST",
      headers,
      body: Buffer.concat(chunks).toString(),
    });
    const response = await respondReplay({ pool, replaySlots }, async () => undefined, request);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    Readable.fromWeb(response.body as never).pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}, RUNS_MS_MAX);
afterAll(async () => {
  await new Promise((resolve) => server?.close(resolve));
  await pool?.end();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Line = {
  against?: { order: number | null };
  progress?: { share: number };
  result?: ReplayResult & { waiting: number };
  error?: string;
};

async function ask(body: object, role: Role | undefined = "viewer", headers: object = {}): Promise<Response> {
  const text = JSON.stringify(body);
  const request = new Request("http://localhost/api/replay", {
    method: "POST",
    headers: { "content-length": String(text.length), "sec-fetch-site": "same-origin", ...headers },
    body: text,
  });
  return respondReplay({ pool, replaySlots, pageRows: 2 }, async () => role && { role }, request);
}
async function found(body: object): Promise<ReplayResult & { waiting: number }> {
  const response = await ask({ group, since: "1d", ...body });
  const lines = (await response.text())
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
  const result = lines.at(-1)?.result;
  if (!result) throw new Error(JSON.stringify(lines.at(-1)));
  return result;
}
const WEB = 'network: { rules: [{ name: web, verdict: allow, ports: ["443"] }] }';

test(
  "what is not gathered yet is said; then it is gathered once, however often and by however many",
  async () => {
    const before = await found({ source: WEB });
    expect(before).toMatchObject({ decisions: 0, waiting: machine.records.length });
    expect(before.notes.join(" ")).toContain("not among the inputs yet");
    await Promise.all([catchUp(pool, never), catchUp(pool, never)]);
    await catchUp(pool, never);
    const { rows } = await pool.query("SELECT sum(count)::int AS decisions FROM replay_seen");
    expect(rows[0].decisions).toBe(13);
    expect(await found({ source: WEB })).toMatchObject({ decisions: 12, waiting: 0 });
  },
  RUNS_MS_MAX,
);

test(
  "a candidate's flips are told by section, with the records they were seen in",
  async () => {
    const result = await found({ source: WEB });
    expect(result.flips).toMatchObject({ "new-allows": 3, "new-blocks": 0 });
    expect(result.by.rule.rows).toMatchObject([{ name: "network: rule 1 web" }]);
    expect(result.examples).toMatchObject([
      { workstation: { id: machine.id }, index: 2, lastIndex: 4, count: 3, guest: "work" },
    ]);
    expect((await found({ source: WEB, since: "7d" })).flips["new-allows"]).toBe(4);
    const usb = await found({ source: `usb: { deviceRules: [], denySha256: [${SHA}] }` });
    expect(usb.flips["new-blocks"]).toBe(2);
    expect(usb.examples.map(({ rule }) => rule).sort()).toEqual(["denySha256", "implicit"]);
    const ids = await found({ source: "ids: { suppress: [{ signatureId: 2100498, reason: noise }] }" });
    expect(ids.flips["new-suppressed"]).toBe(2);
    expect((await found({ source: "log: { leastSeverity: error }" })).flips["new-lost-lines"]).toBe(5);
    expect((await found({ source: "log: { lingerMs: 5 }" })).flips).toMatchObject({
      "new-lost-lines": 0,
      "new-kept-lines": 0,
    });
  },
  RUNS_MS_MAX,
);

test(
  "it is compared with what is in force, and a revision can be the candidate",
  async () => {
    const tx = await pool.connect();
    for (const [order, linesPerSecond] of [
      [0, 100],
      [1, 50],
    ] as const)
      await publish(tx, consoleKey as never, {
        group,
        source: "x",
        policy: Policy.parse({ log: { linesPerSecond } }),
        message: "one",
        basedOn: order,
        author: "nora",
        now: new Date(),
      });
    tx.release();
    const response = await ask({ group: "floor", since: "1d", order: 1 });
    const [first] = (await response.text()).split("\n");
    expect(JSON.parse(first!).against).toMatchObject({ group: { name: "floor" }, order: 2 });
    expect((await found({ order: 2 })).sections.filter(({ changed }) => changed)).toEqual([]);
  },
  RUNS_MS_MAX,
);

test(
  "it is refused, in words, to those who may not or who ask for what there is not",
  async () => {
    const asked = { group, since: "1d", source: WEB };
    const refused = async (response: Promise<Response>) => {
      const { status, ...rest } = await response;
      void rest;
      const { error } = (await (await response).json()) as { error: unknown };
      return `${status} ${typeof error === "string" ? error : JSON.stringify(error)}`;
    };
    expect(await refused(ask(asked, "auditor"))).toMatch(/^403 As auditor/);
    expect(
      await refused(
        respondReplay(
          { pool, replaySlots },
          async () => undefined,
          new Request("http://localhost/api/replay", {
            method: "POST",
            body: "{}",
            headers: { "content-length": "2", "sec-fetch-site": "same-origin" },
          }),
        ),
      ),
    ).toMatch(/^401/);
    expect(await refused(ask(asked, "viewer", { "sec-fetch-site": "cross-site" }))).toMatch(/^403/);
    const wrong = (await makeToken(pool, { person: "nora", name: "t", scopes: ["export"], days: 1 })).token;
    expect(await refused(ask(asked, undefined, { authorization: `Bearer ${wrong}` }))).toMatch(/^403 .*policy:read/);
    expect(await refused(ask({ ...asked, group: "nowhere" }))).toMatch(/^404 There is no group/);
    expect(await refused(ask({ ...asked, since: "yesterday" }))).toMatch(/^400 .*no span/);
    expect(await refused(ask({ ...asked, source: "usb: { mode: x }" }))).toMatch(/^400 This is no policy/);
    expect(await refused(ask({ ...asked, order: 1 }))).toMatch(/^400 Give a policy/);
    expect(await refused(ask({ ...asked, source: undefined, order: 99 }))).toMatch(/^404 .*no revision 99/);
    const held = [replaySlots.take(), replaySlots.take()];
    expect(await refused(ask(asked))).toMatch(/^503/);
    for (const free of held) free?.();
  },
  RUNS_MS_MAX,
);

test(
  "whoever stops reading ends it, and its place is free again",
  async () => {
    for (let round = 0; round < 4; round++) {
      const response = await ask({ group, since: "1d", source: WEB });
      expect(response.status).toBe(200);
      await response.body!.cancel();
    }
    expect((await ask({ group, since: "1d", source: WEB })).status).toBe(200);
  },
  RUNS_MS_MAX,
);

test(
  "the worker's loop gathers what comes, woken or by its timer",
  async () => {
    await pool.query("DELETE FROM replay_cursor; DELETE FROM replay_seen; DELETE FROM replay_input");
    const stop = new AbortController();
    const gather = new Gather({ pool, log: pino({ level: "silent" }), lookMs: 50 });
    const running = gather.run(stop.signal);
    await vi.waitFor(
      async () =>
        expect((await pool.query("SELECT coalesce(sum(count), 0)::int AS n FROM replay_seen")).rows[0].n).toBe(13),
      { timeout: 60_000, interval: 50 },
    );
    stop.abort();
    await running;
  },
  RUNS_MS_MAX,
);

test(
  "what is older than a replay reaches back is forgotten, and nothing else",
  async () => {
    const rows = async () =>
      (
        await pool.query(
          "SELECT (SELECT count(*) FROM replay_seen)::int AS seen, (SELECT count(*) FROM replay_input)::int AS inputs",
        )
      ).rows[0];
    const whole = await rows();
    expect(await pruneInputs(pool, Date.now(), never)).toBe(0);
    expect(await rows()).toEqual(whole);
    const yearsOn = Date.now() + (DAYS_MAX + 3) * 86_400_000;
    expect(await pruneInputs(pool, yearsOn, never)).toBe(whole.seen + whole.inputs);
    expect(await rows()).toEqual({ seen: 0, inputs: 0 });
    await pool.query("DELETE FROM replay_cursor");
    await catchUp(pool, never);
    expect(await rows()).toEqual(whole);
  },
  RUNS_MS_MAX,
);

test(
  "the command line says it in words or JSON, and fails on a condition",
  async () => {
    writeFileSync(join(folder, "web.yaml"), WEB);
    const run = (...args: string[]) =>
      runSallyport({ token, environment: { SALLYPORT_URL: url } }, "policy", "replay", ...args);
    const candidate = join(folder, "web.yaml");
    const said = await run("--group", "floor", "--since", "1d", candidate, "--fail-on", "new-blocks > 0");
    expect(said.code, said.err).toBe(0);
    expect(said.out).toContain("Against r2 of floor");
    expect(said.out).toContain("3 would pass, and were blocked or held");
    const failed = await run(
      "--group",
      "floor",
      candidate,
      "--json",
      "--fail-on",
      "new-allows >= 4",
      "--fail-on",
      "new-blocks > 0",
    );
    expect(failed.code, failed.err).toBe(3);
    expect(JSON.parse(failed.out)).toMatchObject({
      failed: ["new-allows is 4, and fails on >= 4"],
      flips: { "new-allows": 4 },
    });
    expect(await run("--group", "floor", candidate, "--fail-on", "blocks > 1")).toMatchObject({ code: 1 });
    expect(await run("--group", "nowhere", candidate)).toMatchObject({ code: 3 });
    expect(await run("--group", "floor")).toMatchObject({ code: 1 });
    // a worker that has not read them yet
    await pool.query("DELETE FROM replay_cursor");
    const early = await run("--group", "floor", candidate, "--json", "--fail-on", "waiting > 0");
    expect(early.code, early.err).toBe(3);
    expect(JSON.parse(early.out).failed).toEqual([expect.stringMatching(/^waiting is \d+, and fails on > 0$/)]);
  },
  RUNS_MS_MAX,
);
