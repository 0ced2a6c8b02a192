/** The spool's file: one agent at a time, and a damaged one is put aside, never repaired over. */
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Identity } from "./opening.ts";
import { openDatabase } from "./schema.ts";
import { Spool } from "./spool.ts";
import { storeOf } from "./store.ts";

export const spoolPath = (state: string): string => join(state, "spool.db");

export class SpoolBusy extends Error {
  override name = "SpoolBusy";
}

/** Held until the process ends, however it ends: the kernel lets go of the lock. Nothing is written, so a full disk is no
 *  reason not to start. @throws SpoolBusy, what the disk says */
export function lockState(state: string): { release(): void } {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(join(state, "lock.db"), { timeout: 0 });
  try {
    lock.exec("PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!/locked/.test((error as Error).message)) throw error;
    throw new SpoolBusy(`Another agent is running on ${state}. Stop it, or give this one a state folder of its own.`, {
      cause: error,
    });
  }
  return { release: () => lock.close() };
}

const DAMAGED = /malformed|not a database|disk image|corrupt/i;

/** A spool that SQLite cannot read is kept aside for people; a new trail begins, and the console's next receipt names
 *  the one it goes on from. `onDamage` is told where the old file lies. */
export function openSpool(
  state: string,
  identity: Identity,
  now: () => number,
  bytesMax: number,
  onDamage: (kept: string, why: string) => void,
): Spool {
  const path = spoolPath(state);
  try {
    return new Spool(storeOf(openDatabase(path)), identity, now, bytesMax);
  } catch (error) {
    if (!DAMAGED.test((error as Error).message) || !existsSync(path)) throw error;
    const aside = `${path}.${now()}.damaged`;
    for (const suffix of ["", "-wal", "-shm"]) {
      if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
    }
    onDamage(aside, (error as Error).message);
    const spool = new Spool(storeOf(openDatabase(path)), identity, now, bytesMax);
    spool.remember("damaged", { aside });
    return spool;
  }
}
