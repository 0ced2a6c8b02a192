/** Rows → COPY's binary format (PostgreSQL manual, COPY, "Binary Format"): no escapes to print and parse again. */
import type { PoolClient } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { Row } from "./prepare.ts";
import type { NewBundle, NewTile } from "./trails.ts";

const SIGNATURE = Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8)]);
const END = Buffer.from([0xff, 0xff]);
/** Microseconds from 1970 to 2000, Postgres' own epoch. */
const EPOCH_2000_MS = 946_684_800_000;
const CHUNK_BYTES = 512 * 1024;
const TWO_32 = 2 ** 32;

export const COPY_RECORDS =
  "COPY record (trail, index, received, time, kind, severity, guest, text, content_hash, salt, content, marked) FROM STDIN (FORMAT binary)";
const COPY_TILES = "COPY tile (trail, level, index, hashes) FROM STDIN (FORMAT binary)";
const COPY_BUNDLES = "COPY entry_bundle (trail, index, entries) FROM STDIN (FORMAT binary)";

export type CopyRow = { trail: number; row: Row };

class Writer {
  readonly chunks: Buffer[] = [];
  #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #at = 0;

  room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    if (this.#at > 0) this.chunks.push(this.#buffer.subarray(0, this.#at));
    this.#buffer = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes));
    this.#at = 0;
  }
  end(): Buffer[] {
    this.raw(END);
    this.chunks.push(this.#buffer.subarray(0, this.#at));
    return this.chunks;
  }
  raw(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }
  count(fields: number): void {
    this.room(2);
    this.#at = this.#buffer.writeInt16BE(fields, this.#at);
  }
  int16(value: number): void {
    this.room(6);
    this.#at = this.#buffer.writeInt32BE(2, this.#at);
    this.#at = this.#buffer.writeInt16BE(value, this.#at);
  }
  int32(value: number): void {
    this.room(8);
    this.#at = this.#buffer.writeInt32BE(4, this.#at);
    this.#at = this.#buffer.writeInt32BE(value, this.#at);
  }
  /** Of a safe integer, without a bigint for each. */
  int64(value: number): void {
    this.room(12);
    const high = Math.floor(value / TWO_32);
    this.#at = this.#buffer.writeInt32BE(8, this.#at);
    this.#at = this.#buffer.writeInt32BE(high, this.#at);
    this.#at = this.#buffer.writeUInt32BE(value - high * TWO_32, this.#at);
  }
  timestamp(ms: number): void {
    const micros = (ms - EPOCH_2000_MS) * 1000;
    if (Number.isSafeInteger(micros)) {
      this.int64(micros);
      return;
    }
    this.room(12);
    this.#at = this.#buffer.writeInt32BE(8, this.#at);
    this.#at = this.#buffer.writeBigInt64BE(BigInt(ms - EPOCH_2000_MS) * 1000n, this.#at);
  }
  bytes(value: Uint8Array | undefined): void {
    this.room(4);
    this.#at = this.#buffer.writeInt32BE(value ? value.length : -1, this.#at);
    if (value) this.raw(value);
  }
  text(value: string | undefined): void {
    if (value === undefined) {
      this.bytes(undefined);
      return;
    }
    this.room(4 + value.length * 3);
    const length = this.#buffer.write(value, this.#at + 4, "utf8");
    this.#buffer.writeInt32BE(length, this.#at);
    this.#at += 4 + length;
  }
}

export function encodeRows(rows: readonly CopyRow[], receivedMs: number): Buffer[] {
  const out = new Writer();
  out.raw(SIGNATURE);
  for (const { trail, row } of rows) {
    out.count(12);
    out.int32(trail);
    out.int64(row.index);
    out.timestamp(receivedMs);
    out.timestamp(row.timeMs);
    out.text(row.kind);
    out.int16(row.severity);
    out.text(row.guest);
    out.text(row.text);
    out.bytes(row.contentHash);
    out.bytes(row.salt);
    out.bytes(row.content);
    out.text(row.marked);
  }
  return out.end();
}

export const copyRecords = (tx: PoolClient, rows: readonly CopyRow[], receivedMs: number): Promise<void> =>
  copy(tx, COPY_RECORDS, encodeRows(rows, receivedMs));

export async function copyTiles(tx: PoolClient, tiles: readonly (NewTile & { trail: number })[]): Promise<void> {
  if (tiles.length === 0) return;
  const out = new Writer();
  out.raw(SIGNATURE);
  for (const { trail, level, index, hashes } of tiles) {
    out.count(4);
    out.int32(trail);
    out.int16(level);
    out.int64(index);
    out.bytes(hashes);
  }
  await copy(tx, COPY_TILES, out.end());
}

export async function copyBundles(tx: PoolClient, bundles: readonly (NewBundle & { trail: number })[]): Promise<void> {
  if (bundles.length === 0) return;
  const out = new Writer();
  out.raw(SIGNATURE);
  for (const { trail, index, entries } of bundles) {
    out.count(3);
    out.int32(trail);
    out.int64(index);
    out.bytes(entries);
  }
  await copy(tx, COPY_BUNDLES, out.end());
}

/** Chunks as they are: what waits is bounded by the group that is committed. */
export function copy(tx: PoolClient, sql: string, chunks: readonly Buffer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = tx.query(copyFrom(sql));
    stream.on("error", reject).on("finish", resolve);
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
  });
}
