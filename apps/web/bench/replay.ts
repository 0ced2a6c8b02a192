/** A candidate that changes every replayed section over ten million recorded decisions, none of them counted together
 *  with another: the worst that a history can be. Rows are made straight in the table; the replay is the console's own,
 *  page by page. `node apps/web/bench/replay.ts [decisions]` prints the time beside the aim; the last line is JSON. */
import { createHash, randomUUID } from "node:crypto";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { countFlips } from "@sallyport/shared/replay/flip.ts";
import { HOUR_MINUTES, type Input, MINUTE_MS } from "@sallyport/shared/replay/input.ts";
import pg from "pg";
import { migrate } from "../../../prisma/migrate.ts";
import { runReplay } from "../src/replay/run.ts";
import { startPostgres } from "../test/postgres.ts";
import { parentOf, processorMicros, serverMicros } from "./processor.ts";

const DECISIONS = Number(process.argv[2] ?? 10_000_000);
const AIM_SECONDS = 120;
const TRAILS = 20;
const HOURS = 30 * 24;
const PLACES = 100_000;
/** One in so many is of guests' lines, by the minute. */
const LINES_EVERY = 10;
const HASH = "a".repeat(64);

const BEFORE = Policy.parse({
  network: { rules: [{ name: "web", verdict: "allow", protocol: "tcp", ports: ["80", "443"] }] },
});
const AFTER = Policy.parse({
  usb: {
    unscannable: "block",
    denyTypes: ["application/x-dosexec"],
    deviceRules: ["allow with-interface equals { 08:06:50 }"],
  },
  network: {
    rules: [
      ...Array.from({ length: 18 }, (_, at) => ({ name: `net ${at}`, verdict: "block", to: `10.${at}.0.0/16` })),
      { name: "dns", verdict: "allow", protocol: "udp", ports: ["53"] },
      { name: "web", verdict: "allow", protocol: "tcp", ports: ["443"] },
    ],
  },
  ids: { suppress: [{ signatureId: 7, reason: "noise" }] },
  log: { linesPerSecond: 100 },
});

/** Of a thousand: traffic 850, alerts 130, devices 10, scans 10. */
function inputOf(at: number): Input {
  const kind = at % 1_000;
  if (kind < 10)
    return {
      kind: "device",
      facts: {
        ...{ id: "0951:1666", serial: String(at), name: "stick", hash: "h", parentHash: "p", viaPort: "1-2" },
        ...{ interfaces: ["08:06:50"], interfaceCount: 1, connectType: "hotplug" },
      },
      pinned: false,
      blocked: false,
    };
  if (kind < 20)
    return {
      kind: "scan",
      of: `1/${at}`,
      facts: {
        manifest: [{ path: "clean", size: 0, md5: null, sha256: HASH, type: "text/plain", finding: "clean" }],
        scanner: { engine: "clamav", definitions: "1", date: null },
      },
      files: 1,
      verdict: "allow",
      exception: false,
      missing: 0,
    };
  const address = `${at % 223}.${(at >> 8) & 255}.${(at >> 16) & 255}.${at & 255}`;
  if (kind < 150)
    return {
      kind: "alert",
      generator: 1,
      signatureId: at % 50,
      signature: "noise",
      source: "10.1.0.2",
      destination: address,
    };
  const port = [80, 443, 53, 22][at % 4]!;
  return {
    kind: "net",
    from: "guest",
    to: "world",
    destination: address,
    protocol: port === 53 ? "udp" : "tcp",
    port,
    seen: "flow",
  };
}

