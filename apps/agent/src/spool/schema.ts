/** The spool's tables. `record` holds the open trail's records that are not released yet. */
import { accessSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { LOG_DISK_BYTES } from "../limits.ts";

const VERSION = 1;

/** A commit with so many pages in the log, of 4 KiB each, moves them into the file. */
export const LOG_PAGES = 2_000;

/** `base` is the first index still held, `base_edge` the tree's right edge there: below it nothing else is kept.
 *  `way` is givesWay(kind). `content` and `salt` are NULL once the content was given up. Cheap columns stand before
 *  the content, so that sums never read its overflow pages. */
const TABLES = `
  CREATE TABLE trail (
    num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, workstation TEXT NOT NULL, state TEXT NOT NULL,
    opened TEXT NOT NULL, size INTEGER NOT NULL, edge BLOB NOT NULL, base INTEGER NOT NULL, base_edge BLOB NOT NULL,
    checkpoint TEXT) STRICT;
  CREATE TABLE record (
    idx INTEGER PRIMARY KEY, way INTEGER NOT NULL, bytes INTEGER NOT NULL, entry TEXT NOT NULL, salt BLOB,
    content BLOB) STRICT;
  CREATE TABLE position (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Every commit is synced before it is answered (`synchronous=FULL`); one sync carries a whole group.
 *  @throws where the file cannot be opened, is no spool, or is damaged */
export function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  try {
    database.exec(
      `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-2048; PRAGMA mmap_size=0; PRAGMA temp_store=FILE; PRAGMA wal_autocheckpoint=${LOG_PAGES}; PRAGMA journal_size_limit=${LOG_DISK_BYTES}`,
    );
    const version = Number((database.prepare("PRAGMA user_version").get() as { user_version: number }).user_version);
    if (version > VERSION) {
      throw new Error(
        `the spool ${path} was written by a newer agent (format ${version}); this one reads ${VERSION}: install the newer one again`,
      );
    }
    if (version === 0) database.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA user_version=${VERSION}; COMMIT`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

export function openReadOnly(path: string, timeout = 5_000): DatabaseSync {
  return new DatabaseSync(path, { readOnly: true, timeout });
}

/** Whoever asks cannot wait long. */
const PEEK_MS = 500;

/** One position as text, of a spool that nobody has opened or that another writes to; nothing where there is none, or no
 *  spool. @throws where it cannot be read */
export function readPosition(path: string, name: string): string | undefined {
  try {
    accessSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error; // a folder that this user may not enter hides a spool that is there
  }
  const database = openReadOnly(path, PEEK_MS);
  try {
    return (database.prepare("SELECT value FROM position WHERE name = ?").get(name) as { value: string } | undefined)
      ?.value;
  } finally {
    database.close();
  }
}
