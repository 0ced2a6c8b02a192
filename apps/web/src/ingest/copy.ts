/** Rows → COPY's binary format (PostgreSQL manual, COPY, "Binary Format"): no escapes to print and parse again. */
import type { PoolClient } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { PlainLine } from "./plain.ts";
import type { Row } from "./row.ts";
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

/** A batch's records as COPY takes them, written once as they are read. Trail and time of arrival are stamped in at the
 *  commit: they stand at the same place in every row. */
export type Rows = { bytes: Buffer; starts: number[] };
/** What is left of a batch's rows when the first `skip` are there already. */
export type Part = { rows: Rows; skip: number };

/** In a row: two bytes of count, then each field behind four bytes of length. */
const TRAIL_AT = 2 + 4;
const RECEIVED_AT = TRAIL_AT + 4 + 4 + 8 + 4;

class Writer {
  readonly chunks: Buffer[] = [];
  readonly #whenFull: "grow" | "next";
  #buffer: Buffer;
  #at = 0;

  constructor(memory: Buffer = Buffer.allocUnsafe(CHUNK_BYTES), whenFull: "grow" | "next" = "next") {
    this.#buffer = memory;
    this.#whenFull = whenFull;
  }
  /** Bytes in the piece that is being written. */
  get length(): number {
    return this.#at;
  }
  room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const written = this.#buffer.subarray(0, this.#at);
    if (this.#whenFull === "grow") {
      this.#buffer = Buffer.allocUnsafe(2 * this.#buffer.length + bytes);
      written.copy(this.#buffer);
      return;
    }
    if (this.#at > 0) this.chunks.push(written);
    this.#buffer = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes));
    this.#at = 0;
  }
  end(): Buffer[] {
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
  /** A few bytes: a call would cost more than they do. */
  short(source: Uint8Array, from: number, to: number): void {
    this.room(4 + to - from);
    const buffer = this.#buffer;
    let here = buffer.writeInt32BE(to - from, this.#at);
    for (let at = from; at < to; at++) buffer[here++] = source[at]!;
    this.#at = here;
  }
  long(source: Buffer, from: number, to: number): void {
    this.room(4 + to - from);
    const here = this.#buffer.writeInt32BE(to - from, this.#at);
    this.#at = here + source.copy(this.#buffer, here, from, to);
  }
  /** Bytes that are at hand as hex digits. */
  hex(value: string): void {
    this.room(4 + value.length / 2);
    this.#at = this.#buffer.writeInt32BE(value.length / 2, this.#at);
    this.#at += this.#buffer.write(value, this.#at, value.length / 2, "hex");
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

/** Memory of rows that are committed, for the next ones: fresh memory for each batch costs page faults and collections.
 *  Only batches of a usual size share it, so that many small ones that wait take no more than they need. */
const spare: Buffer[] = [];
const SPARE_BYTES = 512 * 1024;
const SPARE_MAX = 48;

/** Nobody reads these rows any more. */
export function reuse({ bytes }: Rows): void {
  const whole = bytes.buffer;
  if (whole.byteLength === SPARE_BYTES && spare.length < SPARE_MAX) spare.push(Buffer.from(whole as ArrayBuffer));
}

/** Rows one behind another in one piece of memory. */
export class RowsWriter {
  readonly #out: Writer;
  readonly #starts: number[] = [];

  constructor(bytesExpected: number) {
    const usual = bytesExpected <= SPARE_BYTES && bytesExpected > SPARE_BYTES / 2;
    const memory = usual ? (spare.pop() ?? Buffer.allocUnsafeSlow(SPARE_BYTES)) : Buffer.allocUnsafe(bytesExpected);
    this.#out = new Writer(memory, "grow");
  }

  add(row: Row, salt: Uint8Array | undefined, content: Uint8Array | undefined): void {
    const out = this.#out;
    this.#starts.push(out.length);
    out.count(12);
    out.int32(0);
    out.int64(row.index);
    out.int64(0);
    out.timestamp(row.timeMs);
    out.text(row.kind);
    out.int16(row.severity);
    out.text(row.guest);
    out.text(row.text);
    out.hex(row.contentHash);
    out.bytes(salt);
    out.bytes(content);
    out.text(row.marked);
  }

  /** The same row, its texts and bytes taken from where they stand in `source`; `text` where it is not as it stands. */
  addPlain(source: Buffer, line: PlainLine, index: number, text: string | undefined): void {
    const out = this.#out;
    this.#starts.push(out.length);
    out.count(12);
    out.int32(0);
    out.int64(index);
    out.int64(0);
    out.timestamp(line.timeMs);
    out.short(source, line.kindFrom, line.kindTo);
    out.int16(line.severity);
    if (line.guestFrom < 0) out.bytes(undefined);
    else out.short(source, line.guestFrom, line.guestTo);
    if (text === undefined) out.long(source, line.textFrom + 1, line.textTo - 1);
    else out.text(text);
    out.short(line.contentHash, 0, line.contentHash.length);
    out.short(line.salt, 0, line.salt.length);
    out.long(source, line.contentFrom, line.contentTo);
    out.bytes(undefined);
  }

  end(): Rows {
    return { bytes: this.#out.end()[0]!, starts: this.#starts };
  }
}

/** Says whose the rows are and when they came; again before each attempt to commit them. */
function stamp({ rows, skip }: Part, trail: number, receivedMs: number): Buffer {
  const { bytes, starts } = rows;
  const micros = (receivedMs - EPOCH_2000_MS) * 1000;
  const high = Math.floor(micros / TWO_32);
  for (let at = skip; at < starts.length; at++) {
    bytes.writeInt32BE(trail, starts[at]! + TRAIL_AT);
    bytes.writeInt32BE(high, starts[at]! + RECEIVED_AT);
    bytes.writeUInt32BE(micros - high * TWO_32, starts[at]! + RECEIVED_AT + 4);
  }
  return skip === 0 ? bytes : bytes.subarray(starts[skip] ?? bytes.length);
}

export const copyRecords = (
  tx: PoolClient,
  appends: readonly { trail: { num: number }; parts: readonly Part[] }[],
  receivedMs: number,
): Promise<void> =>
  copy(tx, COPY_RECORDS, [
    SIGNATURE,
    ...appends.flatMap(({ trail, parts }) => parts.map((part) => stamp(part, trail.num, receivedMs))),
    END,
  ]);

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
  out.raw(END);
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
  out.raw(END);
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
