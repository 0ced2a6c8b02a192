/** SQL and nothing else: what the spool's tables are asked. Decisions are spool.ts's. */
import { statfsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { TrailId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type Edge, edgeBytes, edgeFromBytes } from "@sallyport/shared/trail/tree.ts";
import { LOG_DISK_BYTES } from "../limits.ts";
import { LOG_PAGES, openReadOnly } from "./schema.ts";

/** Which contents give way first when the spool is full: `givesWay` of the kind (record/kinds.ts). 2: never before others. */
export type Way = 0 | 1 | 2;
export const WAYS = [0, 1, 2] as const;

/** A record that is not released yet. `bytes` is its content's length, also when that was given up. */
export type Row = {
  idx: number;
  way: Way;
  bytes: number;
  entry: string;
  salt: Uint8Array | null;
  content: Uint8Array | null;
};
/** `base` is the first index that is still held, and `baseEdge` the tree's right edge there. */
export type TrailRow = {
  num: number;
  id: TrailId;
  workstation: WorkstationId;
  state: "open" | "closed";
  size: number;
  edge: Edge;
  base: number;
  baseEdge: Edge;
  checkpoint: string | undefined;
};
/** What lies in the spool: records, and contents with their bytes, by way. */
export type Held = { records: number; contents: [number, number, number]; bytes: [number, number, number] };

export const copyHeld = ({ records, contents, bytes }: Held): Held => ({
  records,
  contents: [...contents],
  bytes: [...bytes],
});

export const nothingHeld = (): Held => ({ records: 0, contents: [0, 0, 0], bytes: [0, 0, 0] });

/** One record more, with its content, or one less. */
export function count(held: Held, { way, content }: { way: Way; content: Uint8Array }, by: 1 | -1 = 1): void {
  held.records += by;
  held.contents[way] += by;
  held.bytes[way] += by * content.length;
}

type Raw = Omit<TrailRow, "edge" | "baseEdge" | "checkpoint"> & {
  edge: Uint8Array;
  base_edge: Uint8Array;
  checkpoint: string | null;
};

export type Store = ReturnType<typeof storeOf>;

export function storeOf(database: DatabaseSync) {
  const sql = {
    insert: database.prepare("INSERT INTO record (idx, way, bytes, entry, salt, content) VALUES (?, ?, ?, ?, ?, ?)"),
    read: database.prepare(
      "SELECT idx, way, bytes, entry, salt, content FROM record WHERE idx >= ? ORDER BY idx LIMIT ?",
    ),
    entries: database.prepare("SELECT entry FROM record WHERE idx >= ? AND idx < ? ORDER BY idx"),
    held: database.prepare(
      "SELECT way, count(*) AS records, count(salt) AS contents, coalesce(sum(CASE WHEN salt IS NULL THEN 0 ELSE bytes END), 0) AS bytes FROM record GROUP BY way",
    ),
    oldest: database.prepare(
      "SELECT idx, bytes FROM record WHERE idx >= ? AND way = ? AND salt IS NOT NULL ORDER BY idx LIMIT ?",
    ),
    giveUp: database.prepare(
      "UPDATE record SET salt = NULL, content = NULL WHERE idx >= ? AND idx <= ? AND way = ? AND salt IS NOT NULL",
    ),
    firstHeld: database.prepare("SELECT idx FROM record WHERE idx >= ? AND salt IS NOT NULL ORDER BY idx LIMIT 1"),
    release: database.prepare("DELETE FROM record WHERE idx < ?"),
    openTrail: database.prepare("SELECT * FROM trail WHERE state = 'open' ORDER BY num DESC LIMIT 1"),
    knownTrail: database.prepare("SELECT num FROM trail WHERE id = ?"),
    newestOfAny: database.prepare("SELECT * FROM trail ORDER BY num DESC LIMIT 1"),
    addTrail: database.prepare(
      "INSERT INTO trail (id, workstation, state, opened, size, edge, base, base_edge) VALUES (?, ?, 'open', ?, 0, x'', 0, x'')",
    ),
    closeTrails: database.prepare("UPDATE trail SET state = 'closed' WHERE state = 'open'"),
    grown: database.prepare("UPDATE trail SET size = ?, edge = ? WHERE id = ?"),
    based: database.prepare("UPDATE trail SET base = ?, base_edge = ? WHERE id = ?"),
    checkpoint: database.prepare("UPDATE trail SET checkpoint = ? WHERE id = ?"),
    rewrite: database.prepare("UPDATE record SET idx = ?, entry = ?, bytes = ?, content = ? WHERE idx = ?"),
    position: database.prepare("SELECT value FROM position WHERE name = ?"),
    setPosition: database.prepare(
      "INSERT INTO position (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ),
    state: database.prepare("SELECT value FROM state WHERE key = ?"),
    setState: database.prepare(
      "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    ),
    begin: database.prepare("BEGIN IMMEDIATE"),
    commit: database.prepare("COMMIT"),
    rollback: database.prepare("ROLLBACK"),
  };
  const trailRow = (raw: unknown): TrailRow | undefined => {
    if (!raw) return undefined;
    const { edge, base_edge, checkpoint, ...row } = raw as Raw;
    return {
      ...row,
      edge: edgeFromBytes(row.size, edge),
      baseEdge: edgeFromBytes(row.base, base_edge),
      checkpoint: checkpoint ?? undefined,
    };
  };
  let commits = 0;
  /** After so many the last one's pages were left in the log. */
  let left: number | undefined;
  return {
    /** All or nothing, synced when it returns. */
    transaction<T>(act: () => T): T {
      sql.begin.run();
      try {
        const value = act();
        sql.commit.run();
        commits++;
        return value;
      } catch (error) {
        try {
          sql.rollback.run();
        } catch {
          // SQLite rolled back itself already (disk full, I/O error)
        }
        throw error;
      }
    },
    insert(row: Row): void {
      sql.insert.run(row.idx, row.way, row.bytes, row.entry, row.salt, row.content);
    },
    first: (from: number) => sql.read.get(from, 1) as Row | undefined,
    rows: (from: number, count: number) => sql.read.iterate(from, count) as IterableIterator<Row>,
    entries: (from: number, to: number) => sql.entries.iterate(from, to) as IterableIterator<{ entry: string }>,
    held(): Held {
      const held = nothingHeld();
      for (const row of sql.held.all() as { way: Way; records: number; contents: number; bytes: number }[]) {
        held.records += row.records;
        held.contents[row.way] = row.contents;
        held.bytes[row.way] = row.bytes;
      }
      return held;
    },
    oldest: (from: number, way: Way, count: number) =>
      sql.oldest.all(from, way, count) as { idx: number; bytes: number }[],
    giveUp: (from: number, through: number, way: Way) => void sql.giveUp.run(from, through, way),
    firstHeld: (from: number) => (sql.firstHeld.get(from) as { idx: number } | undefined)?.idx,
    release: (before: number) => void sql.release.run(before),
    openTrail: () => trailRow(sql.openTrail.get()),
    newestTrail: () => trailRow(sql.newestOfAny.get()),
    knowsTrail: (id: TrailId) => sql.knownTrail.get(id) !== undefined,
    addTrail(id: TrailId, workstation: WorkstationId, opened: string) {
      sql.closeTrails.run();
      sql.addTrail.run(id, workstation, opened);
    },
    grown: (id: TrailId, edge: Edge) => void sql.grown.run(edge.size, edgeBytes(edge), id),
    based: (id: TrailId, edge: Edge) => void sql.based.run(edge.size, edgeBytes(edge), id),
    checkpoint: (id: TrailId, note: string) => void sql.checkpoint.run(note, id),
    rewrite: (from: number, row: Omit<Row, "way" | "salt">) =>
      void sql.rewrite.run(row.idx, row.entry, row.bytes, row.content, from),
    position: (name: string) => (sql.position.get(name) as { value: string } | undefined)?.value,
    setPosition: (name: string, value: string) => void sql.setPosition.run(name, value),
    state: (key: string) => (sql.state.get(key) as { value: string } | undefined)?.value,
    setState: (key: string, value: string) => void sql.setState.run(key, value),
    /** What `act` commits is left in the write-ahead log, for the commit behind it to move into the file: for much of it
     *  that takes as long again, and whatever else waits has its turn in between. Not twice behind one another: the log
     *  has a bound. */
    leaveInLog(act: () => void): void {
      const isFirst = commits !== left;
      if (isFirst) database.exec("PRAGMA wal_autocheckpoint=0");
      try {
        act();
        if (isFirst) left = commits;
      } finally {
        if (isFirst) database.exec(`PRAGMA wal_autocheckpoint=${LOG_PAGES}`);
      }
    },
    /** What the write-ahead log holds goes into the file, and the log begins anew: room where the disk has none. */
    emptyLog(): void {
      try {
        database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      } catch {
        // the disk has not even room for that; the next attempt tries again
      }
    },
    close(): void {
      const last = keptOpen(database.location());
      database.close();
      last?.close();
    },
  };
}

/** Where the disk has no room, the log and its index keep theirs over the end: whoever fills the disk would have it at once, and no
 *  agent could start there. The last connection removes them, unless it may only read. */
function keptOpen(path: string | null): DatabaseSync | undefined {
  if (path === null) return undefined;
  try {
    const { bavail, bsize } = statfsSync(path);
    if (bavail * bsize >= LOG_DISK_BYTES) return undefined;
    const last = openReadOnly(path);
    last.prepare("SELECT num FROM trail").get();
    return last;
  } catch {
    return undefined; // it is removed, or is not: an end is no time to fail
  }
}