async function fill(pool: pg.Pool, group: string, nowMs: number): Promise<void> {
  await pool.query('INSERT INTO "group" (id, name) VALUES ($1, $2)', [group, "bench"]);
  for (let num = 1; num <= TRAILS; num++) {
    const id = randomUUID();
    await pool.query(
      `INSERT INTO workstation (id, shard, name, hostname, group_id, labels, trail_key, agent_version)
       VALUES ($1::uuid, substr($1::text, 1, 2), $2, $2, $3, '{}', '', 'bench')`,
      [id, `desk-${num}`, group],
    );
    await pool.query(
      "INSERT INTO trail (num, id, workstation_id, origin, public_key, edge) VALUES ($1, $2, $3, $4, '', '')",
      [num, randomUUID(), id, `bench/${num}`],
    );
  }
  const lines: Input[] = (["info", "notice", "error"] as const).map((severity) => ({
    kind: "lines",
    via: "udp",
    severity,
  }));
  const inputs = [...Array.from({ length: PLACES }, (_, at) => inputOf(at)), ...lines].map((input) =>
    JSON.stringify(input),
  );
  for (let from = 0; from < inputs.length; from += 10_000) {
    const some = inputs.slice(from, from + 10_000);
    await pool.query(
      `INSERT INTO replay_input (id, hash, last_bucket, kind, body)
       SELECT $1::int + r.at, r.hash, 0, r.body::jsonb ->> 'kind', r.body
         FROM unnest($2::bytea[], $3::text[]) WITH ORDINALITY AS r (hash, body, at)`,
      [from, some.map((body) => createHash("sha256").update(body).digest()), some],
    );
  }
  const base = Math.floor(nowMs / MINUTE_MS / HOUR_MINUTES - HOURS + 1) * HOUR_MINUTES;
  const perTrail = Math.floor(DECISIONS / TRAILS);
  const perHour = Math.ceil((perTrail * (1 - 1 / LINES_EVERY)) / HOURS);
  const perMinute = Math.ceil(perTrail / LINES_EVERY / (HOURS * HOUR_MINUTES));
  const INSERT =
    "INSERT INTO replay_seen (trail, bucket, input, guest, count, bytes, first_index, last_index, first_ms, last_ms)";
  for (let trail = 1; trail <= TRAILS; trail++) {
    await pool.query(
      `${INSERT} SELECT $1::int, $2::int + j / $3::int * 60, (j::bigint * 7919 + $1::int) % $4::int + 1, 'work', 1, 0, j, j, 0, 0
         FROM generate_series(0, $5::int - 1) j`,
      [trail, base, perHour, PLACES, Math.floor(perTrail * (1 - 1 / LINES_EVERY))],
    );
    await pool.query(
      `${INSERT} SELECT $1::int, $2::int + j / $3::int, $4::int + 1 + j % $3::int % 3, 'g' || j % $3::int, 1, 80, j, j, 0, 0
         FROM generate_series(0, $5::int - 1) j`,
      [trail, base, perMinute, PLACES, Math.ceil(perTrail / LINES_EVERY)],
    );
  }
  await pool.query("VACUUM ANALYZE replay_seen");
}

const postgres = await startPostgres();
const pool = new pg.Pool({ connectionString: postgres.url, max: 3 });
pool.on("error", () => undefined); // the server stops at the end while a connection rests
try {
  await migrate(postgres.url);
  const group = randomUUID();
  const nowMs = Date.now();
  process.stderr.write(`… making ${DECISIONS.toLocaleString("en")} rows\n`);
  await fill(pool, group, nowMs);
  const server = parentOf((await pool.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]!.pid);
  const from = { at: performance.now(), micros: processorMicros(process.pid), server: serverMicros(server) };
  const sinceMs = nowMs - HOURS * HOUR_MINUTES * MINUTE_MS;
  const asked = { pool, group, before: BEFORE, after: AFTER, sinceMs, nowMs, signal: new AbortController().signal };
  for await (const told of runReplay(asked)) {
    if (!("result" in told)) continue;
    const seconds = (performance.now() - from.at) / 1000;
    const { decisions, flips } = told.result;
    const heap = process.memoryUsage().rss / 1024 / 1024;
    const figures = {
      decisions,
      distinctInputs: PLACES + 3,
      comeOutOtherwise: countFlips(flips),
      seconds,
      aimSeconds: AIM_SECONDS,
      decisionsPerSecond: decisions / seconds,
      processorSecondsHere: (processorMicros(process.pid) - from.micros) / 1e6,
      processorSecondsOfTheDatabase: (serverMicros(server) - from.server) / 1e6,
      memoryMiB: heap,
    };
    process.stdout.write(`${JSON.stringify({ replay: figures })}\n`);
  }
} finally {
  await pool.end();
  await postgres.stop();
}
