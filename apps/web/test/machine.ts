/** A machine for tests: real keys, a real trail, real batches; what it sends and what it keeps is the test's to choose. */
import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign } from "node:crypto";
import { toHex } from "@sallyport/shared/base/bytes.ts";
import type { Sha256, Time, TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { commitment, contentBytes } from "@sallyport/shared/record/content.ts";
import type { Kind } from "@sallyport/shared/record/kinds.ts";
import type { Severity } from "@sallyport/shared/record/severity.ts";
import { origin, signCheckpoint } from "@sallyport/shared/trail/checkpoint.ts";
import { entryText, leafHash } from "@sallyport/shared/trail/entry.ts";
import { append, type Edge, EMPTY_EDGE, root } from "@sallyport/shared/trail/tree.ts";
import { type BatchHeader, batchLine, encodeBatch } from "@sallyport/shared/wire/batch.ts";
import type pg from "pg";
import { compress, hash } from "../src/trail/crypto.ts";

export type Said = { kind?: string; severity?: Severity; guest?: string; text?: string; body?: unknown; time?: string };
type Kept = { entry: string; line: string };

export class Machine {
  readonly id: WorkstationId;
  readonly publicKey: Buffer;
  readonly #key: KeyObject;
  trail: TrailId = randomUUID() as string as TrailId;
  session: string = randomUUID();
  records: Kept[] = [];
  /** `edges[n]` is the edge of size n. */
  edges: Edge[] = [EMPTY_EDGE];

  constructor(id: WorkstationId = randomUUID() as string as WorkstationId) {
    const pair = generateKeyPairSync("ed25519");
    this.id = id;
    this.#key = pair.privateKey;
    this.publicKey = Buffer.from(pair.publicKey.export({ format: "jwk" }).x!, "base64url");
  }

  sign = (bytes: Uint8Array): Uint8Array => sign(null, bytes, this.#key);

  /** Begins a trail; with `previous` it names the one it goes on from. */
  open(previous?: object): void {
    this.trail = randomUUID() as string as TrailId;
    this.records = [];
    this.edges = [EMPTY_EDGE];
    const body = {
      trail: this.trail,
      agentVersion: "test",
      hostname: "machine",
      session: this.session,
      ...(previous && { previous }),
    };
    this.say({ kind: "trail.opened", text: "a trail was opened", body });
  }

  say({ kind = "guest.log", severity = "info", guest, text = "a line", body, time }: Said = {}): void {
    const content = contentBytes({
      text,
      body: body ?? { via: "udp", from: "vif1.0", format: "plain", message: text },
    });
    this.#add(content, { kind, severity, guest, time });
  }

  /** A content that no agent would write. */
  sayRaw(kind: string, content: string): void {
    this.#add(Buffer.from(content), { kind, severity: "info", guest: undefined, time: undefined });
  }

  #add(
    content: Uint8Array,
    {
      kind,
      severity,
      guest,
      time,
    }: { kind: string; severity: Severity; guest: string | undefined; time: string | undefined },
  ): void {
    const salt = randomBytes(32);
    const entry = entryText({
      index: this.records.length,
      time: (time ?? new Date().toISOString()) as Time,
      kind: kind as Kind,
      severity,
      ...(guest && { guest: guest as never }),
      content: toHex(commitment(hash, salt, content)) as Sha256,
    });
    this.records.push({ entry, line: batchLine({ entry, salt, content: Buffer.from(content).toString() }) });
    this.edges.push(append(hash, this.edges.at(-1)!, leafHash(hash, entry)));
  }

  /** The root of the first `size` records, in hex. */
  rootOf(size: number): string {
    return toHex(root(hash, this.edges[size]!));
  }

  /** Records `from` to `to` as they travel; `change` alters header or lines before they are packed. */
  batch(
    from: number,
    to: number,
    change: (header: BatchHeader, lines: string) => [BatchHeader, string] = (...same) => same,
  ): Uint8Array {
    const edge = this.edges[to]!;
    const name = origin(this.id, this.trail);
    const checkpoint = signCheckpoint(hash, this.sign, this.publicKey, {
      origin: name,
      size: to,
      root: root(hash, edge),
    });
    const header = {
      trail: this.trail,
      session: this.session,
      from,
      count: to - from,
      oldest: from,
      checkpoint,
    } as BatchHeader;
    const lines = this.records
      .slice(from, to)
      .map(({ line }) => line)
      .join("");
    return encodeBatch(compress, ...change(header, lines));
  }
}

/** Rows as enrolment makes them. */
export async function enrolled(pool: pg.Pool, machine: Machine, group: string): Promise<void> {
  await pool.query(
    `INSERT INTO workstation (id, shard, name, hostname, group_id, labels, trail_key, agent_version)
     VALUES ($1, $2, 'machine', 'machine', $3, '{}', $4, 'test')`,
    [machine.id, machine.id.slice(0, 2), group, machine.publicKey],
  );
}
