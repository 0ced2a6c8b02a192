/** Rows as ingest would leave them: a signed trail with real hashes, so that pages and proofs have something true. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { toBase64, toHex } from "@sallyport/shared/base/bytes.ts";
import type { GuestId, Sha256, Time, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { commitment, contentBytes } from "@sallyport/shared/record/content.ts";
import type { Kind } from "@sallyport/shared/record/kinds.ts";
import { SEVERITIES, type Severity } from "@sallyport/shared/record/severity.ts";
import { origin, signCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { entryText, leafHash } from "@sallyport/shared/trail/entry.ts";
import { appendAll, EMPTY_EDGE, edgeBytes, root } from "@sallyport/shared/trail/tree.ts";
import type { ScanBody } from "@sallyport/shared/usb/scan.ts";
import type { Pool } from "pg";
import { newSigner } from "../../../packages/shared/test/keys.ts";

export const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(bytes).digest());

export type Seen = { kind: string; severity: Severity; guest?: string; text: string; body: object; agoMs: number };

export async function seedPartition(pool: Pool): Promise<void> {
  await pool.query(
    "CREATE TABLE IF NOT EXISTS record_seed PARTITION OF record FOR VALUES FROM ('2020-01-01') TO ('2100-01-01')",
  );
  await pool.query(
    `INSERT INTO record_partition (name, received_from, received_to) VALUES ('record_seed', '2020-01-01', '2100-01-01')
     ON CONFLICT DO NOTHING`,
  );
}

export async function seedGroup(pool: Pool, name: string, consoleKey: Uint8Array): Promise<string> {
  const id = randomUUID();
  await pool.query('INSERT INTO "group" (id, name) VALUES ($1, $2)', [id, name]);
  await pool.query("INSERT INTO group_key (group_id, key_id, public_key, role) VALUES ($1, $2, $3, 'console')", [
    id,
    toHex(sha256(consoleKey).slice(0, 4)),
    toBase64(consoleKey),
  ]);
  return id;
}

export type Station = { name: string; group: string; labels?: string[]; lastReceiptAgoMs?: number; skewMs?: number };

export async function seedWorkstation(pool: Pool, station: Station): Promise<string> {
  const id = randomUUID();
  await pool.query(
    `INSERT INTO workstation (id, shard, name, hostname, group_id, labels, trail_key, agent_version, last_receipt_at, skew_ms,
                              presence_state, presence_at, last_record_time)
     VALUES ($1::uuid, substr($1::text, 1, 2), $2, $2, $3, $4, $5, '0.1.0', now() - make_interval(secs => $6), $7, 'online', now(), now())`,
    [
      id,
      station.name,
      station.group,
      station.labels ?? [],
      randomBytes(32),
      (station.lastReceiptAgoMs ?? 0) / 1000,
      station.skewMs ?? 120,
    ],
  );
  return id;
}

/** A whole trail in one go; answers its number. */
export async function seedTrail(pool: Pool, workstation: string, seen: Seen[]): Promise<number> {
  const trail = randomUUID() as TrailId;
  const name = origin(workstation as WorkstationId, trail);
  const { publicKey, sign } = newSigner();
  const now = Date.now();
  const rows = seen.map((each, index) => {
    const salt = new Uint8Array(randomBytes(32));
    const content = contentBytes({ text: each.text, body: each.body });
    const hash = commitment(sha256, salt, content);
    const time = new Date(now - each.agoMs).toISOString() as Time;
    const entry = entryText({
      index,
      time,
      kind: each.kind as Kind,
      severity: each.severity,
      ...(each.guest && { guest: each.guest as GuestId }),
      content: toHex(hash) as Sha256,
    });
    return { ...each, index, salt, content, hash, time, leaf: leafHash(sha256, entry) };
  });
  const edge = appendAll(
    sha256,
    EMPTY_EDGE,
    rows.map(({ leaf }) => leaf),
  );
  const checkpoint = signCheckpoint(sha256, sign, publicKey, {
    origin: name,
    size: rows.length,
    root: root(sha256, edge),
  });
  const made = await pool.query<{ num: number }>(
    `INSERT INTO trail (id, workstation_id, origin, public_key, size, edge, checkpoint, safe, received_at)
     VALUES ($1, $2, $3, $4, $5::bigint, $6, $7, $5::bigint, now()) RETURNING num`,
    [trail, workstation, name, publicKey, rows.length, edgeBytes(edge), checkpoint],
  );
  const num = made.rows[0]!.num;
  for (const row of rows) {
    const received = new Date(Date.parse(row.time) + 40).toISOString();
    await pool.query(
      `INSERT INTO record (trail, index, received, time, kind, severity, guest, text, content_hash, salt, content)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        num,
        row.index,
        received,
        row.time,
        row.kind,
        SEVERITIES.indexOf(row.severity),
        row.guest ?? null,
        row.text,
        row.hash,
        row.salt,
        row.content,
      ],
    );
    if (row.kind === "usb.scan")
      await seedScan(pool, num, row.index, workstation, row.time, received, row.body as ScanBody);
  }
  await pool.query(
    `INSERT INTO record_range (trail, "from", "to", partition)
     SELECT trail, min(index), max(index) + 1, tableoid::regclass::text FROM record WHERE trail = $1 GROUP BY trail, tableoid`,
    [num],
  );
  const tiles = Math.floor(rows.length / 256);
  for (let at = 0; at < tiles; at++)
    await pool.query("INSERT INTO tile (trail, level, index, hashes) VALUES ($1, 0, $2, $3)", [
      num,
      at,
      Buffer.concat(rows.slice(at * 256, (at + 1) * 256).map(({ leaf }) => leaf)),
    ]);
  return num;
}

async function seedScan(
  pool: Pool,
  trail: number,
  index: number,
  workstation: string,
  time: string,
  received: string,
  body: ScanBody,
) {
  const bad = (finding: string) => body.manifest.filter((file) => file.finding === finding).length;
  await pool.query(
    `INSERT INTO scan (trail, index, workstation_id, time, received, source, verdict, reason, image_sha256, image_size, files,
                       infected, unscannable, engine, definitions)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
    [
      trail,
      index,
      workstation,
      time,
      received,
      body.source ?? null,
      body.verdict,
      body.reason,
      body.image?.sha256 ?? null,
      body.image?.size ?? null,
      body.manifest.length,
      bad("infected"),
      bad("unscannable"),
      body.scanner?.engine ?? null,
      body.scanner?.definitions ?? null,
    ],
  );
  for (const [position, file] of body.manifest.entries())
    await pool.query(
      `INSERT INTO manifest_file (trail, index, position, path, size, md5, sha256, type, finding, detail)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        trail,
        index,
        position,
        file.path ?? `base64:${file.pathBase64}`,
        file.size,
        file.md5,
        file.sha256,
        file.type,
        file.finding,
        file.detail ?? null,
      ],
    );
}
